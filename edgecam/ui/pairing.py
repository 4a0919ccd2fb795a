"""Shows the QR code that lets a phone in, on the board's own screen: whoever stands before it may come in."""

from __future__ import annotations

import contextlib

from PyQt6.QtCore import QRectF, QSize, Qt, QTimer
from PyQt6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent
from PyQt6.QtWidgets import QWidget

from edgecam.core.errors import EdgecamError
from edgecam.overlay.scene_qt import font
from edgecam.ui.controller import PairingCode
from edgecam.ui.panels import Panel

SIDE_PX, EDGE_PX, LINE_PX = 300, 26, 26
#: How often it looks whether the code is still good.
LOOK_MS = 2000


class PairPanel(Panel):
    """A QR code with what it is for above, and its address below.

    A click closes it, and so does the phone that comes in by it: a kiosk has nobody who clicks.
    """

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._code = PairingCode("", ())
        self._looking = QTimer(self)
        self._looking.setInterval(LOOK_MS)
        self._looking.timeout.connect(self.look)

    def fill(self, code: PairingCode, window: QSize) -> None:
        """Show another code, in the middle of a window of this size."""
        self._code = code
        self._looking.start()
        self.setAccessibleName(f"QR code: {code.address}")
        self.place(window)
        self.update()

    def look(self) -> None:
        """Whether the code is still good: another one where it is over, nothing where it was used."""
        if not self.isVisible():
            self._looking.stop()
            return
        state = self._code.state()
        owner = self.parentWidget()
        if state == "over" and self._code.renew is not None and owner is not None:
            with contextlib.suppress(EdgecamError):  # it is tried again
                self.fill(self._code.renew(), owner.size())
        elif state != "waits":
            self.close_panel()

    def sizeHint(self) -> QSize:  # noqa: N802, D102
        scale = self.scale()
        return QSize(
            round((SIDE_PX + 2 * EDGE_PX) * scale), round((SIDE_PX + 2 * EDGE_PX + 3.4 * LINE_PX) * scale)
        )

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802, D102
        super().paintEvent(event)
        scale = min(
            self.width() / (SIDE_PX + 2 * EDGE_PX), self.height() / (SIDE_PX + 2 * EDGE_PX + 3.4 * LINE_PX)
        )
        edge, line = EDGE_PX * scale, LINE_PX * scale
        painter = QPainter(self)
        painter.setPen(QColor(255, 255, 255, 235))
        painter.setFont(font(max(11, round(19 * scale)), True))
        width = self.width() - 2 * edge
        painter.drawText(
            QRectF(edge, edge * 0.7, width, line), Qt.AlignmentFlag.AlignCenter, "The page on a phone"
        )
        side = min(width, SIDE_PX * scale)
        area = QRectF((self.width() - side) / 2, edge + line * 1.2, side, side)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(255, 255, 255))
        painter.drawRoundedRect(area, 10 * scale, 10 * scale)
        rows = self._code.rows
        if rows:
            cell = int(
                side // (len(rows) + 8)
            )  # four cells of quiet on each side; whole pixels, so that it reads
            left = area.left() + (side - cell * len(rows)) / 2
            top = area.top() + (side - cell * len(rows)) / 2
            for y, row in enumerate(rows):
                for x, dark in enumerate(row):
                    if dark == "1":
                        painter.fillRect(
                            QRectF(left + x * cell, top + y * cell, cell, cell), QColor(16, 18, 24)
                        )
        painter.setPen(QColor(255, 255, 255, 190))
        painter.setFont(font(max(10, round(13 * scale)), False))
        words = f"{self._code.address}\ngood once, for ten minutes"
        painter.drawText(
            QRectF(edge / 2, area.bottom() + line * 0.3, self.width() - edge, line * 1.8),
            Qt.AlignmentFlag.AlignCenter,
            words,
        )
        painter.end()

    def mousePressEvent(self, _event: QMouseEvent | None) -> None:  # noqa: N802, D102
        self.close_panel()
