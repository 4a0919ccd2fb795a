"""The program on recordings of people and cars: boxes, the clip, and counts against what was counted by hand.

The counts' truth was taken frame by frame; see docs/events.md.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import av
import cv2
import numpy as np
import pytest

from edgecam.core.events import Event

pytestmark = [pytest.mark.shared, pytest.mark.slow, pytest.mark.timeout(900)]

#: Of the picture: what stands out from the empty room and is at least this tall is a whole person here (the
#: camera looks down at one spot; the table alone is a third as tall).
WHOLE_PERSON_HEIGHT = 0.7


class Run(NamedTuple):
    """What a run on a video left: its results, its events, its clip."""

    video: Path
    clip: Path
    results: list[dict[str, Any]]
    events: list[Event]


def run(video: Path, folder: Path, *arguments: str) -> Run:
    clip, lines, events = folder / "out.mp4", folder / "out.jsonl", folder / "events.jsonl"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "edgecam", "--source", str(video), "--display", "none"),
            *("--record", str(clip), "--json", str(lines), "--events", str(events), *arguments),
        ],
        capture_output=True,
        text=True,
        timeout=800,
    )
    assert done.returncode == 0, done.stderr
    results = [json.loads(line) for line in lines.read_text().splitlines()]
    return Run(video, clip, results, [Event.from_json(line) for line in events.read_text().splitlines()])


@pytest.fixture(scope="module")
def people(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Six people, one after the other, with a line and a zone."""
    video = shared / "data" / "videos" / "one-by-one-person-detection.mp4"
    places = ["--line", "exit=0.75,1 0.75,0", "--zone", "table=0.4,0.6 0.75,0.6 0.75,1 0.4,1"]
    return run(video, tmp_path_factory.mktemp("people"), *places)


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


def test_people_are_boxed_and_every_frame_is_in_the_clip(people: Run) -> None:
    video, clip, results, _ = people
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


def test_six_people_one_after_the_other(people: Run) -> None:
    """Each comes in at the lower edge, stands at the table, and leaves to the right.

    By hand, seconds at which they are first in the zone before the table: 6.4, 23.0, 50.9, 75.0, 92.9,
    123.9; and at which they leave it through x = 0.75: 18.9, 44.1, 69.0, 86.0, 118.9, 135.0."""
    events = people.events
    crossed = [e for e in events if e.kind == "line" and e.label == "person"]
    assert [e.direction for e in crossed] == ["in"] * 6
    begun = crossed[0].start_time
    by_hand = [0.0, 25.2, 50.1, 67.1, 100.0, 116.1]
    assert [e.start_time - begun for e in crossed] == pytest.approx(by_hand, abs=0.5)
    stays = [e.dwell_s for e in events if e.kind == "zone" and e.type == "end" and e.label == "person"]
    assert stays == pytest.approx([12.5, 21.1, 18.1, 11.0, 26.0, 11.1], abs=0.7)
    occupied = [e for e in events if e.kind == "occupancy" and e.label == "person"]
    assert [e.type for e in occupied].count("new") == 6
    assert max(max((e.counts or {}).values()) for e in occupied) == 1


def test_four_cars_two_each_way(shared: Path, tmp_path: Path) -> None:
    """White up (4.6 to 8.4 s), light blue down (14.5 to 18.4), red up (15.3 to 18.8), white
    down (25.6 to 27.8 s). Their lower edges pass the middle at 7.05, 15.8, 17.6 and 26.1 s. From above,
    cars have a third of the score they have from the side."""
    video = shared / "data" / "videos" / "car-detection.mp4"
    line = ["--line", "road=0,0.5 1,0.5", "--classes", "car", "--score", "0.3"]
    crossed = [e for e in run(video, tmp_path, *line, "--classifier", "off").events if e.kind == "line"]
    assert [e.direction for e in crossed] == ["out", "in", "out", "in"]
    begun = crossed[0].start_time
    assert [e.start_time - begun for e in crossed] == pytest.approx([0.0, 8.75, 10.55, 19.05], abs=0.5)
