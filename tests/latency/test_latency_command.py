"""``edgecam latency-test`` without a screen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import pytest

from edgecam.capture import SourceOptions, open_source
from edgecam.cli.latency_test import main
from edgecam.core.errors import ConfigError, DisplayError
from edgecam.latency.code import CodeReader
from edgecam.latency.loop import WH, LoopCamera
from edgecam.ui import display
from edgecam.ui.display import DisplayChoice

SOME_SCREEN = DisplayChoice("offscreen", "fullscreen", "")


def test_the_self_check_measures_no_less_than_was_put_in(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Through the real HTTP source and pipeline."""
    picture = tmp_path / "latency.png"
    arguments = ["--self-check", "--delay", "150ms", "--duration", "5s", "--json"]
    assert main([*arguments, "--histogram", str(picture)]) == 0
    out, err = capsys.readouterr()
    figures = json.loads(out)
    assert figures["v"] == 1 and figures["changes"] >= 3
    assert 150 <= figures["total_min_ms"] <= figures["total_p50_ms"]
    assert "150 ms were put in" in err and "glass to glass p50" in err
    assert cv2.imread(str(picture)).shape == (540, 960, 3)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--source is missing"),
        (["--self-check", "--source", "0"], "leave out --source"),
        (["--source", "0", "--size", "big"], "--size"),
    ],
)
def test_wrong_usage_is_one_sentence(arguments: Any, words: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(display, "choose_display", lambda wanted: SOME_SCREEN)
    with pytest.raises(ConfigError, match=words):
        main(arguments)


def test_without_a_screen_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = display.Surroundings({}, root=tmp_path, has_pyqt6=lambda: True)
    choose = display.choose_display
    monkeypatch.setattr(display, "choose_display", lambda wanted: choose(wanted, nothing))
    with pytest.raises(DisplayError, match=r"screen: no display found .*--self-check") as said:
        main(["--source", "0"])
    assert "--display" not in str(said.value)


def test_a_file_is_no_camera(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(display, "choose_display", lambda wanted: SOME_SCREEN)
    with pytest.raises(ConfigError, match="is not a camera"):
        main(["--source", "synthetic:?size=320x240", "--detector", "off"])


def test_the_loops_server_is_a_network_camera() -> None:
    camera = LoopCamera(delay_s=0.0)
    try:
        with open_source(camera.url, SourceOptions(reconnect="off")) as source:
            assert source.is_live and source.size_wh == WH
            frame = source.read(5.0)
            assert frame is not None and CodeReader().read(frame.image) == 0
    finally:
        camera.close()
