"""Touch-sized buttons over the picture, which fade away when they are not used. GUI thread only."""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtCore import (
    QEasingCurve,
    QRectF,
    QSize,
    Qt,
    QTimer,
    QVariantAnimation,
    pyqtSignal,
)
from PyQt6.QtGui import QColor, QPainter, QPaintEvent, QPalette
from PyQt6.QtWidgets import QAbstractButton, QSizePolicy, QToolTip, QWidget

from edgecam.overlay.scene_qt import font
from edgecam.ui.icons import draw_icon
from edgecam.ui.scaling import ui_scale

BUTTON_PX = 52  # logical; fingers need 44 or more (Apple's and WCAG 2.5.5's figure)
GAP_PX = 4
IDLE_MS = 3500
FADE_MS = 220
PANEL = QColor(14, 17, 23, 205)
HOVER = QColor(255, 255, 255, 34)
PRESSED = QColor(255, 255, 255, 64)


def dark_tips(window: QWidget) -> None:
    """Tooltips look like the bar, not like the desktop's yellow notes, and grow with ``window``."""
    look = QToolTip.palette()
    look.setColor(QPalette.ColorRole.ToolTipBase, QColor(PANEL.red(), PANEL.green(), PANEL.blue()))
    look.setColor(QPalette.ColorRole.ToolTipText, QColor(255, 255, 255))
    QToolTip.setPalette(look)
    QToolTip.setFont(font(max(11, round(13 * ui_scale(window))), False))


class IconButton(QAbstractButton):
    """A flat round button with a drawn icon, or a short text."""

    def __init__(self, icon: str, tip: str, command: Callable[[], object], parent: QWidget) -> None:
        super().__init__(parent)
        self.icon_name = icon
        self.setAccessibleName(tip)
        self.setToolTip(tip)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.set_side(BUTTON_PX)
        self.setMouseTracking(True)
        self.clicked.connect(lambda: command())

    def set_side(self, side_px: int) -> None:
        """Take this size, a square."""
        self.setFixedSize(side_px, side_px)

    def set_icon(self, icon: str) -> None:
        """Show another icon."""
        if icon != self.icon_name:
            self.icon_name = icon
            self.update()

    def paintEvent(self, _event: QPaintEvent | None) -> None:  # noqa: N802, D102
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        bar = self.parent()
        if isinstance(bar, ControlBar):
            painter.setOpacity(bar.opacity)
        if self.isDown() or self.underMouse():
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(PRESSED if self.isDown() else HOVER)
            radius = self.width() * 0.23
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(2, 2, -2, -2), radius, radius)
        draw_icon(painter, self.icon_name, QRectF(self.rect()))
        painter.end()


class Caption(QWidget):
    """Two short lines between buttons: a name and its value."""

    def __init__(self, name: str, parent: QWidget) -> None:
        super().__init__(parent)
        self._name = name
        self._value = ""
        self.set_side(BUTTON_PX)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setMouseTracking(True)

    def set_side(self, side_px: int) -> None:
        """Take this size, a square."""
        self.setFixedSize(side_px, side_px)

    @property
    def value(self) -> str:
        """The value shown."""
        return self._value

    def set_value(self, value: str) -> None:
        """Show another value."""
        if value != self._value:
            self._value = value
            self.update()

    def paintEvent(self, _event: QPaintEvent | None) -> None:  # noqa: N802, D102
        painter = QPainter(self)
        bar = self.parent()
        if isinstance(bar, ControlBar):
            painter.setOpacity(bar.opacity)
        area, scale = QRectF(self.rect()), self.width() / BUTTON_PX
        painter.setPen(QColor(255, 255, 255, 165))
        painter.setFont(font(max(8, round(11 * scale)), False))
        top = area.adjusted(0, 8 * scale, 0, -26 * scale)
        painter.drawText(top, Qt.AlignmentFlag.AlignCenter, self._name)
        painter.setPen(QColor(255, 255, 255))
        painter.setFont(font(max(10, round(16 * scale)), True))
        low = area.adjusted(0, 20 * scale, 0, -8 * scale)
        painter.drawText(low, Qt.AlignmentFlag.AlignCenter, self._value)
        painter.end()


class ControlBar(QWidget):
    """A row (or rows) of buttons at the window's foot. It comes with the mouse or a touch, and fades.

    ``awake`` tells when it comes (True) and when it is gone (False).
    """

    awake = pyqtSignal(bool)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._opacity = 0.0
        self._groups: list[tuple[IconButton | Caption, ...]] = []
        self.setMouseTracking(True)
        self.hide()
        self._idle = QTimer(self)
        self._idle.setSingleShot(True)
        self._idle.timeout.connect(self._fade_out)
        self._animation = QVariantAnimation(self)
        self._animation.valueChanged.connect(self._set_opacity)
        self._animation.setDuration(FADE_MS)
        self._animation.setEasingCurve(QEasingCurve.Type.OutCubic)
        self._animation.finished.connect(self._faded)

    @property
    def opacity(self) -> float:
        """0 (gone) to 1; the buttons follow it."""
        return self._opacity

    def add(self, *group: IconButton | Caption) -> None:
        """Append buttons and captions that always stand side by side."""
        self._groups.append(group)

    @property
    def items(self) -> list[IconButton | Caption]:
        """Everything that stands here, in order."""
        return [item for group in self._groups for item in group]

    def wake(self) -> None:
        """Show the bar, and start its idle time anew."""
        self._idle.start(IDLE_MS)
        if not self.isVisible():
            self.show()
            self.raise_()
            self.awake.emit(True)
        if self._animation.endValue() != 1.0 or self._opacity < 1.0:
            self._animate(1.0)

    def sleep(self) -> None:
        """Fade away now."""
        self._idle.stop()
        self._fade_out()

    def place(self, window: QSize) -> None:
        """Lay the buttons out for a window of this size, in as few rows as fit."""
        owner = self.parentWidget()
        scale = 1.0 if owner is None else ui_scale(owner)
        side, gap = round(BUTTON_PX * scale), round(GAP_PX * scale)
        rows = self._rows(max(1, (window.width() - 3 * gap) // (side + gap)))
        width = max(sum(len(group) for group in row) for row in rows) * (side + gap) + gap
        height = len(rows) * (side + gap) + gap
        for y, row in enumerate(rows):
            items = [item for group in row for item in group]
            left = (width - len(items) * (side + gap) + gap) // 2
            for x, item in enumerate(items):
                item.set_side(side)
                item.move(left + x * (side + gap), gap + y * (side + gap))
        foot = min(round(20 * scale), max(4, window.height() // 40))
        self.setGeometry((window.width() - width) // 2, window.height() - height - foot, width, height)

    def _rows(self, most: int) -> list[list[tuple[IconButton | Caption, ...]]]:
        """The groups in the fewest rows of at most ``most`` items, about equally long."""
        count = len(self.items)
        for rows in range(-(-count // most), len(self._groups) + 1):
            share = -(-count // rows)
            for length in range(share, most + 1):
                laid = self._laid(length)
                if len(laid) <= rows:
                    return laid
        return [[group] for group in self._groups]

    def _laid(self, length: int) -> list[list[tuple[IconButton | Caption, ...]]]:
        laid: list[list[tuple[IconButton | Caption, ...]]] = []
        free = 0
        for group in self._groups:
            if len(group) > free or not laid:
                laid.append([])
                free = length
            laid[-1].append(group)
            free -= len(group)
        return laid

    def paintEvent(self, _event: QPaintEvent | None) -> None:  # noqa: N802, D102
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setOpacity(self._opacity)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(PANEL)
        radius = min(self.width(), self.height()) * 0.27
        painter.drawRoundedRect(QRectF(self.rect()), min(radius, 48), min(radius, 48))
        painter.end()

    def _set_opacity(self, value: float) -> None:
        self._opacity = value
        self.update()

    def _fade_out(self) -> None:
        self._animate(0.0)

    def _animate(self, target: float) -> None:
        self._animation.stop()
        self._animation.setStartValue(self._opacity)
        self._animation.setEndValue(target)
        self._animation.start()

    def _faded(self) -> None:
        if self._opacity <= 0.0:
            self.hide()
            self.awake.emit(False)
