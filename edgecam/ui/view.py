"""Shows the newest results at the screen's rate: the window without its commands. GUI thread only."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import cast

from PyQt6.QtCore import QRect, QRectF, Qt, QTimer
from PyQt6.QtGui import QCloseEvent, QColor, QGuiApplication, QPainter, QPaintEvent, QResizeEvent
from PyQt6.QtWidgets import QWidget

from edgecam.core.clock import now_ns
from edgecam.core.state import SourceState, State
from edgecam.core.types import Result, Stats
from edgecam.core.units import days_text
from edgecam.overlay.compose import compose, compose_shared
from edgecam.overlay.label_placement import LabelMemory
from edgecam.overlay.scene import Scene, View
from edgecam.overlay.scene_qt import paint_qt
from edgecam.overlay.style import AreasShown, Level, Style
from edgecam.overlay.tiles import tiles as cells_of
from edgecam.ui.controller import Controller, WindowOptions
from edgecam.ui.picture import Picture
from edgecam.ui.zones.reach import PictureRect

# With a notice, and nothing new for so long, the picture must not pass for a live one
STALE_AFTER_NS = 1_500_000_000
FALLBACK_HZ = 60.0
BLACK = QColor(0, 0, 0)


#: What the watchdog calls this loop.
STAGE = "window"


@dataclass(slots=True)
class Tile:
    """One source's part of the window. title: its name; empty where it is alone."""

    title: str
    picture: Picture = field(default_factory=Picture)
    result: Result | None = None
    scene: Scene | None = None
    cell: View = field(default_factory=lambda: View(0, 0, 1, 1))
    memory: LabelMemory = field(default_factory=LabelMemory)
    fresh: bool = False
    arrived_ns: int = 0


def restyled(style: Style, state: State) -> Style:
    """``style`` with what the state says: the overlay's level, REC and for how long there is space."""
    days = state.days_left if state.recording else None
    return replace(
        style,
        level=cast("Level", state.settings.get("overlay", style.level)),
        tentative=state.settings.get("show") == "tentative",
        areas=cast("AreasShown", state.settings.get("show_areas", style.areas)),
        recording=state.recording,
        recording_note=f"space for {days_text(days)}" if days is not None else "",
    )


class ResultView(QWidget):
    """Looks for new results at the screen's rate, lays their overlays out, and paints each once."""

    def __init__(self, controller: Controller, options: WindowOptions) -> None:
        super().__init__()
        self._controller = controller
        self._options = options
        several = len(options.sources) > 1
        self._tiles = [Tile(name) for name in options.sources] if several else [Tile("")]
        self._shared: Scene | None = None
        self._state = State(0, sources=(SourceState(""),) * len(self._tiles))
        self._common = Stats()  # with what concerns all sources
        self._style = options.style
        self._paused = False
        #: The only source shown; None for all. drawing: zones are being drawn, which stand over the picture.
        self._alone: int | None = None
        self._drawing = False
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self.tick)
        self._timer.start(max(4, int(1000 / self._rate_hz())))
        if options.pulse is not None:
            options.pulse.expect(STAGE)

    @property
    def scene(self) -> Scene | None:
        """The overlay as it was last laid out; with several sources the first one's."""
        return self._tiles[0].scene

    @property
    def scenes(self) -> tuple[Scene, ...]:
        """All overlays as they were last laid out: one per source, then the shared one if there is one."""
        return tuple(s for s in (*(tile.scene for tile in self._tiles), self._shared) if s is not None)

    @property
    def paused(self) -> bool:
        """Whether the picture stands still by the person's wish."""
        return self._paused

    def tick(self) -> None:
        """Look for something new; ask for a repaint only if there is."""
        if self._options.pulse is not None:
            self._options.pulse.beat(STAGE)
        if self._controller.finished():
            self.close()
            return
        now = now_ns()
        news: list[Tile] = []
        if not self._paused:
            for tile, result in zip(self._tiles, self._controller.results(), strict=True):
                if result is not tile.result:
                    tile.result, tile.fresh, tile.arrived_ns = result, True, now
                    news.append(tile)
        state = self._controller.state()
        due = state is not self._state
        if due:
            self._state = state
            self._common = replace(state.stats, notice=state.common_notice)
            self._style = restyled(self._style, state)
            self.refreshed(state)
        if due or self.scene is None or self._options.max_age_ns is not None:
            self._lay_out(self._tiles, news)
        elif news:
            self._lay_out(news, news)

    def _layout_scene(self, repaint: bool) -> None:
        self._lay_out(self._tiles, self._tiles if repaint else [])

    def _lay_out(self, tiles: list[Tile], repaint: list[Tile]) -> None:
        """Lay ``tiles`` out anew, and paint those that look different, and ``repaint``."""
        canvas = self._canvas_wh()
        several = len(self._tiles) > 1
        cells = self._cells(canvas)
        if several and (len(tiles) == len(self._tiles) or self._shared is None):
            common, style = self._at_rest(self._common)
            shared = compose_shared(common, style, canvas)
            if shared != self._shared:
                self._shared = shared
                self.update()
        for i, tile in enumerate(self._tiles):
            if not any(tile is other for other in tiles) or not self._is_shown(i):
                continue
            tile.cell = cells[i]
            source, stats = self._state.sources[i], self._state.stats
            ended = "ended" if source.ended else ""
            own, notice = (source.stats, source.notice or ended) if several else (stats, stats.notice)
            scene = self._scene_of(tile, own, notice, canvas)
            if scene != tile.scene or any(tile is other for other in repaint):
                tile.scene = scene
                self.update(*([self._area(tile)] if several else []))

    def _cells(self, canvas: tuple[int, int]) -> list[View]:
        count = len(self._tiles)
        if count == 1 or self._alone is not None:
            return [View(0, 0, *canvas)] * count
        return cells_of(count, self._options.picture_wh, canvas)

    def _is_shown(self, number: int) -> bool:
        return self._alone is None or self._alone == number

    def draw_zones(self, camera: int | None, *, drawing: bool) -> None:
        """See :class:`edgecam.ui.zones.editor.Pictures`."""
        self._alone, self._drawing = camera, drawing
        self._layout_scene(repaint=True)
        self.update()

    def rect_of(self, camera: int) -> PictureRect:
        """See :class:`edgecam.ui.zones.editor.Pictures`."""
        tile, ratio = self._tiles[camera], self.devicePixelRatioF()
        view = tile.scene.view if tile.scene is not None else tile.cell
        return PictureRect(view.x / ratio, view.y / ratio, view.w / ratio, view.h / ratio)

    def _scene_of(self, tile: Tile, own: Stats, notice: str, canvas: tuple[int, int]) -> Scene:
        result = tile.result
        waited = now_ns() - tile.arrived_ns > STALE_AFTER_NS
        if self._paused:  # what was lost or ended then stays so; nothing else grows old
            waited = tile.scene is not None and tile.scene.greyed
        stale = bool(notice) and waited
        limit_ns = self._options.max_age_ns
        if limit_ns is None or result is None or self._paused:
            pass
        elif now_ns() - result.frame.captured_ns > limit_ns:
            # A contract: an older picture is not shown as a current one.
            stale = True
            notice = notice or f"older than {limit_ns / 1e6:.0f} ms"
        own, style = self._at_rest(own)
        if self._drawing:
            style = replace(style, areas="off")
        stats = own if notice == own.notice else replace(own, notice=notice)
        view = tile.cell if result is None else tile.cell.fitted(result.frame.size_wh)
        return compose(result, stats, style, canvas, view, None, stale, tile.title, self._shared, tile.memory)

    def _at_rest(self, stats: Stats) -> tuple[Stats, Style]:
        """What stands over a picture; without rates, ages and watts while it is paused, for they go on."""
        style = self._style
        if not self._paused:
            return stats, style
        return Stats(notice=stats.notice), replace(style, level="simple") if style.level == "full" else style

    def _canvas_wh(self) -> tuple[int, int]:
        ratio = self.devicePixelRatioF()
        return max(1, round(self.width() * ratio)), max(1, round(self.height() * ratio))

    def _area(self, tile: Tile) -> QRect:
        """The tile's cell in Qt's own units, outwards to whole ones."""
        ratio, cell = self.devicePixelRatioF(), tile.cell
        area = QRectF(cell.x / ratio, cell.y / ratio, cell.w / ratio, cell.h / ratio)
        return area.toAlignedRect()

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802, D102
        several = len(self._tiles) > 1
        region = None if event is None or not several else event.region()
        shown = [
            tile
            for number, tile in enumerate(self._tiles)
            if self._is_shown(number) and (region is None or region.intersects(self._area(tile)))
        ]
        painter = QPainter(self)
        try:
            self._paint(painter, shown)
        finally:  # Qt aborts if a painter outlives an exception
            painter.end()
        for tile in shown:
            if tile.fresh and tile.result is not None:
                tile.fresh = False
                self._controller.displayed(tile.result, now_ns())

    def _paint(self, painter: QPainter, tiles: list[Tile]) -> None:
        ratio = self.devicePixelRatioF()
        painter.scale(1 / ratio, 1 / ratio)
        only = tiles[0] if len(self._tiles) == 1 else None
        view = None if only is None or only.scene is None else only.scene.view
        if only is None or only.result is None or view is None or (view.w, view.h) != self._canvas_wh():
            painter.fillRect(0, 0, round(self.width() * ratio) + 1, round(self.height() * ratio) + 1, BLACK)
        for tile in tiles:
            if tile.scene is not None:
                if tile.result is not None:
                    tile.picture.draw(tile.result.frame, tile.scene, painter)
                paint_qt(tile.scene, painter)
        if self._shared is not None:
            paint_qt(self._shared, painter)

    def _rate_hz(self) -> float:
        if self._options.refresh_hz is not None:
            return self._options.refresh_hz
        screen = self.screen() or QGuiApplication.primaryScreen()
        rate = screen.refreshRate() if screen else 0.0
        return rate if rate >= 10.0 else FALLBACK_HZ

    def refreshed(self, state: State) -> None:
        """Called when there are new figures, for those who show them elsewhere too."""

    def resizeEvent(self, _event: QResizeEvent | None) -> None:  # noqa: N802, D102
        self._layout_scene(repaint=True)

    def closeEvent(self, event: QCloseEvent | None) -> None:  # noqa: N802, D102
        self._timer.stop()
        if self._options.pulse is not None:
            self._options.pulse.retire(STAGE)
        super().closeEvent(event)
