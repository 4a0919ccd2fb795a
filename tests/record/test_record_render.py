"""Snapshots with their record inside, and clips rendered later from their sidecar."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from recording_kit import NS, numbered, play, recording, result

from edgecam.cli import render as cli_render
from edgecam.core import clock
from edgecam.core.errors import ConfigError, RecordError
from edgecam.core.types import BoardHealth, Detections, Image, PowerReading, Result, Stats
from edgecam.inference.models.store import describe, find_model
from edgecam.overlay.palette import class_colours
from edgecam.record.render import render
from edgecam.record.snapshot import SnapshotSink, encode_snapshot, read_record, save_snapshot

STATS = Stats(
    power=PowerReading(3.3, "measured", "INA219", 0), health=BoardHealth(temperature_c=55.0), model="m"
)


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    with recording(tmp_path / "clip.mp4", stats=lambda: STATS) as recorder:
        for i in range(40):
            labels = ["person", "car"] if i >= 20 else []
            at = clock.now_ns() + i * NS // 15 + i * i * 1000
            recorder.write(result(i, at, labels=labels, score=i / 40, age_ns=20_000_000))
    return tmp_path / "clip.mp4"


def test_every_frame_gets_its_own_line(clean: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int, float, float]] = []

    def paint(r: Result, stats: Stats) -> Image:
        assert stats.power is not None
        seen.append((r.frame.index, len(r.detections), stats.power.power_w, r.frame_age_ms))
        return numbered(500 + r.frame.index)

    told: list[tuple[int, int]] = []
    frames = render(
        clean, tmp_path / "out.mp4", paint, progress=lambda done, total: told.append((done, total))
    )
    assert frames == 40 and told[-1] == (40, 40)
    assert [s[1] for s in seen] == [0] * 20 + [2] * 20
    assert {s[2] for s in seen} == {3.3} and {round(s[3]) for s in seen} == {20}
    before, after = play(clean), play(tmp_path / "out.mp4")
    assert after.numbers == [500 + n for n in before.numbers]
    assert np.allclose(after.times_s, before.times_s, atol=2e-5)


def test_the_command_draws_boxes(clean: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli_render.main([str(clean), "--style", "boxes", "--score", "0.6", "--classes", "person"]) == 0
    out = tmp_path / "clip_rendered.mp4"
    assert capsys.readouterr().out == f"{out}: 40 frames\n"
    differences = [
        float(np.abs(a.astype(int) - b.astype(int)).max())
        for a, b in zip(frames(clean), frames(out), strict=True)
    ]
    assert max(differences[:24]) < 60 and min(differences[24:]) > 60  # the score reaches 0.6 in frame 24
    assert play(out).numbers == list(range(40))


@pytest.mark.parametrize("label", ["person", "cat", "zebra", "couch"])
def test_a_class_alone_has_the_colour_that_it_has_in_the_window(tmp_path: Path, label: str) -> None:
    labels = describe(find_model("default", "detection"))[0].labels
    with recording(tmp_path / "clip.mp4") as recorder:
        for i in range(8):
            seen = result(i, clock.now_ns() + i * NS // 15)
            box, score = np.array([[100, 60, 220, 180]], np.float32), np.array([0.9], np.float32)
            class_id = np.array([labels.index(label)], np.int32)
            recorder.write(replace(seen, detections=Detections(box, score, class_id, labels)))
    assert cli_render.main([str(tmp_path / "clip.mp4"), "--style", "boxes"]) == 0
    line = frames(tmp_path / "clip_rendered.mp4")[4][118:122, 98:103].astype(int)
    wanted = np.array(class_colours(labels)[labels.index(label)][2::-1])
    assert np.abs(line - wanted).max(axis=2).min() < 40


def frames(path: Path) -> list[Image]:
    import av

    with av.open(str(path)) as clip:
        return [f.to_ndarray(format="bgr24") for f in clip.decode(video=0)]


def test_what_cannot_be_rendered_is_one_sentence(clean: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no clip"):
        cli_render.main([str(tmp_path / "none.mp4")])
    with pytest.raises(ConfigError, match="names the clip itself"):
        cli_render.main([str(clean), "--out", str(clean)])
    (tmp_path / "clip.jsonl").unlink()
    with pytest.raises(RecordError, match=r"no sidecar 'clip.jsonl' beside it"):
        cli_render.main([str(clean)])
    (tmp_path / "clip.jsonl").write_text("{}\n")
    with pytest.raises(RecordError, match="no detections' lines"):
        cli_render.main([str(clean)])
    (tmp_path / "text.mp4").write_text("no film")
    (tmp_path / "text.jsonl").write_text('{"clip_s": 0, "detections": []}\n')
    with pytest.raises(RecordError, match="is not a clip"):
        cli_render.main([str(tmp_path / "text.mp4")])


def test_a_snapshot_carries_its_record(tmp_path: Path) -> None:
    r = result(41, 5 * NS, labels=["person"])
    path = save_snapshot(tmp_path / "new", r.frame.image, r, STATS)
    record = read_record(path)
    assert record is not None and record["index"] == 41 and record["detections"][0]["label"] == "person"
    assert record["board"]["temperature_c"] == 55.0
    picture = cv2.imread(str(path))
    assert picture is not None and np.abs(picture.astype(int) - r.frame.image).mean() < 4
    third = save_snapshot(tmp_path / "new", r.frame.image, r, camera="10.0.0.7/front door")
    assert third.stem.endswith("Z_10.0.0.7-front-door_snapshot")
    second = save_snapshot(tmp_path / "new", r.frame.image, r)
    assert second != path and path.name.endswith("Z_snapshot.jpg")


def test_a_snapshot_of_very_many_things_still_is_a_jpeg(tmp_path: Path) -> None:
    record = {"v": 1, "detections": [{"label": "person", "xyxy": [1.0, 2.0, 3.0, 4.0]}] * 5000}
    (tmp_path / "a.jpg").write_bytes(encode_snapshot(numbered(3), record))
    back = read_record(tmp_path / "a.jpg")
    assert back is not None and back["cut"] and 500 < len(back["detections"]) < 5000
    assert cv2.imread(str(tmp_path / "a.jpg")) is not None


def test_a_picture_without_a_record_has_none(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.jpg"), numbered(1))
    (tmp_path / "b.jpg").write_bytes(b"not a jpeg")
    assert read_record(tmp_path / "a.jpg") is None and read_record(tmp_path / "b.jpg") is None


def test_snapshots_when_something_begins(tmp_path: Path) -> None:
    sink = SnapshotSink(tmp_path, ["person:0.5"], painter=lambda r: numbered(7), pause_s=2.0)
    sink.open()
    for i in range(100):  # ten a second: a person from 1 s to 3 s, away for 1 s, there till 6 s, again at 9 s
        there = 10 <= i < 30 or 40 <= i < 60 or i >= 90
        if i == 75:
            sink.request("key")
        sink.write(result(i, i * NS // 10, labels=["person"] if there else []))
    sink.close()
    indices = [record["index"] for record in map(read_record, sink.saved) if record is not None]
    assert indices == [10, 75, 90]


@pytest.mark.allow_error_log
def test_a_disk_that_refuses_snapshots_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("x")
    sink = SnapshotSink(tmp_path / "file", [])
    for i in range(3):
        sink.request()
        sink.write(result(i, i * NS))
    assert not sink.saved and len([r for r in caplog.records if r.levelname == "ERROR"]) == 1


def test_a_sidecar_of_somebody_elses(clean: Path, tmp_path: Path) -> None:
    """A class number of 300 million took 2.4 GB for the names of all classes before it."""
    sidecar = clean.with_suffix(".jsonl")
    lines = [json.loads(line) for line in sidecar.read_text().splitlines()]
    for number in (300_000_000, -1, 10**30):
        for line in lines:
            for found in line.get("detections", ()):
                found["class_id"] = number
        sidecar.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
        with pytest.raises(RecordError, match="cannot be understood"):
            render(clean, tmp_path / "out.mp4", lambda result, stats: result.frame.image)
