"""The editor's buttons: they stay while it is open, at either edge of the window. GUI thread only."""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtCore import QRectF, QSize, Qt
from PyQt6.QtGui import QColor, QPainter, QPaintEvent
from PyQt6.QtWidgets import QWidget

from edgecam.overlay.scene_qt import font
from edgecam.ui.controls import BUTTON_PX, HOVER, PRESSED, ControlBar, IconButton
from edgecam.ui.icons import draw_icon
from edgecam.ui.zones.commands import Commands
from edgecam.ui.zones.draft import Draft

#: Opacity of a button that can do nothing now.
DIM = 0.3


class ToolButton(IconButton):
    """An icon with a word beneath it, for a screen without a pointer to hover with."""

    def __init__(
        self, icon: str, word: str, tip: str, command: Callable[[], object], parent: QWidget
    ) -> None:
        super().__init__(icon, tip, command, parent)
        self._word = word

    @property
    def word(self) -> str:
        """What stands beneath the icon."""
        return self._word

    def show_as(self, icon: str, word: str, enabled: bool) -> None:
        """Take another icon and word, and be usable or not."""
        self.set_icon(icon)
        if word != self._word:
            self._word = word
            self.update()
        self.setEnabled(enabled)

    def paintEvent(self, _event: QPaintEvent | None) -> None:  # noqa: N802, D102
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setOpacity(1.0 if self.isEnabled() else DIM)
        area, scale = QRectF(self.rect()), self.width() / BUTTON_PX
        if self.isEnabled() and (self.isDown() or self.underMouse()):
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(PRESSED if self.isDown() else HOVER)
            painter.drawRoundedRect(area.adjusted(2, 2, -2, -2), 12 * scale, 12 * scale)
        draw_icon(painter, self.icon_name, area.adjusted(0, 4 * scale, 0, -15 * scale), share=0.62)
        painter.setPen(QColor(255, 255, 255, 210))
        painter.setFont(font(max(9, round(11.5 * scale)), False))
        foot = area.adjusted(-2, 32 * scale, 2, -3 * scale)
        painter.drawText(foot, Qt.AlignmentFlag.AlignCenter, self._word)
        painter.end()


class EditorBar(ControlBar):
    """A bar that does not fade. raised: at the window's upper edge. several: there is a camera to choose."""

    def __init__(self, parent: QWidget, commands: Commands, *, several: bool) -> None:
        super().__init__(parent)
        self._set_opacity(1.0)
        self.raised = False
        do = commands
        self._zone = ToolButton("zones", "zone", "Draw a zone (N)", lambda: do.begin(line=False), self)
        self._line = ToolButton("line", "line", "Draw a line (L)", lambda: do.begin(line=True), self)
        self._undo = ToolButton("undo", "undo", "Take back (Ctrl+Z)", do.undo, self)
        self._bin = ToolButton("bin", "delete", "Delete corner or zone (Del)", do.delete, self)
        self._turn = ToolButton("turn", "use", "Other use, other direction (T)", do.turn, self)
        self._name = ToolButton("name", "name", "Name (E)", do.name, self)
        self._edge = ToolButton("up", "move", "Buttons at the other edge (B)", do.move_bar, self)
        tools = [self._zone, self._line, self._undo, self._bin, self._turn, self._name, self._edge]
        if several:
            tools.append(ToolButton("tiles", "cameras", "Another camera", do.choose_camera, self))
        tools.append(ToolButton("check", "done", "Done (Esc)", do.close_editor, self))
        for button in tools:
            self.add(button)
        self.show()

    def follow(self, draft: Draft, *, here: bool) -> None:
        """Show what each button would do now. here: a camera is chosen."""
        drawing, shape = draft.drawing, draft.shape
        zone = drawing is not None and not draft.line
        self._zone.show_as("check" if zone else "zones", "close" if zone else "zone", here)
        self._line.show_as("line", "line", here)
        self._undo.setEnabled(draft.can_undo)
        corner = shape is not None and draft.corner is not None and not shape.line
        self._bin.show_as("bin", "corner" if corner else "delete", shape is not None or drawing is not None)
        self._turn.show_as("turn", "turn" if shape is not None and shape.line else "use", shape is not None)
        self._name.setEnabled(shape is not None)
        self._edge.show_as("down" if self.raised else "up", "move", True)

    def place(self, window: QSize) -> None:
        """See :meth:`edgecam.ui.controls.ControlBar.place`."""
        super().place(window)
        if self.raised:
            self.move(self.x(), window.height() - self.y() - self.height())
