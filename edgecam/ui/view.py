"""Shows the newest result, painted at the screen's rate: the window without its commands. GUI thread only."""

from __future__ import annotations

from dataclasses import replace

from PyQt6.QtCore import Qt, QTimer
from PyQt6.QtGui import QCloseEvent, QColor, QGuiApplication, QPainter, QPaintEvent, QResizeEvent
from PyQt6.QtWidgets import QWidget

from edgecam.clock import now_ns
from edgecam.overlay.compose import compose
from edgecam.overlay.scene import Scene, View
from edgecam.overlay.scene_qt import paint_qt
from edgecam.types import Result, Stats
from edgecam.ui.controller import Controller, WindowOptions
from edgecam.ui.picture import Picture

# Figures that change faster than this cannot be read
STATS_EVERY_NS = 250_000_000
# With a notice, and nothing new for so long, the picture must not pass for a live one
STALE_AFTER_NS = 1_500_000_000
FALLBACK_HZ = 60.0
BLACK = QColor(0, 0, 0)


class ResultView(QWidget):
    """Looks for a new result at the screen's rate, lays its overlay out, and paints it once."""

    def __init__(self, controller: Controller, options: WindowOptions) -> None:
        super().__init__()
        self._controller = controller
        self._options = options
        self._result: Result | None = None
        self._stats = Stats()
        self._stats_ns = 0
        self._style = options.style
        self._scene: Scene | None = None
        self._fresh = False
        self._arrived_ns = 0
        self._paused = False
        self._picture = Picture()
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self.tick)
        self._timer.start(max(4, int(1000 / self._rate_hz())))

    @property
    def scene(self) -> Scene | None:
        """The overlay as it was last laid out."""
        return self._scene

    @property
    def paused(self) -> bool:
        """Whether the picture stands still by the person's wish."""
        return self._paused

    def tick(self) -> None:
        """Look for something new; ask for a repaint only if there is."""
        if self._controller.finished():
            self.close()
            return
        latest = self._result if self._paused else self._controller.latest()
        fresh = latest is not self._result
        now = now_ns()
        due = now - self._stats_ns >= STATS_EVERY_NS
        if not (fresh or due or self._scene is None or self._options.max_age_ns is not None):
            return
        if due:
            self._stats, self._stats_ns = self._controller.stats(), now
            self._style = replace(self._style, recording=self._controller.is_recording())
            self.refreshed(self._style.recording)
        if fresh:
            self._arrived_ns = now
        self._result, self._fresh = latest, self._fresh or fresh
        self._layout_scene(repaint=fresh)

    def _layout_scene(self, repaint: bool) -> None:
        ratio = self.devicePixelRatioF()
        canvas = max(1, round(self.width() * ratio)), max(1, round(self.height() * ratio))
        view = None if self._result is None else View.letterbox(self._result.frame.size_wh, canvas)
        waited = not self._paused and now_ns() - self._arrived_ns > STALE_AFTER_NS
        stale = bool(self._stats.notice) and waited
        stats = self._stats
        limit_ns = self._options.max_age_ns
        if limit_ns is not None and self._result is not None and not self._paused:
            age_ns = now_ns() - self._result.frame.captured_ns
            if age_ns > limit_ns:
                # A contract: an older picture is not shown as a current one.
                stale = True
                stats = replace(stats, notice=stats.notice or f"older than {limit_ns / 1e6:.0f} ms")
        scene = compose(self._result, stats, self._style, canvas, view, stale=stale)
        if repaint or scene != self._scene:
            self._scene = scene
            self.update()

    def paintEvent(self, _event: QPaintEvent | None) -> None:  # noqa: N802, D102
        painter = QPainter(self)
        try:
            self._paint(painter)
        finally:  # Qt aborts if a painter outlives an exception
            painter.end()
        if self._fresh and self._result is not None:
            self._fresh = False
            self._controller.displayed(self._result, now_ns())

    def _paint(self, painter: QPainter) -> None:
        scene, ratio = self._scene, self.devicePixelRatioF()
        painter.scale(1 / ratio, 1 / ratio)
        if scene is None or self._result is None or (scene.view.w, scene.view.h) != scene.canvas_wh:
            painter.fillRect(0, 0, round(self.width() * ratio) + 1, round(self.height() * ratio) + 1, BLACK)
        if scene is not None:
            if self._result is not None:
                self._picture.draw(self._result.frame, scene, painter)
            paint_qt(scene, painter)

    def _rate_hz(self) -> float:
        if self._options.refresh_hz is not None:
            return self._options.refresh_hz
        screen = self.screen() or QGuiApplication.primaryScreen()
        rate = screen.refreshRate() if screen else 0.0
        return rate if rate >= 10.0 else FALLBACK_HZ

    def refreshed(self, recording: bool) -> None:
        """Figures were read anew; for those who show them elsewhere too."""

    def resizeEvent(self, _event: QResizeEvent | None) -> None:  # noqa: N802, D102
        self._layout_scene(repaint=True)

    def closeEvent(self, event: QCloseEvent | None) -> None:  # noqa: N802, D102
        self._timer.stop()
        super().closeEvent(event)
