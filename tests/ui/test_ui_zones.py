"""Zones drawn on the window with a finger: they hold at once, or the window says why not."""

# Private names are touched here, for a window's parts have no public face: what a person sees and
# presses is reached through them.

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

pytest.importorskip("PyQt6.QtWidgets", reason="needs the extra 'ui'", exc_type=ImportError)

import msgspec
import numpy as np
from PyQt6 import QtTest
from PyQt6.QtCore import QPoint, Qt
from PyQt6.QtWidgets import QPushButton
from ui_samples import LABELS, FakeController, one_result

from edgecam.app.rules import Rules
from edgecam.capture.generated.synthetic import SyntheticSource
from edgecam.config import Config
from edgecam.config.live import LiveSettings
from edgecam.core.control import Changes
from edgecam.core.state import SourceState, State
from edgecam.ui.controller import WindowOptions
from edgecam.ui.window import CameraWindow
from edgecam.ui.zones.bar import ToolButton

QTest: Any = QtTest.QTest  # PyQt6's stubs do not know that its methods are static
WH = (640, 480)
YARD = {"name": "yard", "points": [[0.1, 0.1], [0.5, 0.1], [0.5, 0.6], [0.1, 0.6]], "loitering": 2.0}


class Program(FakeController):
    """Settings and rules are the program's own; only pictures and figures are made up."""

    def __init__(self, *names: str, **settings: object) -> None:
        super().__init__()
        sources = [SyntheticSource(WH, 30.0) for _ in names]
        for source, name in zip(sources, names, strict=True):
            source.rename(name)
        self.live = LiveSettings(msgspec.structs.replace(Config(), **settings))
        self.rules = Rules(self.live.config, sources, LABELS, lambda events, result: None)
        self.live.bind(("zone", "line", "rule"), self.rules.apply)
        self.others = tuple(one_result(value=200) for _ in names[1:])
        self.sources = tuple(SourceState(name, WH) for name in names)
        self._made: tuple[object, State] = (None, State(0))

    def state(self) -> State:
        if self._made[0] is not self.live.config:
            made = msgspec.structs.asdict(self.live.config)
            self._made = self.live.config, State(0, sources=self.sources, settings=made)
        return self._made[1]

    def change(self, **settings: object) -> Changes:
        return self.live.change(settings)

    def zones(self) -> Mapping[str, tuple[tuple[float, float], ...]]:
        return {zone.name: zone.points for zone in self.rules.rules.zones}


def opened(program: Program) -> Any:
    names = tuple(source.name for source in program.sources)
    window = CameraWindow(program, WindowOptions(refresh_hz=10.0, picture_wh=WH, sources=names))
    window._timer.stop()  # the tests tick themselves
    window.resize(*WH)
    window.show()
    window.tick()
    window.grab()
    return window


@pytest.fixture
def program() -> Program:
    return Program("front", zone=(YARD,), rule=("person@yard",))


@pytest.fixture
def window(qt_app: Any, program: Program) -> Iterator[CameraWindow]:
    made = opened(program)
    yield made
    made.close()
    made.deleteLater()
    qt_app.processEvents()


def editor_of(window: Any) -> Any:
    assert window._zones is not None and window._zones.isVisible()
    return window._zones


def at(x: float, y: float) -> QPoint:
    return QPoint(round(x * WH[0]), round(y * WH[1]))


def tap(window: Any, *points: tuple[float, float]) -> None:
    for point in points:
        QTest.mouseClick(editor_of(window), Qt.MouseButton.LeftButton, pos=at(*point))


def drag(window: Any, start: tuple[float, float], end: tuple[float, float]) -> None:
    editor, left = editor_of(window), Qt.MouseButton.LeftButton
    QTest.mousePress(editor, left, pos=at(*start))
    QTest.mouseMove(editor, at((start[0] + end[0]) / 2, (start[1] + end[1]) / 2))
    QTest.mouseMove(editor, at(*end))
    QTest.mouseRelease(editor, left, pos=at(*end))


def button(window: Any, word: str) -> ToolButton:
    found: ToolButton = next(b for b in editor_of(window).findChildren(ToolButton) if b.word == word)
    return found


def near(points: Any, wanted: Any) -> bool:
    """Within a pixel and a half."""
    return np.shape(points) == np.shape(wanted) and bool(np.allclose(points, wanted, atol=3e-3))


def push(window: Any, text: str) -> None:
    """A key on the screen, or a suggested name."""
    buttons = editor_of(window)._names.findChildren(QPushButton)
    QTest.mouseClick(
        next(b for b in buttons if b.text() == text and b.isVisible()), Qt.MouseButton.LeftButton
    )


def test_a_zone_is_drawn_named_and_holds_at_once(window: Any, program: Any) -> None:
    QTest.keyClick(window, Qt.Key.Key_Z)
    button(window, "zone").click()
    tap(window, (0.6, 0.5), (0.9, 0.5))
    drag(window, (0.8, 0.7), (0.9, 0.9))  # a corner is put right before the finger is lifted
    tap(window, (0.6, 0.9), (0.6, 0.5))
    assert near(program.zones()["zone"], [(0.6, 0.5), (0.9, 0.5), (0.9, 0.9), (0.6, 0.9)])
    names = editor_of(window)._names
    assert names.isVisible() and names.field.selectedText() == "zone"
    push(window, "g")
    push(window, "8")
    push(window, "OK")
    assert list(program.zones()) == ["yard", "g8"]
    # the name it had, and everything else of the others, is as it was
    assert program.rules.rules.zones[0].loitering == 2.0
    button(window, "name").click()
    push(window, "door")
    assert list(program.zones()) == ["yard", "door"]
    for _ in range(3):
        QTest.keyClick(window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert list(program.zones()) == ["yard"]


def test_corners_are_dragged_added_and_deleted(window: Any, program: Any) -> None:
    QTest.keyClick(window, Qt.Key.Key_Z)
    drag(window, (0.5, 0.6), (0.7, 0.8))
    assert near(program.zones()["yard"][2], (0.7, 0.8))
    drag(window, (0.3, 0.1), (0.3, 0.02))  # the dot on a side becomes a corner
    assert len(program.zones()["yard"]) == 5
    drag(window, (0.1, 0.6), (-0.5, 0.6))  # not beyond the picture
    assert near(program.zones()["yard"][4], (0.0, 0.6))
    QTest.keyClick(window, Qt.Key.Key_Delete)
    assert len(program.zones()["yard"]) == 4
    tap(window, (0.9, 0.9))
    tap(window, (0.35, 0.4))
    button(window, "use").click()
    assert program.rules.rules.zones[0].use == "motion"


def test_what_cannot_be_is_refused_in_the_settings_own_words(window: Any, program: Any) -> None:
    before = program.zones()
    QTest.keyClick(window, Qt.Key.Key_Z)
    drag(window, (0.1, 0.1), (0.7, 0.3))
    assert window._toast.isVisible() and "crosses itself" in window._toast.text
    assert program.zones() == before == {"yard": editor_of(window).draft.shapes[0].points}
    tap(window, (0.35, 0.4))
    button(window, "delete").click()
    assert "there is no zone 'yard'" in window._toast.text  # a rule waits for it
    button(window, "name").click()
    for letter in "front":
        push(window, letter)
    push(window, "OK")
    assert "has a camera's name" in window._toast.text
    assert program.zones() == before and editor_of(window).draft.can_undo is False


def test_a_line_is_drawn_turned_and_deleted(window: Any, program: Any) -> None:
    QTest.keyClick(window, Qt.Key.Key_Z)
    QTest.keyClick(window, Qt.Key.Key_L)
    tap(window, (0.6, 0.7), (0.9, 0.7))
    QTest.keyClick(window, Qt.Key.Key_Escape)  # the name
    (line,) = program.rules.rules.lines
    assert near(line.points, ((0.6, 0.7), (0.9, 0.7)))
    button(window, "turn").click()
    assert program.rules.rules.lines[0].points == line.points[::-1]
    button(window, "delete").click()
    assert program.rules.rules.lines == ()
    button(window, "undo").click()
    assert program.rules.rules.lines[0].points == line.points[::-1]


def test_escape_leaves_one_thing_at_a_time(window: Any, program: Any) -> None:
    QTest.keyClick(window, Qt.Key.Key_Z)
    QTest.keyClick(window, Qt.Key.Key_N)
    tap(window, (0.6, 0.7), (0.9, 0.7))
    QTest.keyClick(window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert near(editor_of(window).draft.drawing, [(0.6, 0.7)])
    QTest.keyClick(window, Qt.Key.Key_Escape)
    assert editor_of(window).draft.drawing is None
    QTest.keyClick(window, Qt.Key.Key_Escape)
    assert window._zones is not None and not window._zones.isVisible() and window.isVisible()
    QTest.keyClick(window, Qt.Key.Key_Escape)
    assert not window.isVisible() and list(program.zones()) == ["yard"]


def test_what_another_draws_meanwhile_is_seen(window: Any, program: Any) -> None:
    QTest.keyClick(window, Qt.Key.Key_Z)
    program.change(zone=[{**YARD, "points": [[0.2, 0.2], [0.4, 0.2], [0.4, 0.4]]}])
    window.tick()
    assert len(editor_of(window).draft.shapes[0].points) == 3


def test_one_of_several_cameras_fills_the_window_and_keeps_its_zones_to_itself(qt_app: Any) -> None:
    everywhere = {**YARD, "name": "sky"}
    program = Program("left", "right", zone=({**YARD, "camera": "left"}, everywhere))
    window = opened(program)
    QTest.keyClick(window, Qt.Key.Key_Z)
    editor = editor_of(window)
    before = editor.camera
    assert before is None
    rect = window.rect_of(1)
    middle = QPoint(round(rect.x + rect.w / 2), round(rect.y + rect.h / 2))
    QTest.mouseClick(editor, Qt.MouseButton.LeftButton, pos=middle)
    assert editor.camera == 1 and window.rect_of(1).w == WH[0]
    assert [shape.name for shape in editor.draft.shapes] == ["sky"]
    button(window, "zone").click()
    tap(window, (0.6, 0.3), (0.9, 0.3), (0.9, 0.6), (0.6, 0.3))
    cameras = {zone.name: zone.camera for zone in program.rules.rules.zones}
    assert cameras == {"yard": "left", "sky": "", "zone": "right"}
    QTest.keyClick(window, Qt.Key.Key_Escape)
    button(window, "cameras").click()
    assert editor.camera is None and window.rect_of(1).w < WH[0]
    QTest.keyClick(window, Qt.Key.Key_Z)
    window.close()
    window.deleteLater()
    qt_app.processEvents()


@pytest.mark.parametrize("size", [(320, 240), (480, 320), (800, 480), (1920, 1080)])
def test_everything_stays_on_the_screen_and_is_large_enough_for_a_finger(window: Any, size: Any) -> None:
    window.resize(*size)
    QTest.keyClick(window, Qt.Key.Key_Z)
    editor = editor_of(window)
    for _ in range(2):
        assert editor.rect().contains(editor._bar.geometry())
        assert all(b.width() >= 37 for b in editor._bar.items)
        QTest.keyClick(window, Qt.Key.Key_B)
    editor.draft.choose(0)
    editor.name()
    assert editor.rect().contains(editor._names.geometry())
    keys = [b for b in editor._names.findChildren(QPushButton) if len(b.text()) == 1]
    assert len(keys) == 39 and all(editor._names.rect().contains(key.geometry()) for key in keys)
