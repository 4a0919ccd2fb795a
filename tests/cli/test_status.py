"""What a run says of itself: one line while it goes on, a few at its end, from its State alone."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgecam.cli.status import status_line, summary_lines
from edgecam.core.state import EnergySpan, Notice, RecorderState, RunTotals, SourceState, State
from edgecam.core.types import BoardHealth, Detections, Frame, Latency, PowerReading, Result, Stats

STATS = Stats(
    capture_fps=29.9,
    inference_fps=14.25,
    frames_inferred=200,
    frames_dropped=7,
    frame_age=Latency(41.2, 60.0),
    power=PowerReading(5.44, "measured", "INA3221", 0),
    health=BoardHealth(temperature_c=61.4),
)


def test_one_line_tells_it_all() -> None:
    seen = Detections(
        np.zeros((3, 4), np.float32), np.ones(3, np.float32), np.array([1, 0, 1], np.int32), ("cat", "dog")
    )
    latest = Result(Frame(np.zeros((2, 2, 3), np.uint8), 0, 0, "front"), seen)
    state = State(
        0,
        stats=STATS,
        sources=(SourceState("front"), SourceState("yard")),
        notices=(Notice("camera", "camera lost", "yard"), Notice("limit", "detecting at 5 Hz")),
        recorders=(RecorderState("front", days_left=2.5), RecorderState("yard", fault="full", days_left=9)),
        skipped_still=50,
    )
    assert status_line(state, latest) == (
        "yard: camera lost · detecting at 5 Hz | capture 29.9/s of 2 cameras | inference 14.2/s | "
        "still 25% | age 41 ms | dropped 7 | 5.4 W measured (INA3221) | "
        "61 °C | space for 2.5 days | 2 dog, 1 cat"
    )


def test_a_line_without_anything_to_tell() -> None:
    assert status_line(State(0, sources=(SourceState("a"),)), None) == "capture 0.0/s | inference 0.0/s"


def test_the_summary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("one.mp4").touch()
    totals = RunTotals(
        frames_in=100,
        frames_inferred=80,
        inferences=60,
        frames_displayed=0,
        frames_dropped=15,
        capture_fps=30.0,
        inference_fps=24.0,
        display_fps=0.0,
        frame_age=Latency(40.0, 55.0),
        display_age=None,
        inference=Latency(25.0, 30.0),
        energy=EnergySpan(200.0, 40.0, 100, 60),
        power_kind="estimated",
        power_source="estimate",
        max_temperature_c=None,
        throttled=(),
    )
    state = State(
        0,
        sources=(SourceState("a", stale=10, stopped=2), SourceState("b", stale=5)),
        recorders=(
            RecorderState("a", finished=("gone.mp4", "one.mp4"), lost=3, why_lost="the disk is full"),
        ),
        totals=totals,
        skipped_still=20,
        max_age_ms=200.0,
        too_old=4,
    )
    assert summary_lines(state) == [
        "frames     100 frames in, 80 inferred, 15 dropped as stale, 2 left at the stop",
        "gate       nothing moved in 20 of 80 frames (25%), which saved about 0.5 s of inference",
        "max age    4 results were older than 200 ms when ready",
        "rates      capture 30.0/s, inference 24.0/s",
        "latency    inference p50 25.0 ms, p95 30.0 ms; frame age p50 40.0 ms, p95 55.0 ms",
        "energy     ≈ 5.0 W on average, ≈ 2000 mJ per frame (estimate)",
        "clip       one.mp4",
        "clip       1 was deleted again to make room",
        "clip       3 frames could not be recorded: the disk is full",
    ]


def test_a_file_of_which_nothing_could_be_recorded_is_a_failure(tmp_path: Path) -> None:
    words = "--source synthetic:?frames=20&size=96x64 --detector off --display none --record clip.mp4"
    done = subprocess.run(
        [sys.executable, "-m", "edgecam", *words.split()],
        cwd=tmp_path, capture_output=True, text=True, timeout=120,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64)),  # a disk without room
    )  # fmt: skip
    assert done.returncode == 1 and "20 frames could not be recorded" in done.stderr, done.stderr
