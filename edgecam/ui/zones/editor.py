"""Draws zones and lines on the window, with a finger or a mouse; they hold at once. GUI thread only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from PyQt6.QtCore import QRectF, Qt
from PyQt6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PyQt6.QtWidgets import QWidget

from edgecam.core.areas import Point
from edgecam.core.errors import EdgecamError
from edgecam.core.naming import short
from edgecam.core.state import State
from edgecam.ui.controller import Controller
from edgecam.ui.scaling import ui_scale
from edgecam.ui.zones.bar import EditorBar
from edgecam.ui.zones.commands import keys_of
from edgecam.ui.zones.draft import CHOOSE, SUGGESTED, Draft, Shape, hint_of
from edgecam.ui.zones.naming import NamePanel
from edgecam.ui.zones.paint import paint_draft, paint_hint
from edgecam.ui.zones.reach import PictureRect
from edgecam.ui.zones.saving import areas_in, names_taken, save, shapes_on
from edgecam.ui.zones.touch import Touch

#: A finger means a corner within this many logical pixels at the design size, and never less than the second.
REACH_PX, REACH_LEAST_PX = 26, 22


class Pictures(Protocol):
    """The window's pictures, as the editor needs them."""

    def rect_of(self, camera: int) -> PictureRect:
        """Where a camera's picture stands, in logical pixels."""

    def draw_zones(self, camera: int | None, *, drawing: bool) -> None:
        """Fill the window with one camera's picture, None: show all; ``drawing``: without their zones."""


class ZoneEditor(QWidget):
    """Covers the window while zones are drawn. ``open_editor`` and ``close_editor`` show and hide it.

    camera: the number of the one whose zones are drawn; None while one of several is still to be chosen.
    """

    def __init__(
        self, parent: QWidget, controller: Controller, pictures: Pictures, say: Callable[[str], object]
    ) -> None:
        super().__init__(parent)
        self._controller, self._pictures, self._say = controller, pictures, say
        self.draft = Draft()
        self.camera: int | None = None
        self._touch = Touch(self.draft)
        self._drawn: tuple[object, object] = (None, None)
        self.hide()
        self.setCursor(Qt.CursorShape.CrossCursor)
        self._names = NamePanel(self, self._rename)
        self._names.closed.connect(self._name_given)
        self._keys = keys_of(self)
        self._bar = EditorBar(self, self, several=self._several)

    @property
    def _several(self) -> bool:
        return len(self._controller.state().sources) > 1

    # -- open and close

    def open_editor(self) -> None:
        """Begin, with the only camera's zones, or with the choice of a camera."""
        self._take(None if self._several else 0)
        self.show()
        self.raise_()
        self.place()

    def close_editor(self) -> None:
        """Close the editor; what is not finished is dropped."""
        self._names.hide()
        self.hide()
        self._take(None)

    def place(self) -> None:
        """Cover the window, whatever its size is now."""
        window = self.parentWidget()
        assert window is not None
        self.setGeometry(window.rect())
        self._bar.place(window.size())
        if self._names.isVisible():
            self._names.place(window.size())

    def refreshed(self, state: State) -> None:
        """Take over zones and lines that were changed elsewhere."""
        drawn = areas_in(state)
        if self.camera is not None and drawn != self._drawn and not self._touch.holding:
            self._drawn = drawn
            self.draft.renew(shapes_on(state, self.camera))
            self._shown()

    def _take(self, camera: int | None) -> None:
        state = self._controller.state()
        self.camera, self._drawn = camera, areas_in(state)
        several = len(state.sources) > 1
        self._pictures.draw_zones(camera if several else None, drawing=camera is not None)
        self.draft = Draft()
        if camera is not None:
            owner = short(state.sources[camera].name) if several else ""
            self.draft = Draft(shapes_on(state, camera), owner)
        self._touch = Touch(self.draft)
        self._shown()

    # -- commands

    def choose_camera(self) -> None:
        """Show all cameras, one of which is to be chosen."""
        self._take(None)

    def begin(self, *, line: bool) -> None:
        """Draw a zone or a line; finish it if one is being drawn."""
        if self.draft.drawing is not None and self.draft.line == line:
            self.finish()
        elif self.camera is not None:
            self.draft.begin(line=line)
            self._shown()

    def finish(self) -> None:
        """Make a shape of what is drawn; it is in use at once, and its name is asked for."""
        draft = self.draft
        if draft.drawing is None:
            return
        if self._save(draft.finished(names_taken(self._controller.state()))):
            draft.drawing = None
            draft.choose(len(draft.shapes) - 1)
            self._shown()
            self.name()
        elif draft.line:
            draft.drawing = []

    def undo(self) -> None:
        """Take the last corner, or the last change, back."""
        draft = self.draft
        if draft.drawing is not None:
            if draft.drawing:
                draft.drawing.pop()
            else:
                draft.drawing = None
        else:
            now = draft.shapes
            if draft.back() and not self._tell(draft.shapes):
                draft.put(now)
        self._shown()

    def delete(self) -> None:
        """Delete the chosen corner; the chosen shape if no corner is."""
        draft = self.draft
        if draft.drawing is not None:
            draft.drawing = None
        elif draft.shape is not None:
            lone = draft.corner is None or draft.shape.line
            if self._save(draft.without_shape() if lone else draft.without_corner()):
                draft.choose(None if lone else draft.chosen)
        self._shown()

    def turn(self) -> None:
        """Reverse a line's direction, or give a zone its next use."""
        shape = self.draft.shape
        if shape is not None:
            self._save(self.draft.turned() if shape.line else self.draft.used_otherwise())
            self._shown()

    def name(self) -> None:
        """Ask for the chosen shape's name."""
        shape = self.draft.shape
        if shape is not None:
            used = {s.name for s in self.draft.shapes}
            offers = [f"{name}-line" if shape.line else name for name in SUGGESTED]
            self._names.ask(shape.name, [name for name in offers if name not in used], self.size())
            self._shown()

    def _name_given(self) -> None:
        window = self.parentWidget()
        assert window is not None
        window.setFocus()
        self._shown()

    def _rename(self, name: str) -> None:
        shape = self.draft.shape
        if shape is not None and name != shape.name:
            self._save(self.draft.named(name))
            self._shown()

    def move_bar(self) -> None:
        """Move the buttons to the other edge, so that what is beneath them can be touched."""
        self._bar.raised = not self._bar.raised
        self._shown()
        self.place()

    def escape(self) -> None:
        """Leave the name, what is being drawn, or the editor: the first of these that is open."""
        if self._names.isVisible():
            self._names.close_panel()
        elif self.draft.drawing is not None:
            self.draft.drawing = None
            self._shown()
        else:
            self.close_editor()

    def key(self, event: QKeyEvent) -> bool:
        """Do what the key stands for; False if it stands for nothing here."""
        control = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        command = self._keys.get((event.key(), control)) if self.isVisible() else None
        if command is not None:
            command()
        return command is not None

    # -- what is drawn becomes what holds

    def _save(self, shapes: tuple[Shape, ...]) -> bool:
        """Put these shapes into use; if they are refused, say why and keep those before."""
        if not self._tell(shapes):
            return False
        self.draft.put(shapes)
        return True

    def _tell(self, shapes: Sequence[Shape]) -> bool:
        try:
            save(self._controller, self.camera or 0, shapes)
        except EdgecamError as error:
            self._say(str(error))
            return False
        self._drawn = areas_in(self._controller.state())
        return True

    # -- Qt's events

    def mousePressEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802, D102
        if event is None:
            return
        at = (event.position().x(), event.position().y())
        if self._names.isVisible():
            self._names.close_panel()
        elif self.camera is None:
            self._choose_at(at)
        else:
            self._touch.press(at, self._pictures.rect_of(self.camera), self._reach())
        self._shown()

    def mouseDoubleClickEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802, D102
        self.mousePressEvent(event)  # two corners in a quick row

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802, D102
        if event is not None and self.camera is not None and self._touch.holding:
            at = (event.position().x(), event.position().y())
            self._touch.move(at, self._pictures.rect_of(self.camera), self._reach())
            self._shown()

    def mouseReleaseEvent(self, _event: QMouseEvent | None) -> None:  # noqa: N802, D102
        after = self._touch.release()
        if after == "finish":
            self.finish()
        elif after == "save":
            self._save(self._touch.shapes)
        self._shown()

    def _choose_at(self, at: Point) -> None:
        for camera in range(len(self._controller.state().sources)):
            rect = self._pictures.rect_of(camera)
            if rect.x <= at[0] < rect.x + rect.w and rect.y <= at[1] < rect.y + rect.h:
                self._take(camera)
                return

    def _reach(self) -> float:
        return max(REACH_LEAST_PX, REACH_PX * ui_scale(self))

    # -- what is seen

    def _shown(self) -> None:
        """Buttons and picture follow the draft."""
        self._bar.follow(self.draft, here=self.camera is not None)
        self._bar.setVisible(not self._names.isVisible() and not (self._touch.holding and self._touch.moved))
        self.update()

    def paintEvent(self, _event: QPaintEvent | None) -> None:  # noqa: N802, D102
        painter = QPainter(self)
        try:
            scale = ui_scale(self)
            if self.camera is None:
                painter.fillRect(self.rect(), QColor(0, 0, 0, 90))
            else:
                paint_draft(painter, self.draft, self._pictures.rect_of(self.camera), scale)
            if self._bar.isVisible():
                text = CHOOSE if self.camera is None else hint_of(self.draft)
                paint_hint(painter, text, QRectF(self.rect()), not self._bar.raised, scale)
        finally:
            painter.end()
