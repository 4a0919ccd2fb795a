"""The window: what :mod:`edgecam.ui.view` shows, with keys, buttons and panels. GUI thread only."""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import replace

from PyQt6.QtCore import QRect, Qt
from PyQt6.QtGui import QGuiApplication, QKeyEvent, QMouseEvent, QResizeEvent

from edgecam.core.errors import EdgecamError
from edgecam.core.families import as_request
from edgecam.core.state import ModelState, State
from edgecam.overlay.style import LEVELS
from edgecam.overlay.tiles import tiles
from edgecam.ui.command_bar import SCORE_STEP, CommandBar, keys_of
from edgecam.ui.controller import Controller, WindowOptions
from edgecam.ui.controls import dark_tips
from edgecam.ui.pairing import PairPanel
from edgecam.ui.panels import ClassesPanel, HelpPanel, Panel
from edgecam.ui.toast import Toast
from edgecam.ui.view import ResultView
from edgecam.ui.zones.editor import ZoneEditor


def _score(state: State) -> float:
    """The score below which detections are not shown, 0 to 1."""
    return state.detector.score if state.detector is not None else 0.5


class CameraWindow(ResultView):
    """Shows what a :class:`Controller` has, and gives it commands."""

    def __init__(self, controller: Controller, options: WindowOptions) -> None:
        super().__init__(controller, options)
        self._normal = QRect()
        self._zones: ZoneEditor | None = None
        self.setWindowTitle(options.title)
        self.setMouseTracking(True)
        self.setAttribute(Qt.WidgetAttribute.WA_AlwaysShowToolTips)  # without a window manager none is active
        self.setMinimumSize(320, 200)
        if options.kiosk:
            self.setWindowFlag(Qt.WindowType.FramelessWindowHint)
            self.setCursor(Qt.CursorShape.BlankCursor)
        self._build()

    def open(self) -> None:
        """Show the window: in the picture's size, or less if the screen is small, or full screen."""
        screen = self.screen()
        if screen is not None:
            room, ratio = screen.availableGeometry(), screen.devicePixelRatio()
            columns, rows = self._grid((room.width(), room.height()))
            picture_wh = self._options.picture_wh
            width, height = picture_wh[0] * columns / ratio, picture_wh[1] * rows / ratio
            fit = min(1.0, room.width() * 0.94 / width, room.height() * 0.9 / height)
            self.resize(round(width * fit), round(height * fit))
        if self._options.fullscreen or self._options.kiosk:
            self.fill_screen()
        else:
            self.show()
        if self._options.pair_at_start:
            self.toggle_pairing()

    def _grid(self, room_wh: tuple[int, int]) -> tuple[int, int]:
        cells = tiles(len(self._tiles), self._options.picture_wh, room_wh)
        columns = sum(cell.y == cells[0].y for cell in cells)
        return columns, -(-len(cells) // columns)

    def refreshed(self, state: State) -> None:
        """Buttons follow what the program says of itself."""
        self._bar.record.set_icon("stop" if state.recording else "record")
        self._bar.score.set_value(f"{_score(state):.2f}")
        if self._zones is not None:
            self._zones.refreshed(state)

    # -- commands

    def toggle_pause(self) -> None:
        """Stop the picture, or go on."""
        self._paused = not self._paused
        self._do(lambda: self._controller.set_paused(self._paused))
        self._bar.pause.set_icon("play" if self._paused else "pause")
        self._layout_scene(repaint=True)
        self._toast.say("paused" if self._paused else "going on", None if self._paused else 900)

    def snapshot(self) -> None:
        """Write the picture."""
        self._do(lambda: self._toast.say(f"picture: {self._controller.snapshot()}"))

    def toggle_recording(self) -> None:
        """Start or stop a clip."""
        self._do(lambda: self._toast.say(self._controller.toggle_recording()))

    def change_score(self, step: float) -> None:
        """Show more or fewer detections."""

        def change() -> None:
            now = _score(self._controller.state())
            value = min(0.95, max(0.05, round((now + step) / SCORE_STEP) * SCORE_STEP))
            self._change(score=value)
            self._bar.score.set_value(f"{value:.2f}")
            self._toast.say(f"score {value:.2f} and more", 1200)

        self._do(change)

    def next_level(self) -> None:
        """Show more or less over the picture: simple, full, boxes, nothing."""
        level = LEVELS[(LEVELS.index(self._style.level) + 1) % len(LEVELS)]

        def change() -> None:
            self._change(overlay=level)
            self._style = replace(self._style, level=level)
            self._toast.say(f"overlay: {level}", 1200)

        self._do(change)

    def toggle_fullscreen(self) -> None:
        """Full screen and back."""
        if self._options.kiosk:
            return
        if self._fills():
            self.showNormal()
            if self._normal.isValid():
                self.setGeometry(self._normal)
            self.unsetCursor()
            self._bar.full.set_icon("fullscreen")
        else:
            self.fill_screen()

    def _fills(self) -> bool:
        """Whether the window fills the screen; without a window manager Qt does not know."""
        screen = self.screen()
        asked = self._normal.isValid() and screen is not None and self.geometry() == screen.geometry()
        return self.isFullScreen() or (asked and self.geometry() != self._normal)

    def fill_screen(self) -> None:
        """Full screen, on an X server without a window manager too."""
        self._normal = self.geometry()
        self.showFullScreen()
        screen = self.screen()
        if screen is not None and QGuiApplication.platformName() == "xcb":
            self.setGeometry(screen.geometry())
        self._bar.full.set_icon("shrink")

    def toggle_help(self) -> None:
        """The page of keys."""
        self._toggle(self._help, lambda: self._help.fill(self.size()))

    def toggle_pairing(self) -> None:
        """The code that lets a phone in."""
        make = self._options.pairing
        if make is None:
            self._toast.say("there is no page: start edgecam with --web", 3000)
            return
        self._toggle(self._pair, lambda: self._do(lambda: self._pair.fill(make(), self.size())))

    def _toggle(self, panel: Panel, fill: Callable[[], object]) -> None:
        """Open ``panel``, instead of what else is open, or close it."""
        for other in self._panels:
            if other is not panel:
                other.hide()
        if not panel.isVisible():
            fill()
            self._bar.sleep()
        panel.toggle()
        self._toast.hide()

    def toggle_zones(self) -> None:
        """The editor of zones and lines."""
        if self._zones is None:
            self._zones = ZoneEditor(self, self._controller, self, lambda text: self._toast.say(text, 6000))
        if self._zones.isVisible():
            self._zones.close_editor()
            return
        if (panel := self._open_panel()) is not None:
            panel.close_panel()
        self._bar.sleep()
        self._zones.open_editor()

    def toggle_classes(self) -> None:
        """The switches of the classes."""
        self._toggle(self._classes, self._fill_classes)

    def _fill_classes(self) -> None:
        detector = self._controller.state().detector or ModelState("detection", "")
        self._classes.fill(detector.labels, detector.enabled, self.size())

    def _set_classes(self, classes: Set[str]) -> None:
        detector = self._controller.state().detector
        usual = detector.usual if detector is not None else ()
        self._do(lambda: self._change(classes=as_request(classes, sorted(usual))))

    def _change(self, **settings: object) -> None:
        """Raises EdgecamError with the reasons if something is refused."""
        refused = self._controller.change(**settings).refused
        if refused:
            raise EdgecamError("; ".join(refused.values()))

    def _do(self, command: Callable[[], object]) -> None:
        try:
            command()
        except EdgecamError as error:
            self._toast.say(str(error), 6000)

    # -- Qt's events

    def keyPressEvent(self, event: QKeyEvent | None) -> None:  # noqa: N802, D102
        if event is None or (event.isAutoRepeat() and event.key() not in (Qt.Key.Key_Plus, Qt.Key.Key_Minus)):
            return
        key, control = event.key(), bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        if key == Qt.Key.Key_Escape and (panel := self._open_panel()) is not None:
            panel.close_panel()
        elif self._zones is not None and self._zones.key(event):
            return
        elif key == Qt.Key.Key_Escape and self._fills() and not self._options.kiosk:
            self.toggle_fullscreen()
        elif key in (Qt.Key.Key_Q, Qt.Key.Key_Escape) and (control or not self._options.kiosk):
            self.close()
        elif (command := self._keys.get(Qt.Key(key))) is not None and not control:
            command()
        else:
            super().keyPressEvent(event)

    def mouseMoveEvent(self, _event: QMouseEvent | None) -> None:  # noqa: N802, D102
        if self._open_panel() is None:
            self._bar.wake()

    def mousePressEvent(self, _event: QMouseEvent | None) -> None:  # noqa: N802, D102
        panel = self._open_panel()
        if panel is not None:
            panel.close_panel()
        else:
            self._bar.wake()

    def mouseDoubleClickEvent(self, _event: QMouseEvent | None) -> None:  # noqa: N802, D102
        self.toggle_fullscreen()

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # noqa: N802, D102
        dark_tips(self)
        self._bar.place(self.size())
        if self._help.isVisible():
            self._help.fill(self.size())
        if self._classes.isVisible():
            self._fill_classes()
        if self._pair.isVisible():
            self._pair.place(self.size())
        if self._toast.isVisible():
            self._toast.place()
        super().resizeEvent(event)
        if self._zones is not None:
            self._zones.place()

    # -- parts

    def _build(self) -> None:
        self._bar = CommandBar(self, self, kiosk=self._options.kiosk)
        self._toast = Toast(self, above=self._bar)
        self._help, self._classes = HelpPanel(self), ClassesPanel(self, self._set_classes)
        self._pair = PairPanel(self)
        self._panels: tuple[Panel, ...] = (self._help, self._classes, self._pair)
        self._keys = keys_of(self)
        self._bar.awake.connect(self._awake)

    def _open_panel(self) -> Panel | None:
        return next((p for p in self._panels if p.isVisible()), None)

    def _awake(self, awake: bool) -> None:
        if self._options.kiosk:
            return
        if awake:
            self.unsetCursor()
        elif self._fills():
            self.setCursor(Qt.CursorShape.BlankCursor)
