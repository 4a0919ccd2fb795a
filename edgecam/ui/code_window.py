"""The window of ``edgecam latency-test``: the changing code, and small, the camera's picture of it."""

from __future__ import annotations

from typing import Any

from PyQt6.QtCore import QRect, Qt, QTimer
from PyQt6.QtGui import QCloseEvent, QColor, QImage, QKeyEvent, QPainter, QPaintEvent
from PyQt6.QtWidgets import QWidget

from edgecam.core.clock import now_ns
from edgecam.core.types import Result
from edgecam.overlay.scene import Scene, View
from edgecam.overlay.scene_qt import font
from edgecam.ui.controller import CodeMeasurement, Controller, WindowOptions
from edgecam.ui.picture import Picture

TICK_MS = (
    4  # a quarter of a 60 Hz screen's period: looking costs nothing, and adds two milliseconds on average
)
#: Of the window's height: the line of text at its foot, the code above it, the camera's picture beside it.
FOOT_SHARE, CODE_SHARE, INSET_SHARE = 0.08, 0.86, 0.2
WHITE, INK = QColor(255, 255, 255), QColor(16, 18, 24)
LOOKING = "looking for the code: point the camera at this screen (Esc ends)"


class CodeWindow(QWidget):
    """Paints codes and results, and tells ``measurement`` when it has. GUI thread only."""

    def __init__(self, controller: Controller, options: WindowOptions, measurement: CodeMeasurement) -> None:
        super().__init__()
        self._controller = controller
        self._options = options
        self._measurement = measurement
        self._serial = -1
        self._code_is_new = self._result_is_new = False
        self._result: Result | None = None
        self._image = QImage()
        self._pixels = measurement.draw(0, 64)
        self._picture = Picture()
        self._text = LOOKING
        self.setWindowTitle(options.title)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setCursor(Qt.CursorShape.BlankCursor)
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self.tick)
        self._timer.start(TICK_MS)

    def open(self) -> None:
        """Show it: full screen, or as a window of 900 by 700."""
        self.resize(900, 700)
        if self._options.fullscreen:
            self.showFullScreen()
            screen = self.screen()
            if screen is not None:  # an X server without a window manager too
                self.setGeometry(screen.geometry())
        else:
            self.show()

    def tick(self) -> None:
        """Change the code when its time has come, and show a result that is new."""
        if self._controller.finished():
            self.close()
            return
        serial = self._measurement.code(now_ns())
        if serial != self._serial:
            self._serial, self._code_is_new = serial, True
            self._text = self._line()
            self.update(self._code_area())
            self.update(self._foot_area())
        result = self._controller.results()[0]
        if result is not self._result:
            self._result, self._result_is_new = result, True
            self.update(self._inset_area())

    def _line(self) -> str:
        if not self._measurement.sees:
            return LOOKING
        report = self._measurement.report()
        if not report.changes:
            return "the code is seen"
        return f"glass to glass: p50 {report.total_p50_ms:.0f} ms, {report.changes} changes seen"

    def _code_area(self) -> QRect:
        side = round(min(self.height() * CODE_SHARE, self.width() * (1 - INSET_SHARE)))
        return QRect(
            (self.width() - side) // 2, round(self.height() * (1 - FOOT_SHARE) - side) // 2, side, side
        )

    def _foot_area(self) -> QRect:
        foot = round(self.height() * FOOT_SHARE)
        return QRect(0, self.height() - foot, self.width(), foot)

    def _inset_area(self) -> QRect:
        # beneath the code's margin, never over the code itself
        room = self._code_area().left() - 8
        width = max(1, min(room, round(self.height() * INSET_SHARE)))
        return QRect(4, self._foot_area().top() - width, width, width)

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802, D102
        area = self.rect() if event is None else event.rect()
        painter = QPainter(self)
        try:
            painter.fillRect(area, WHITE)
            if area.intersects(self._code_area()):
                self._paint_code(painter)
            if self._result is not None and area.intersects(self._inset_area()):
                self._paint_inset(self._result, painter)
            painter.setPen(INK)
            painter.setFont(font(max(11, self._foot_area().height() // 3), True))
            painter.drawText(self._foot_area(), int(Qt.AlignmentFlag.AlignCenter), self._text)
        finally:  # Qt aborts if a painter outlives an exception
            painter.end()
        painted_ns = now_ns()
        if self._code_is_new and area.intersects(self._code_area()):
            self._code_is_new = False
            self._measurement.shown(self._serial, painted_ns)
        if self._result_is_new and self._result is not None and area.intersects(self._inset_area()):
            self._result_is_new = False
            self._controller.displayed(self._result, painted_ns)
            # after this event, so that its milliseconds delay no painting that is under way
            QTimer.singleShot(0, lambda r=self._result: self._measurement.seen(r, painted_ns))

    def _paint_code(self, painter: QPainter) -> None:
        area, ratio = self._code_area(), self.devicePixelRatioF()
        self._pixels = self._measurement.draw(self._serial, round(area.width() * ratio))
        height, width = self._pixels.shape
        data: Any = self._pixels.data  # PyQt6's stubs name bytes only; any buffer will do, and is not copied
        self._image = QImage(data, width, height, width, QImage.Format.Format_Grayscale8)
        self._image.setDevicePixelRatio(ratio)
        painter.drawImage(area.topLeft(), self._image)

    def _paint_inset(self, result: Result, painter: QPainter) -> None:
        area = self._inset_area()
        view = View(area.x(), area.y(), area.width(), area.height()).fitted(result.frame.size_wh)
        self._picture.draw(result.frame, Scene((self.width(), self.height()), view), painter)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:  # noqa: N802, D102
        if event is not None and event.key() in (Qt.Key.Key_Q, Qt.Key.Key_Escape):
            self.close()

    def closeEvent(self, event: QCloseEvent | None) -> None:  # noqa: N802, D102
        self._timer.stop()
        super().closeEvent(event)
