"""Recording by hand under ``--record``: the window's button, and the switch that MQTT has."""

from __future__ import annotations

import threading
from pathlib import Path

from changing import config

from edgecam.app.app import App


class Run:
    """A program that records, and a wait for frames until it does or does not."""

    def __init__(self, folder: Path, **more: object) -> None:
        self.app = App(config(detector="off", record=str(folder), keep_free=0.0, **more), paced=False)
        self._came = threading.Event()
        self.app.on_result(lambda _: self._came.set())

    def until_recording(self, wanted: bool) -> None:
        for _ in range(5000):
            self._came.clear()
            assert self._came.wait(60)
            if self.app.control.state().recording is wanted:
                return
        raise AssertionError(f"thousands of frames, and recording is never {wanted}")


def test_it_stops_and_starts_what_is_recorded_all_the_time(tmp_path: Path) -> None:
    run = Run(tmp_path)
    app = run.app
    app.start()
    try:
        run.until_recording(True)
        assert app.toggle_recording().startswith("recording stopped, saved ")
        assert not app.control.state().recording
        (first,) = tmp_path.glob("*.mp4")
        assert app.toggle_recording() == f"recording to {tmp_path}"
        run.until_recording(True)
        assert app.switch_recording(True) == "recording already"
        assert app.switch_recording(False).startswith("recording stopped, saved ")
        assert app.switch_recording(False) == "nothing is being recorded"
    finally:
        app.stop()
    assert first.is_file() and len(list(tmp_path.glob("*.mp4"))) == 2


def test_the_switch_begins_and_ends_an_event(tmp_path: Path) -> None:
    run = Run(tmp_path, record_on=["motion"], post=3600.0)
    app = run.app
    app.start()
    try:
        app.switch_recording(True)
        run.until_recording(True)
        app.switch_recording(False)
        run.until_recording(False)
        app.switch_recording(True)
        app.switch_recording(False)  # before a frame came: it never begins
    finally:
        app.stop()
    assert len(list(tmp_path.glob("*.mp4"))) == 1
