"""A line of text that comes and goes. GUI thread only."""

from __future__ import annotations

from PyQt6.QtCore import QRect, QRectF, Qt, QTimer
from PyQt6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPaintEvent
from PyQt6.QtWidgets import QWidget

from edgecam.overlay.scene_qt import font
from edgecam.ui.scaling import ui_scale


class Toast(QWidget):
    """A line of text that comes and goes: what a command did.

    above: it keeps above this one while that is to be seen.
    """

    def __init__(self, parent: QWidget, above: QWidget | None = None) -> None:
        super().__init__(parent)
        self._text = ""
        self._above = above
        self._scale = 1.0
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
        scale = self._scale = ui_scale(window)
        room = QRect(0, 0, max(80, window.width() - round(56 * scale)), 10_000)
        text = QFontMetrics(self._font()).boundingRect(room, self._flags(room.width()), self._text)
        width, height = text.width() + round(40 * scale), text.height() + round(24 * scale)
        foot = round(window.height() * 0.78)
        if self._above is not None and self._above.isVisible():
            foot = min(foot, self._above.y() - round(8 * scale))
        self.setGeometry((window.width() - width) // 2, max(4, foot - height), width, height)

    def _font(self) -> QFont:
        return font(max(11, round(16 * self._scale)), True)

    def _flags(self, width: int) -> int:
        """Break between words, or anywhere if a word (a path) is longer than the line."""
        metrics = QFontMetrics(self._font())
        fits = all(metrics.horizontalAdvance(word) <= width for word in self._text.split())
        wrap = Qt.TextFlag.TextWordWrap if fits else Qt.TextFlag.TextWrapAnywhere
        return int(Qt.AlignmentFlag.AlignCenter) | int(wrap)

    def paintEvent(self, _event: QPaintEvent | None) -> None:  # noqa: N802, D102
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(14, 17, 23, 225))
        painter.drawRoundedRect(QRectF(self.rect()), 12 * self._scale, 12 * self._scale)
        painter.setPen(QColor(255, 255, 255))
        painter.setFont(self._font())
        side = round(18 * self._scale)
        area = self.rect().adjusted(side, 4, -side, -4)
        painter.drawText(area, self._flags(area.width()), self._text)
        painter.end()
