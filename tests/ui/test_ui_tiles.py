"""Several sources in one window, without a screen."""

# Private names are touched here, for a window's parts have no public face: what a person sees and
# presses is reached through them.

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("PyQt6.QtWidgets", reason="needs the extra 'ui'", exc_type=ImportError)

from PyQt6.QtGui import QColor
from ui_samples import FakeController, one_result

from edgecam.core.types import Stats
from edgecam.overlay.scene import Chip, Scene, Text
from edgecam.ui.controller import WindowOptions
from edgecam.ui.window import CameraWindow

WH = (320, 240)


class Listener:
    """A pulse that remembers."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []

    def expect(self, stage: str) -> None:
        self.heard.append(("expect", stage))

    def beat(self, stage: str) -> None:
        self.heard.append(("beat", stage))

    def retire(self, stage: str) -> None:
        self.heard.append(("retire", stage))


@pytest.fixture
def controller() -> FakeController:
    made = FakeController()
    made.others = (one_result(0, value=200),)
    made.wrong = ("", "")
    return made


@pytest.fixture
def window(qt_app: Any, controller: Any) -> Iterator[CameraWindow]:
    options = WindowOptions(refresh_hz=10.0, picture_wh=WH, sources=("left", "right"))
    made = CameraWindow(controller, options)
    made._timer.stop()
    made.resize(644, 240)  # two of 320 and a gap
    made.show()
    made.tick()
    made.grab()
    yield made
    made.close()
    made.deleteLater()
    qt_app.processEvents()


def said(scene: Scene) -> str:
    return " ".join(
        m.text for c in scene.items if isinstance(c, Chip) for m in c.marks if isinstance(m, Text)
    )


def test_each_source_has_its_place_its_name_and_its_boxes(window: Any, controller: Any) -> None:
    left, right, shared = window.scenes
    assert (left.view.x, left.view.w, right.view.x, right.view.w) == (0, 320, 323, 320)
    assert "left" in said(left) and "right" in said(right)
    assert "person" in said(left) and "person" in said(right)
    assert "all cameras capture 30.0" in said(shared)
    assert "left capture 10.0" in said(left) and "right capture 11.0" in said(right)
    picture = window.grab().toImage()
    assert picture.pixelColor(300, 60).blue() == 90 and picture.pixelColor(630, 60).blue() == 200
    assert picture.pixelColor(322, 200) == QColor(0, 0, 0)
    assert controller.shown == [controller.result, controller.others[0]]


def test_pictures_are_painted_from_the_frames_own_memory(window: Any, controller: Any) -> None:
    window.resize(644, 240)
    for tile, result in zip(window._tiles, controller.results(), strict=True):
        assert result is not None
        assert int(tile.picture._image.constBits()) == result.frame.image.ctypes.data


def test_only_the_tile_with_news_is_painted(
    window: Any, controller: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(window, "update", lambda *a: asked.append(a))
    window.tick()
    assert asked == []
    controller.others = (one_result(1, value=210),)
    window.tick()
    assert [a[0].left() for a in asked] == [window.scenes[1].view.x]


def test_a_lost_camera_greys_its_own_tile_only(window: Any, controller: Any) -> None:
    controller.wrong = ("", "camera lost, retrying in 4 s")
    for tile in window._tiles:
        tile.arrived_ns -= 2_000_000_000
    controller.result = one_result(1)
    window.tick()
    left, right, _ = window.scenes
    assert not left.greyed and right.greyed
    assert "camera lost" in said(right) and "camera lost" not in said(left)
    picture = window.grab().toImage()
    grey = picture.pixelColor(630, 60)
    assert grey.red() == grey.green() == grey.blue() and 0 < grey.red() < 150
    assert picture.pixelColor(300, 60).green() == 200
    window.toggle_pause()  # it stays lost, and nothing else grows old
    for tile in window._tiles:
        tile.arrived_ns -= 2_000_000_000
    window.tick()
    assert [scene.greyed for scene in window.scenes[:2]] == [False, True]


def test_a_camera_that_has_not_come_yet_waits_in_its_cell(window: Any, controller: Any) -> None:
    controller.others = (None,)
    window._tiles[1].result = None
    window.tick()
    assert "waiting for the first picture" in said(window.scenes[1])
    assert window.grab().toImage().pixelColor(640, 4) == QColor(0, 0, 0)


def test_what_concerns_all_is_said_once(window: Any, controller: Any) -> None:
    controller.current = Stats(notice="detecting at 10 Hz to stay cool")
    window.tick()
    assert ["stay cool" in said(scene) for scene in window.scenes] == [False, False, True]


def test_a_new_size_lays_the_tiles_out_anew(window: Any) -> None:
    window.resize(320, 500)
    window.tick()
    left, right, _ = window.scenes
    assert left.view.x == right.view.x and right.view.y > left.view.y + left.view.h - 1


def test_the_window_feeds_the_watchdog(qt_app: Any, controller: Any) -> None:
    listener = Listener()
    controller.others = ()
    window = CameraWindow(controller, WindowOptions(refresh_hz=10.0, pulse=listener))
    window._timer.stop()
    window.show()
    assert listener.heard == [("expect", "window")]
    window.tick()
    window.toggle_pause()
    window.tick()
    assert listener.heard[1:] == [("beat", "window")] * 2
    window.close()
    assert listener.heard[-1] == ("retire", "window")
    window.deleteLater()
