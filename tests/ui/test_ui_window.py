"""The window without a screen: what it does with results, keys, buttons and errors."""

# Private names are touched here, for a window's parts have no public face: what a person sees and
# presses is reached through them.

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace

pytest.importorskip("PyQt6.QtWidgets", reason="needs the extra 'ui'", exc_type=ImportError)

from PyQt6.QtCore import QPoint, QSize, Qt
from PyQt6.QtGui import QColor
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QToolTip
from ui_samples import LABELS, FakeController, one_result

from edgecam.core.types import Stats
from edgecam.overlay.scene import Chip, Text
from edgecam.ui.controller import WindowOptions
from edgecam.ui.controls import BUTTON_PX, IconButton
from edgecam.ui.panels import ClassSwitch
from edgecam.ui.window import CameraWindow


@pytest.fixture
def controller() -> FakeController:
    return FakeController()


def opened(controller: FakeController, **options: Any) -> CameraWindow:
    window = CameraWindow(controller, WindowOptions(refresh_hz=10.0, **options))
    window._timer.stop()  # the tests tick themselves
    window.resize(640, 480)
    window.show()
    window.tick()
    window.grab()
    return window


@pytest.fixture
def window(qt_app: Any, controller: Any) -> Iterator[CameraWindow]:
    made = opened(controller)
    yield made
    made.close()
    made.deleteLater()
    qt_app.processEvents()


def said(window: CameraWindow) -> str:
    assert window.scene is not None
    return " ".join(
        m.text for c in window.scene.items if isinstance(c, Chip) for m in c.marks if isinstance(m, Text)
    )


def press(window: CameraWindow, key: Qt.Key) -> None:
    QTest.keyClick(window, key)  # type: ignore[call-overload]


def button(window: CameraWindow, name: str) -> IconButton:
    return next(b for b in window.findChildren(IconButton) if b.accessibleName().startswith(name))


def test_a_result_is_painted_and_told_once(window: Any, controller: Any) -> None:
    assert controller.shown == [controller.result]
    for _ in range(5):
        window.tick()
        window.grab()
    assert len(controller.shown) == 1
    controller.result = one_result(1)
    window.tick()
    window.grab()
    assert [r.frame.index for r in controller.shown] == [0, 1]


def test_nothing_new_asks_for_no_repaint(
    window: Any, controller: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(window, "update", lambda *a: asked.append(a))
    for _ in range(20):
        window.tick()
    assert asked == []
    window.tick()
    assert asked == []  # new figures that look the same
    controller.current = Stats(capture_fps=12.0)
    window.tick()
    assert len(asked) == 1 and "12.0" in said(window)


def test_the_picture_is_painted_from_the_frames_own_memory(window: Any, controller: Any) -> None:
    assert controller.result is not None
    pixels = controller.result.frame.image
    image = window._tiles[0].picture._image
    assert int(image.constBits()) == pixels.ctypes.data
    middle = window.grab().toImage().pixelColor(320, 400)
    assert (middle.red(), middle.green(), middle.blue()) == (40, 200, 90)


def test_the_shape_is_kept_with_black_bars(window: Any, controller: Any) -> None:
    window.resize(640, 240)
    window.tick()
    picture = window.grab().toImage()
    assert picture.pixelColor(100, 200) == QColor(0, 0, 0)
    assert picture.pixelColor(320, 230).green() == 200


def test_a_picture_that_stays_away_is_greyed_with_the_notice(window: Any, controller: Any) -> None:
    controller.current = Stats(notice="camera lost, retrying in 4 s")
    window.tick()
    assert window.scene is not None and not window.scene.greyed
    window._tiles[0].arrived_ns -= 2_000_000_000
    window.tick()
    colour = window.grab().toImage().pixelColor(60, 300)
    assert colour.red() == colour.green() == colour.blue() and 0 < colour.red() < 150
    assert "camera lost" in said(window)


def test_a_large_picture_is_averaged_not_skipped(window: Any, controller: Any) -> None:
    result = one_result(5, (2560, 1920))
    result.frame.image[:] = 0
    result.frame.image[:, ::4] = 200  # bright columns that bilinear scaling to a quarter would never look at
    controller.result = result
    window.tick()
    row = [window.grab().toImage().pixelColor(x, 470).green() for x in range(300, 340)]
    assert row == [50] * 40


def test_pause_holds_the_picture(window: Any, controller: Any) -> None:
    press(window, Qt.Key.Key_Space)
    assert window.paused and controller.told == [("paused", True)]
    controller.result = one_result(9)
    window.tick()
    window.grab()
    assert len(controller.shown) == 1
    press(window, Qt.Key.Key_Space)
    window.tick()
    window.grab()
    assert controller.told[-1] == ("paused", False) and controller.shown[-1].frame.index == 9


def test_a_command_that_fails_is_told_on_the_screen(window: Any) -> None:
    press(window, Qt.Key.Key_S)
    assert window._toast.isVisible() and "cannot write /nowhere/1.png" in window._toast.text


def test_recording_shows_a_dot(window: Any, controller: Any) -> None:
    press(window, Qt.Key.Key_R)
    assert controller.recording and "recording to a.mkv" in window._toast.text
    window.tick()
    assert "REC space for 12 days" in said(window)


@pytest.mark.parametrize("way", ["keys", "buttons"])
def test_the_score_goes_up_and_down_within_limits(window: Any, controller: Any, way: Any) -> None:
    def change(up: bool) -> None:
        if way == "keys":
            press(window, Qt.Key.Key_Plus if up else Qt.Key.Key_Minus)
        else:
            button(window, "Higher" if up else "Lower").click()

    change(True)
    assert controller.threshold == pytest.approx(0.55)
    for _ in range(30):
        change(False)
    assert controller.threshold == pytest.approx(0.05)
    for _ in range(30):
        change(True)
    assert controller.threshold == pytest.approx(0.95)


def test_every_key_has_a_button_large_enough_for_a_finger(window: Any) -> None:
    names = {b.accessibleName().split(" (")[0] for b in window.findChildren(IconButton)}
    assert names == {
        "Pause", "Snapshot", "Record", "Lower score", "Higher score",
        "Classes", "Zones and lines", "More or less over the picture", "Keys", "Full screen", "Quit",
    }  # fmt: skip
    assert BUTTON_PX >= 44


def test_buttons_come_with_a_touch_and_fade_away(window: Any, qt_app: Any) -> None:
    bar = window._bar
    assert not bar.isVisible()
    QTest.mouseClick(window, Qt.MouseButton.LeftButton, pos=QPoint(200, 200))  # type: ignore[call-overload]
    assert bar.isVisible()
    bar._animation.setCurrentTime(bar._animation.duration())
    assert bar.opacity == 1.0
    bar._idle.timeout.emit()
    bar._animation.setCurrentTime(bar._animation.duration())
    assert not bar.isVisible()


@pytest.mark.parametrize("size", [(320, 200), (320, 240), (480, 640), (1280, 720)])
def test_buttons_and_panels_stay_inside_the_window(window: Any, size: Any) -> None:
    window.resize(*size)
    QTest.mouseMove(window, QPoint(10, 10))  # type: ignore[call-overload]
    window._bar.wake()
    inside = window.rect()
    assert inside.contains(window._bar.geometry())
    for item in window._bar.items:
        assert window._bar.rect().contains(item.geometry())
    press(window, Qt.Key.Key_C)
    assert inside.contains(window._classes.geometry())
    press(window, Qt.Key.Key_H)
    assert inside.contains(window._help.geometry())
    minus, value, plus = (button(window, "Lower"), window._bar.score, button(window, "Higher"))
    assert minus.y() == value.y() == plus.y() and minus.x() < value.x() < plus.x()


def test_tooltips_are_as_large_as_the_window_asks(window: Any) -> None:
    sizes = []
    for size in ((320, 240), (1280, 720), (3840, 2160)):
        window.resize(*size)
        sizes.append(QToolTip.font().pixelSize())
    assert sizes == [11, 13, 39]


def test_escape_closes_a_panel_first_and_then_the_window(window: Any) -> None:
    press(window, Qt.Key.Key_H)
    assert window._help.isVisible()
    press(window, Qt.Key.Key_Escape)
    assert window.isVisible() and not window._help.isVisible()
    press(window, Qt.Key.Key_Escape)
    assert not window.isVisible()


def test_classes_are_switched(window: Any, controller: Any) -> None:
    press(window, Qt.Key.Key_C)
    switches = {s.text(): s for s in window.findChildren(ClassSwitch)}
    assert tuple(switches) == LABELS and all(s.height() >= 44 for s in switches.values())
    switches["car"].click()
    assert controller.classes == frozenset(LABELS) - {"car"}
    window._classes._all(False)
    assert controller.classes == frozenset()
    window._classes._all(True)
    assert controller.classes == frozenset(LABELS)
    window._classes._all(None)
    assert not window._classes.isVisible()


def test_full_screen_by_key_and_back(window: Any) -> None:
    press(window, Qt.Key.Key_F)
    assert window.isFullScreen()
    press(window, Qt.Key.Key_F)
    assert not window.isFullScreen()


def test_it_closes_when_the_program_has_finished(window: Any, controller: Any) -> None:
    controller.over = True
    window.tick()
    assert not window.isVisible()


def test_a_kiosk_is_not_closed_by_q(qt_app: Any, controller: Any) -> None:
    window = opened(controller, kiosk=True)
    assert window.windowFlags() & Qt.WindowType.FramelessWindowHint
    assert window.cursor().shape() == Qt.CursorShape.BlankCursor
    press(window, Qt.Key.Key_Q)
    press(window, Qt.Key.Key_Escape)
    assert window.isVisible()
    QTest.keyClick(window, Qt.Key.Key_Q, Qt.KeyboardModifier.ControlModifier)  # type: ignore[call-overload]
    assert not window.isVisible()
    window.deleteLater()


def test_without_a_result_it_waits_visibly(qt_app: Any, controller: Any) -> None:
    controller.result = None
    window = opened(controller)
    assert "waiting for the first picture" in said(window)
    assert window.grab().toImage().pixelColor(5, 470) == QColor(0, 0, 0)
    window.close()
    window.deleteLater()


def test_the_minimum_window_is_usable(window: Any) -> None:
    window.resize(QSize(1, 1))
    assert window.width() >= 320 and window.height() >= 200


def test_high_dpi_lays_out_in_device_pixels(
    window: Any, controller: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(window, "devicePixelRatioF", lambda: 2.0)
    window._layout_scene(repaint=True)
    assert window.scene is not None and window.scene.canvas_wh == (1280, 960)
    assert replace(window.scene).view.w == 1280


def test_the_key_i_goes_through_the_levels_of_the_overlay(window: Any, controller: Any) -> None:
    seen = []
    for _ in range(4):
        QTest.keyClick(window, Qt.Key.Key_I)  # type: ignore[call-overload]
        window.tick()
        seen.append((controller.level, len(window.scene.items)))
    assert [level for level, _ in seen] == ["boxes", "off", "simple", "full"]
    assert seen[1][1] == 0 < seen[0][1] < seen[2][1]
