"""The main job on a real video: people boxed, every frame in the clip, with the file's own timing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

pytestmark = [pytest.mark.shared, pytest.mark.slow, pytest.mark.timeout(600)]

#: Of the picture: what stands out from the empty room and is at least this tall is a whole person here (the
#: camera looks down at one spot; the table alone is a third as tall).
WHOLE_PERSON_HEIGHT = 0.7


def frames_with_a_whole_person(video: Path) -> list[tuple[int, tuple[int, int, int, int]]]:
    """By what differs from the empty room of the first frame; no detector is asked."""
    found = []
    capture = cv2.VideoCapture(str(video))
    empty: np.ndarray | None = None
    index = 0
    while True:
        ok, image = capture.read()
        if not ok:
            break
        grey = cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), (9, 9), 0)
        if empty is None:
            empty = grey
        changed = (cv2.absdiff(grey, empty) > 25).astype(np.uint8)
        changed = cv2.morphologyEx(changed, cv2.MORPH_CLOSE, np.ones((25, 25), np.uint8))  # type: ignore[assignment]
        _, _, stats, _ = cv2.connectedComponentsWithStats(changed)
        if len(stats) > 1:
            x, y, w, h, _ = (int(v) for v in stats[1 + int(np.argmax(stats[1:, 4]))])
            inside = x > 0 and x + w < image.shape[1]
            if inside and h >= WHOLE_PERSON_HEIGHT * image.shape[0] and w < 0.5 * image.shape[1]:
                found.append((index, (x, y, x + w, y + h)))
        index += 1
    capture.release()
    return found


def overlap(a: tuple[int, int, int, int], b: list[float]) -> float:
    """Intersection over union."""
    w = min(a[2], b[2]) - max(a[0], b[0])
    h = min(a[3], b[3]) - max(a[1], b[1])
    if w <= 0 or h <= 0:
        return 0.0
    both = w * h
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def test_people_are_boxed_and_every_frame_is_in_the_clip(shared: Path, tmp_path: Path) -> None:
    video = shared / "data" / "videos" / "one-by-one-person-detection.mp4"
    clip, lines = tmp_path / "out.mp4", tmp_path / "out.jsonl"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "edgecam", "--source", str(video), "--display", "none"),
            *("--record", str(clip), "--json", str(lines)),
        ],
        capture_output=True,
        text=True,
        timeout=540,
    )
    assert done.returncode == 0, done.stderr
    results = [json.loads(line) for line in lines.read_text().splitlines()]
    assert [r["index"] for r in results] == list(range(len(results)))

    wanted = frames_with_a_whole_person(video)
    assert len(wanted) > 500, "the judge itself must see people in much of this video"
    boxed = sum(
        any(d["label"] == "person" and overlap(box, d["xyxy"]) > 0.4 for d in results[index]["detections"])
        for index, box in wanted
    )
    assert boxed >= 0.8 * len(wanted), f"boxed in {boxed} of {len(wanted)} frames with a whole person"

    with av.open(str(video)) as source, av.open(str(clip)) as made:
        assert made.streams.video[0].codec_context.name == "h264"
        before = [frame.time for frame in source.decode(video=0)]
        after = [frame.time for frame in made.decode(video=0)]
    assert len(after) == len(before) == len(results)
    assert np.allclose(np.diff(after), np.diff(before), atol=0.002), "the clip has not the file's own timing"
