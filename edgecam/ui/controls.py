"""Touch-sized buttons over the picture, which fade away when nobody needs them. GUI thread only."""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtCore import (
    QEasingCurve,
    QRect,
    QRectF,
    QSize,
    Qt,
    QTimer,
    QVariantAnimation,
    pyqtSignal,
)
from PyQt6.QtGui import QColor, QFontMetrics, QPainter, QPaintEvent
from PyQt6.QtWidgets import QAbstractButton, QSizePolicy, QWidget

from edgecam.overlay.scene_qt import font
from edgecam.ui.icons import draw_icon

BUTTON_PX = 52  # logical; fingers need 44 or more (Apple's and WCAG 2.5.5's figure)
GAP_PX = 4
IDLE_MS = 3500
FADE_MS = 220
PANEL = QColor(14, 17, 23, 205)
HOVER = QColor(255, 255, 255, 34)
PRESSED = QColor(255, 255, 255, 64)


class IconButton(QAbstractButton):
    """A flat round button with a drawn icon, or a short text."""

    def __init__(self, icon: str, tip: str, command: Callable[[], object], parent: QWidget) -> None:
        super().__init__(parent)
        self.icon_name = icon
        self.setAccessibleName(tip)
        self.setToolTip(tip)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setFixedSize(BUTTON_PX, BUTTON_PX)
        self.setMouseTracking(True)
        self.clicked.connect(lambda: command())

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
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(2, 2, -2, -2), 12, 12)
        draw_icon(painter, self.icon_name, QRectF(self.rect()))
        painter.end()


class Caption(QWidget):
    """Two short lines between buttons: a name and its value."""

    def __init__(self, name: str, parent: QWidget) -> None:
        super().__init__(parent)
        self._name = name
        self._value = ""
        self.setFixedSize(BUTTON_PX, BUTTON_PX)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setMouseTracking(True)

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
        painter.setPen(QColor(255, 255, 255, 165))
        painter.setFont(font(11, False))
        area = QRectF(self.rect())
        painter.drawText(area.adjusted(0, 8, 0, -26), Qt.AlignmentFlag.AlignCenter, self._name)
        painter.setPen(QColor(255, 255, 255))
        painter.setFont(font(16, True))
        painter.drawText(area.adjusted(0, 20, 0, -8), Qt.AlignmentFlag.AlignCenter, self._value)
        painter.end()


class ControlBar(QWidget):
    """A row (or rows) of buttons at the window's foot. It comes with the mouse or a touch, and fades.

    ``awake`` tells when it comes (True) and when it is gone (False).
    """

    awake = pyqtSignal(bool)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._opacity = 0.0
        self._items: list[QWidget] = []
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

    def add(self, item: QWidget) -> None:
        """Append a button or caption."""
        self._items.append(item)

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
        count = len(self._items)
        step = BUTTON_PX + GAP_PX
        per_row = max(1, min(count, (window.width() - 3 * GAP_PX) // step))
        rows = -(-count // per_row)
        per_row = -(-count // rows)
        width, height = per_row * step + GAP_PX, rows * step + GAP_PX
        for i, item in enumerate(self._items):
            row, column = divmod(i, per_row)
            in_row = min(per_row, count - row * per_row)
            left = (width - in_row * step + GAP_PX) // 2
            item.move(left + column * step, GAP_PX + row * step)
        foot = min(20, max(4, window.height() // 40))
        self.setGeometry((window.width() - width) // 2, window.height() - height - foot, width, height)

    def paintEvent(self, _event: QPaintEvent | None) -> None:  # noqa: N802, D102
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setOpacity(self._opacity)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(PANEL)
        painter.drawRoundedRect(QRectF(self.rect()), 16, 16)
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


class Toast(QWidget):
    """A line of text that comes and goes: what a command did."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._text = ""
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.hide()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.hide)

    @property
    def text(self) -> str:
        """The line shown last."""
        return self._text

    def say(self, text: str, for_ms: int | None = 2600) -> None:
        """Show ``text`` for some time, or until the next if ``for_ms`` is None."""
        self._text = text
        self._timer.stop()
        self.place()
        self.show()
        self.raise_()
        self.update()
        if for_ms is not None:
            self._timer.start(for_ms)

    def place(self) -> None:
        """Fit the text into the window, in the middle of its lower half."""
        window = self.parentWidget()
        assert window is not None
        room = QRect(0, 0, max(80, window.width() - 56), 10_000)
        text = QFontMetrics(font(16, True)).boundingRect(room, self._flags(room.width()), self._text)
        width, height = text.width() + 40, text.height() + 24
        y = round(window.height() * 0.78) - height
        self.setGeometry((window.width() - width) // 2, max(4, y), width, height)

    def _flags(self, width: int) -> int:
        """Break between words, or anywhere if a word (a path) is longer than the line."""
        metrics = QFontMetrics(font(16, True))
        fits = all(metrics.horizontalAdvance(word) <= width for word in self._text.split())
        wrap = Qt.TextFlag.TextWordWrap if fits else Qt.TextFlag.TextWrapAnywhere
        return int(Qt.AlignmentFlag.AlignCenter) | int(wrap)

    def paintEvent(self, _event: QPaintEvent | None) -> None:  # noqa: N802, D102
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(14, 17, 23, 225))
        painter.drawRoundedRect(QRectF(self.rect()), 12, 12)
        painter.setPen(QColor(255, 255, 255))
        painter.setFont(font(16, True))
        area = self.rect().adjusted(18, 4, -18, -4)
        painter.drawText(area, self._flags(area.width()), self._text)
        painter.end()
