"""What the program tells the window of several cameras, and what a service's window is like."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edgecam.app.app import App
from edgecam.app.controls import Controls
from edgecam.cli.run import window_options
from edgecam.config import load
from edgecam.core.types import Result
from edgecam.record.snapshot import read_record
from edgecam.service.notify import Heartbeat, Notifier
from edgecam.ui.display import DisplayChoice

SMALL = "synthetic:?size=320x240&frames=3"


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    settings = {"source": [SMALL, f"{SMALL}&seed=2"], "detector": "off", "snapshots": str(tmp_path)}
    made = App(load(settings, environment={}), paced=False)
    made.start()
    deadline = time.monotonic() + 30
    while not made.wait(0.05) and time.monotonic() < deadline:
        pass
    yield made
    made.stop()


def test_results_and_snapshots_of_each_source(app: Any, tmp_path: Path) -> None:
    controls = Controls(app, over=lambda: False)
    first, second = controls.results()
    assert first is not None and second is not None
    assert first.frame.index == second.frame.index == 2
    assert not np.array_equal(first.frame.image, second.frame.image)
    assert [source.notice for source in controls.state().sources] == ["", ""]
    paths = controls.snapshot().split(", ")
    assert len({*paths}) == 2 and all(cv2.imread(path) is not None for path in paths)
    names = sorted(Path(p).stem.split("_", 2)[-1] for p in paths)
    assert names == ["synthetic-2_snapshot", "synthetic_snapshot"]
    records = [read_record(Path(p)) for p in paths]
    assert [r["source"] for r in records if r is not None] == ["synthetic:", "synthetic:-2"]


def test_sources_of_one_name_are_told_apart(app: Any) -> None:
    assert app.camera_names() == ("synthetic:", "synthetic:-2")
    results = [app.pipeline.latest.get(index) for index in (0, 1)]
    assert [r.frame.source for r in results if r is not None] == ["synthetic:", "synthetic:-2"]


def test_each_source_has_its_own_rates(app: Any) -> None:
    one, two = (source.stats for source in Controls(app, over=lambda: False).state().sources)
    assert (one.frames_in, two.frames_in, app.collector.snapshot().frames_in) == (3, 3, 6)


def test_clips_carry_their_cameras_name(app: Any, tmp_path: Path) -> None:
    for number, source in enumerate(app.sources, start=7):
        source.rename(f"rtsp://10.0.0.{number}/stream")
    recorder, _ = app.add_recorder(tmp_path / "clips", 1)
    try:
        result = app.pipeline.latest.get(1)
        assert result is not None
        for _ in range(3):
            recorder.write(result)
    finally:
        recorder.close()
    assert [path.stem.split("_")[-1] for path in recorder.clips] == ["10.0.0.8-stream"]


def test_one_cameras_loss_does_not_grey_the_others_clips(app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    result = app.pipeline.latest.get(0)
    assert isinstance(result, Result)
    pixel = result.frame.image[200, 10]
    monkeypatch.setattr(app.sources[1], "notice", "camera lost, retrying in 4 s")
    app.states.renew()
    assert (app.annotate(result)[200, 10] == pixel).all()
    monkeypatch.setattr(app.sources[0], "notice", "camera lost")
    app.states.renew()
    assert (app.annotate(result)[200, 10] < pixel).all()


@pytest.mark.parametrize(
    ("mode", "service", "kiosk"),
    [("fullscreen", True, True), ("fullscreen", False, False), ("window", True, False)],
)
def test_a_services_full_screen_is_a_kiosk(app: Any, mode: Any, service: Any, kiosk: Any) -> None:
    heart = Heartbeat(Notifier({})) if service else None
    options = window_options(app, DisplayChoice("xcb", mode, ""), heart)
    assert options.kiosk is kiosk and options.fullscreen is (mode == "fullscreen")
    assert options.pulse is heart and options.sources == ("synthetic:", "synthetic:-2")
    assert options.picture_wh == (320, 240)
