import json
import os
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgecam.core import clock
from edgecam.core.errors import RecordError
from edgecam.core.jsonformat import (
    board_to_dict,
    result_from_dict,
    result_to_dict,
    stats_from_dict,
)
from edgecam.core.types import (
    TENTATIVE,
    BoardHealth,
    Classification,
    Detections,
    Frame,
    PowerReading,
    Result,
    Stats,
)
from edgecam.outputs.json_lines import JsonLinesSink

KEYS = [
    "v", "source", "file", "index", "captured_ns", "time", "width", "height", "inference_ms", "frame_age_ms",
    "dropped", "power_w", "power_kind", "detections", "classes",
]  # fmt: skip


def make_result(index: int = 41, people: int = 1, file: str | None = None) -> Result:
    now = clock.now_ns()
    frame = Frame(np.zeros((72, 128, 3), np.uint8), index, now, "demo:", file=file)
    detections = Detections(
        np.tile(np.array([[10.26, 5.5, 24.0, 61.0]], np.float32), (people, 1)),
        np.full(people, 0.9123, np.float32),
        np.zeros(people, np.int32),
        ("person",),
        track_id=np.arange(3, 3 + people, dtype=np.int32),
    )
    crops = tuple((Classification("jersey", 610, 0.4412),) for _ in range(people))
    return Result(
        frame, detections, crop_classes=crops, detect_ms=9.26, classify_ms=2.5, completed_ns=now + 19_400_000
    )


STATS = Stats(
    power=PowerReading(5.41, "estimated", "load model", 0, 0.25),
    health=BoardHealth(temperature_c=61.5, throttled_now=("under-voltage",)),
    model="ssdlite",
)


def test_line_is_the_documented_one(tmp_path: Path) -> None:
    sink = JsonLinesSink(tmp_path / "out.jsonl", stats_provider=lambda: STATS)
    sink.open()
    sink.write(make_result(file="photos/a.jpg"))
    sink.write(make_result(42, people=0))
    sink.close()
    sink.close()
    first, second = map(json.loads, (tmp_path / "out.jsonl").read_text().splitlines())
    assert list(first) == KEYS
    assert first["v"] == 1 and first["index"] == 41 and first["file"] == "photos/a.jpg"
    assert (first["inference_ms"], first["frame_age_ms"]) == (11.8, 19.4)
    assert (first["power_w"], first["power_kind"]) == (5.41, "estimated")
    assert first["detections"] == [
        {
            "label": "person", "class_id": 0, "score": 0.912, "xyxy": [10.3, 5.5, 24.0, 61.0], "track_id": 3,
            "state": "confirmed", "classes": [{"label": "jersey", "score": 0.441}],
        }
    ]  # fmt: skip
    assert first["time"].endswith("Z") and len(first["time"]) == len("2026-11-20T10:00:00.123Z")
    assert second["detections"] == [] and second["file"] is None


def test_tentative_tracks_stand_apart_and_come_back() -> None:
    sure = make_result()
    unsure = Detections(
        np.array([[1, 2, 9, 12]], np.float32),
        np.array([0.5], np.float32),
        np.array([1], np.int32),
        ("person", "kite"),
        track_id=np.array([9], np.int32),
        state=np.array([TENTATIVE], np.uint8),
        alternatives=((Classification("umbrella", 25, 0.41),),),
    )
    line = json.loads(json.dumps(result_to_dict(replace(sure, tentative=unsure))))
    assert [d["state"] for d in line["detections"]] == ["confirmed", "tentative"]
    assert line["detections"][1]["alternatives"] == [{"label": "umbrella", "score": 0.41}]
    back = result_from_dict(line, sure.frame.image)
    assert len(back.detections) == 1 and back.detections.label(0) == "person"
    assert back.tentative.label(0) == "kite" and back.tentative.state_name(0) == "tentative"
    assert back.tentative.alternatives == ((Classification("umbrella", -1, 0.41),),)
    assert result_to_dict(back)["detections"][1]["state"] == "tentative"
    old = {k: v for k, v in line["detections"][0].items() if k != "state"}
    assert result_from_dict({**line, "detections": [old]}, sure.frame.image).detections.state is None


def test_without_a_meter_power_is_null() -> None:
    line = result_to_dict(make_result())
    assert line["power_w"] is None and line["power_kind"] is None


def test_a_line_reads_back() -> None:
    line = result_to_dict(make_result(people=2), STATS) | {"board": board_to_dict(STATS)}
    line = json.loads(json.dumps(line))
    image = np.zeros((72, 128, 3), np.uint8)
    back = result_from_dict(line, image)
    assert back.frame.image is image and back.frame.index == 41
    assert [back.detections.label(i) for i in range(2)] == ["person", "person"]
    assert back.detections.track_id is not None and back.detections.track_id.tolist() == [3, 4]
    assert back.crop_classes[1][0].label == "jersey"
    stats = stats_from_dict(line)
    assert stats.power is not None and stats.power.kind == "estimated" and stats.power.source == "load model"
    assert stats.health.temperature_c == 61.5 and stats.health.throttled_now == ("under-voltage",)
    with pytest.raises(ValueError, match="version 1"):
        result_from_dict(line | {"v": 2}, image)


def test_unwritable_path_is_one_sentence(tmp_path: Path) -> None:
    sink = JsonLinesSink(tmp_path / "missing" / "out.jsonl")
    with pytest.raises(RecordError, match=r"--json: cannot write .*missing/out.jsonl.*No such file"):
        sink.open()


def run_child(body: str, **options: object) -> "subprocess.Popen[bytes]":
    code = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n" + textwrap.dedent(body)
    return subprocess.Popen([sys.executable, "-W", "error", "-c", code], cwd=Path.cwd(), **options)  # type: ignore[call-overload,no-any-return]


def test_reader_that_leaves_stops_the_sink_quietly() -> None:
    child = run_child(
        """
        from test_jsonl_sink import make_result
        from edgecam.outputs.json_lines import JsonLinesSink
        sink = JsonLinesSink("-", on_reader_gone=lambda: print("told", file=sys.stderr))
        sink.open()
        for i in range(5000):
            sink.write(make_result(i))
        sink.close()
        print("x")
        print(sink.reader_gone, sink.lines < 5000, file=sys.stderr)
        """,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert child.stdout is not None and child.stderr is not None
    assert json.loads(child.stdout.readline())["index"] == 0
    child.stdout.close()
    told = child.stderr.read().decode()
    child.stderr.close()
    assert child.wait(30) == 0
    assert told.split() == ["told", "True", "True"]


@pytest.mark.allow_error_log
def test_reader_that_sleeps_costs_lines_but_never_half_ones() -> None:
    read_fd, write_fd = os.pipe()
    try:
        sink = JsonLinesSink(f"/dev/fd/{write_fd}", wait_s=0.01)
        sink.open()
        for i in range(400):
            sink.write(make_result(i))
        assert sink.dropped > 0 and sink.lines > 0
        os.set_blocking(read_fd, False)
        got = b""
        while True:
            try:
                got += os.read(read_fd, 1 << 16)
            except BlockingIOError:
                break
        sink.write(make_result(400))
        got += os.read(read_fd, 1 << 20)
        sink.close()
    finally:
        os.close(read_fd)
        os.close(write_fd)
    numbers = [json.loads(line)["index"] for line in got.splitlines()]
    assert numbers[-1] == 400 and numbers[:-1] == list(range(len(numbers) - 1))


@pytest.mark.allow_error_log
def test_full_disk_says_so_once_and_keeps_whole_lines(caplog: pytest.LogCaptureFixture) -> None:
    sink = JsonLinesSink("/dev/full")
    sink._wait_s = 0.1
    sink.open()
    for i in range(3):
        sink.write(make_result(i))
    sink.close()
    errors = [r for r in caplog.records if r.levelname == "ERROR"]
    assert len(errors) == 1 and "No space left" in errors[0].getMessage()
