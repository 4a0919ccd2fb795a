"""The peers' camera and stop-watch, and the source of canned pictures: what the comparisons rest on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
pytestmark = pytest.mark.skipif(not BENCHMARKS.is_dir(), reason="an installed package has no benchmarks")


class Clock:
    """Stands in for `time`: sleeping moves it on."""

    def __init__(self) -> None:
        self.now = 100.0
        self.cpu = 0.0

    def monotonic(self) -> float:
        return self.now

    def process_time(self) -> float:
        return self.cpu

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def harness(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS / "peers"))
    monkeypatch.delitem(sys.modules, "harness", raising=False)
    import harness  # type: ignore[import-not-found]

    return harness  # type: ignore[no-any-return]


@pytest.fixture
def pictures(tmp_path: Path) -> str:
    for number in range(3):
        cv2.imwrite(str(tmp_path / f"{number}.jpg"), np.full((8, 8, 3), number * 100, np.uint8))
    return str(tmp_path)


def test_a_slow_reader_gets_stale_frames_as_from_a_real_driver(
    harness: ModuleType, pictures: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(harness, "time", clock)
    camera = harness.Camera(pictures, 10.0)
    assert camera.read()[1:] == (0, 100.0)
    assert camera.read()[1] == 1  # waits for it
    assert clock.now == pytest.approx(100.1)
    clock.now = 101.0  # frames 2 to 10 came; four buffers hold 2 to 5, the rest was dropped
    assert [camera.read()[1] for _ in range(5)] == [2, 3, 4, 5, 11]
    assert clock.now == pytest.approx(101.1)


def test_the_watch_counts_each_frame_once(harness: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(harness, "time", clock)
    watch = harness.Watch(1.0)
    number = 0
    for _ in range(harness.WARM_UP):
        assert not watch.done(number, clock.now, 0)
    assert not watch.done(number, clock.now, 0)
    while True:
        clock.now += 0.1
        clock.cpu += 0.02
        number += 1
        over = watch.done(number, clock.now - 0.03, 2)
        if not over:
            watch.done(number, clock.now - 0.03, 2)  # looked at twice, as the tutorials' loop does
        else:
            break
    found = watch.result()
    assert found["rate"] == pytest.approx(10.0, abs=1.1)
    assert found["age_p50_ms"] == pytest.approx(30.0, abs=0.1)
    assert found["repeats_per_s"] == pytest.approx(9.0, abs=1.1)
    assert found["cpu_ms_per_frame"] == pytest.approx(20.0, rel=0.15)
    assert found["found_per_frame"] == 2


def test_tutorial_selection(harness: ModuleType) -> None:
    boxes = np.array([[0, 0, 0.5, 0.5], [0, 0, 0.5, 0.49], [0.6, 0.6, 1, 1]], np.float32)
    scores = np.array([[0.9, 0.1], [0.8, 0.1], [0.2, 0.3]], np.float32)
    kept, score, classes = harness.pick(boxes, scores, (200, 100))
    assert kept.tolist() == [[0, 0, 100, 50]]
    assert score.tolist() == pytest.approx([0.9])
    assert classes.tolist() == [0]


def test_canned_pictures_as_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from canned import CannedSource  # type: ignore[import-not-found]

    from edgecam.core.errors import EndOfStream

    images = [np.full((4, 6, 3), n, np.uint8) for n in range(2)]
    with CannedSource(images, frames=3) as source:
        assert source.size_wh == (6, 4)
        seen = [(frame.index, int(frame.image[0, 0, 0])) for _ in range(3) if (frame := source.read(1))]
        assert seen == [(0, 0), (1, 1), (2, 0)]
        with pytest.raises(EndOfStream):
            source.read(1)


@pytest.mark.timeout(120)
def test_edgecam_runs_on_the_peers_camera(tmp_path: Path) -> None:
    for number in range(3):
        cv2.imwrite(str(tmp_path / f"{number}.jpg"), np.full((720, 1280, 3), number * 100, np.uint8))
    script = BENCHMARKS / "peers/edgecam_app.py"
    line = [sys.executable, str(script), "--model", "fast", "--pictures", str(tmp_path), "--seconds", "1"]
    environment = {**os.environ, "PYTHONPATH": str(BENCHMARKS.parent)}
    done = subprocess.run(line, capture_output=True, text=True, env=environment, timeout=110)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures["peer"] == "edgecam"
    assert figures["rate"] > 1
