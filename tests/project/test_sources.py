"""What the settings ask of the sources, and what they are called."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecam.app.app import App
from edgecam.app.controls import Controls
from edgecam.app.sources import open_sources, short, source_options, unique
from edgecam.capture import open_source
from edgecam.capture.base import BaseSource
from edgecam.capture.live.reconnect import ReconnectingSource
from edgecam.cli.status import status_line
from edgecam.config import load
from edgecam.core.errors import ConfigError
from edgecam.core.types import Frame
from edgecam.overlay.compose import compose


@given(st.lists(st.sampled_from(["front", "front-2", "back"]), max_size=12))
def test_names_are_unique_and_the_first_keeps_its_own(names: list[str]) -> None:
    found: list[str] = []
    for name in names:
        found.append(unique(name, found))
    assert len(set(found)) == len(found) and found[:1] == names[:1]
    assert all(a.startswith(b) for a, b in zip(found, names, strict=True))


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("/dev/video0", "video0"),
        ("/dev/video0-2", "video0-2"),
        ("rtsp://10.0.0.7/stream-2", "10.0.0.7/stream-2"),
        ("demo:", "demo"),
        ("demo:-2", "demo-2"),
        ("/films/one.mp4", "one"),
        ("/films/one.mp4-2", "one-2"),
    ],
)
def test_short_names(name: str, wanted: str) -> None:
    assert short(name) == wanted


def test_the_options_reach_the_source() -> None:
    words = {"source": ["x"], "camera_certificate": "any", "frozen_after": "0", "control": ["gain=3"]}
    options = source_options(load(words, {}), paced=False)
    assert (options.certificate, options.frozen_after_s, options.controls) == ("any", 0.0, {"gain": "3"})
    with pytest.raises(ConfigError, match="has no value"):
        source_options(load({"source": ["x"], "control": ["gain"]}, {}), paced=False)


class Camera(BaseSource):
    is_live = True

    def _read(self, timeout_s: float) -> Frame | None:
        import numpy as np

        self._index += 1
        return Frame(np.zeros((4, 4, 3), np.uint8), self._index, 0, self._name)


def test_a_reconnecting_source_gives_its_new_name_to_its_frames() -> None:
    config = load({"source": ["a", "b"]}, {})
    with ExitStack() as undo:
        one, two = open_sources(
            config, lambda *_: ReconnectingSource(lambda: Camera("front")), undo, paced=False
        )
        frames = [source.read(0.1) for source in (one, two)]
    assert [frame.source for frame in frames if frame is not None] == ["front", "front-2"]


def test_two_of_one_name_are_told_apart_in_json(tmp_path: Path) -> None:
    small = "synthetic:?size=320x240&frames=3"
    lines = tmp_path / "out.jsonl"
    config = load({"source": [small, small], "detector": "off", "json": str(lines)}, {})
    app = App(config, paced=False)
    app.start()
    try:
        assert app.wait(30.0)
    finally:
        app.stop()
    names = [json.loads(line)["source"] for line in lines.read_text().splitlines()]
    assert sorted(names) == ["synthetic:"] * 3 + ["synthetic:-2"] * 3


def test_the_demos_credits_stay_clear() -> None:
    app = App(load({"source": ["demo:?frames=1"], "detector": "off"}, {}), paced=False)
    app.stop()
    ((name, share),) = app.style.keep_clear
    assert name == "demo:" and 0.9 < share[1] < 1.0 and share[1] + share[3] == pytest.approx(1.0)
    with open_source("demo:?frames=1") as source:
        frame = source.read(5.0)
    assert frame is not None and frame.source == name
    assert compose(None, app.states.stats(), app.style, frame.size_wh).items


def test_an_unknown_class_to_take_snapshots_of_is_told_at_start(tmp_path: Path) -> None:
    config = load({"source": ["synthetic:?frames=1"], "snapshot_on": ["persn"], "tune": "off"}, {})
    with pytest.raises(ConfigError, match="persn"):
        App(config, paced=False)


def test_why_nothing_is_recorded_stands_in_the_window(tmp_path: Path) -> None:
    """With one camera and with several."""
    for number in (1, 2):
        sources = ["synthetic:?size=320x240&frames=3&live=1"] * number
        config = load({"source": sources, "detector": "off", "record": str(tmp_path / "clips")}, {})
        app = App(config, paced=False)
        try:
            app.recorders[-1]._writer.fault.message = "the disk of 'clips' is full"
            app.states.renew()
            assert "NOT RECORDING: the disk of 'clips' is full" in status_line(app.control.state(), None)
            assert Controls(app, over=lambda: False).state().common_notice == (
                "NOT RECORDING: the disk of 'clips' is full"
            )
        finally:
            app.recorders[-1]._writer.fault.message = ""
            for recorder in app.recorders:
                recorder.close()
            app.stop()
