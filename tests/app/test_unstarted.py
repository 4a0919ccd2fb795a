"""What was built and never started, as where the page's port is taken, leaves no thread behind."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from edgecam.app.app import App
from edgecam.config import load


def test_stop_without_start_closes_what_was_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("paho.mqtt", reason="needs the extra mqtt")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    before = set(threading.enumerate())
    asked = {"source": ["synthetic:?frames=9"], "detector": "off", "display": "none"}
    app = App(
        load({**asked, "mqtt": "mqtt://127.0.0.1:1", "record": str(tmp_path / "clips")}, {}), paced=False
    )
    assert set(threading.enumerate()) - before, "the broker's threads begin when it is opened"
    app.stop()
    assert not set(threading.enumerate()) - before
    app.stop()  # again is nothing
