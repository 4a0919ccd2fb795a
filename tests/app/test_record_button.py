"""The record button under ``--record DIR``: it ends the clip that is being made, and begins another."""

from __future__ import annotations

import threading
from pathlib import Path

from changing import config

from edgecam.app.app import App
from edgecam.core.types import Result


def test_it_stops_and_starts_what_is_recorded_all_the_time(tmp_path: Path) -> None:
    app = App(config(detector="off", record=str(tmp_path), keep_free=0.0), paced=False)
    came = threading.Event()

    def hear(_: Result) -> None:
        came.set()

    def until_it_records() -> None:
        for _ in range(5000):
            came.clear()
            assert came.wait(60)
            if app.control.state().recording:
                return
        raise AssertionError("thousands of frames, and nothing is recorded")

    app.on_result(hear)
    app.start()
    try:
        until_it_records()
        assert app.toggle_recording().startswith("recording stopped, saved ")
        assert not app.control.state().recording
        (first,) = tmp_path.glob("*.mp4")
        assert app.toggle_recording() == f"recording to {tmp_path}"
        until_it_records()
    finally:
        app.stop()
    assert first.is_file() and len(list(tmp_path.glob("*.mp4"))) == 2
