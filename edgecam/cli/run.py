"""``edgecam --source …``: runs an App with or without a window, says how it goes, and ends cleanly."""

from __future__ import annotations

import atexit
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from types import FrameType

from edgecam.app.app import App
from edgecam.cli.page import Page
from edgecam.cli.start_lines import start_lines
from edgecam.cli.status import nothing_recorded, status_line, summary_lines
from edgecam.config import Config
from edgecam.config.remembered import RememberedSettings
from edgecam.core.console import err, raw_err
from edgecam.core.errors import EXIT_OK, EXIT_RUNTIME, EdgecamError
from edgecam.core.progress import ProgressBar
from edgecam.core.text import escape
from edgecam.core.types import Result
from edgecam.host.paths import state_folder
from edgecam.service.notify import Heartbeat, Notifier, enter_service
from edgecam.ui.controller import WindowOptions
from edgecam.ui.display import DisplayChoice, choose_display
from edgecam.web.log_ring import LogRing

log = logging.getLogger(__name__)

#: How often the status line is drawn anew on a terminal.
STATUS_EVERY_S = 0.5
#: And how often a line is written where standard error is a file or a journal.
LOG_EVERY_S = 60.0
#: A wait must be this short for Ctrl-C to be felt at once.
TICK_S = 0.1


#: The settings, and the names of those that command line, environment or file set.
Settings = tuple[Config, Set[str]]


def run(
    config: Config,
    given: Set[str],
    reload: Callable[[], Settings] | None = None,
    argv: Sequence[str] = (),
) -> int:
    """Run to the end of the source, ``--frames``, ``--duration``, a signal or the window's closing.

    given: the settings that command line, environment or file set; they hold against remembered ones.
    reload: reads the settings again, for SIGHUP. argv: the command's own arguments, for a new start.
    """
    display = choose_display(config.display)
    notifier = enter_service()
    heart = Heartbeat(notifier) if notifier.enabled else None
    logged = LogRing()
    with ExitStack() as undo:  # what fails before the start leaves no thread behind that keeps the process
        if config.web is not None:
            logged.attach()  # now, so that the page's log begins with the start
            undo.callback(logged.detach)
        with closing(ProgressBar("measuring")) as bar:
            # a terminal has the bar
            say = _say if config.verbose or not sys.stderr.isatty() else None
            paced = display.mode != "none" or config.web is not None
            app = App(config, paced=paced, say=say, progress=bar.show, pulse=heart)
        undo.callback(app.stop)
        if heart is not None:
            app.on_result(partial(_first_result, heart))
        app.notes.append(("display", display.reason))
        page = Page(app, kiosk=display.mode == "fullscreen" and heart is not None, argv=argv, logged=logged)
        undo.callback(page.stop)
        app.notes += _remembered(app, given)
        if config.verbose:
            lines = [f"{title:<10} {text}" for title, text in app.notes]
        else:
            lines = start_lines(app.notes, config, app.models.detector_ms, display)
        for line in lines:
            _say(line)
        undo.pop_all()
    with _signals() as stopped:
        stopped.on_user = partial(app.control.trigger, "signal")
        stopped.on_hangup = None if reload is None else partial(_reload, app, reload, notifier)
        error: BaseException | None = None
        try:
            app.start()
            page.start()
            if display.mode == "none":
                _watch(app, config, stopped, notifier)
            else:
                _show(app, config, display, stopped, heart, page)
        except BaseException as raised:
            error = raised
        notifier.stopping()
        for stop in (page.stop, app.stop, logged.detach):
            try:
                stop()
            except Exception as raised:
                error = error or raised
    last = app.states.last()
    for line in summary_lines(last):
        _say(line)
    if error is not None:
        raise error
    page.start_anew()
    return EXIT_RUNTIME if nothing_recorded(last) and not stopped() else EXIT_OK


def _remembered(app: App, given: Set[str]) -> list[tuple[str, str]]:
    """Bring back what was set in an earlier run; a line for people if there was something."""
    memory = RememberedSettings(state_folder() / "settings", app.config.source)
    if app.config.forget:
        memory.forget()
    applied = app.control.remember(memory, given).applied
    what = ", ".join(f"{name.replace('_', '-')} {shown(value)}" for name, value in applied.items())
    return [("remembered", f"{what}, as set in an earlier run; --forget forgets it")] if what else []


def shown(value: object) -> str:
    """A live setting's value for people."""
    return (
        ",".join(value)
        if isinstance(value, tuple)
        else f"{value:g}"
        if isinstance(value, float)
        else str(value)
    )


def _show(
    app: App, config: Config, display: DisplayChoice, stopped: StopFlag, heart: Heartbeat | None, page: Page
) -> None:
    """In a window, until it is closed or the run ends."""
    from edgecam.app.controls import Controls
    from edgecam.ui.run import run_window

    deadline = None if config.duration is None else time.monotonic() + config.duration
    controls = Controls(
        app, over=lambda: stopped() or (deadline is not None and time.monotonic() >= deadline)
    )
    run_window(controls, page.offer(window_options(app, display, heart)))


def window_options(app: App, display: DisplayChoice, heart: Heartbeat | None) -> WindowOptions:
    """How the window looks. heart: systemd's watchdog, which the window feeds too; None outside a service.

    A service's full screen is a kiosk: nobody there shall end it, and no cursor stands on it.
    """
    fullscreen = display.mode == "fullscreen"
    return WindowOptions(
        title=f"edgecam – {', '.join(source.name for source in app.sources)}",
        platform=display.platform,
        fullscreen=fullscreen,
        kiosk=fullscreen and heart is not None,
        picture_wh=app.config.size or app.sources[0].size_wh,
        style=app.style,
        max_age_ns=app.max_age_ns,
        sources=app.camera_names(),
        pulse=heart,
    )


def _say(text: str) -> None:
    err(text + "\n")


def _first_result(heart: Heartbeat, _result: Result) -> None:
    heart.ready("seeing")


def _reload(app: App, read: Callable[[], Settings], notifier: Notifier) -> None:
    """Apply changed settings; what is wrong with them is said, and the old ones stay."""
    notifier.reloading()
    try:
        later = app.control.reload(*read())
    except EdgecamError as error:
        log.error("settings not reloaded: %s", error)
    else:
        rest = f"; these need a restart: {', '.join(later)}" if later else ""
        log.warning("settings reloaded%s", rest)
    notifier.ready()


#: A second signal within this is a key that bounced, or a shell that sends it twice: no order to end at once.
BOUNCE_S = 1.0


class StopFlag:
    """Set by SIGINT and SIGTERM; another one after a second ends the process at once. SIGHUP: a reload."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self._since_s = 0.0
        self.hangup = False
        self.on_hangup: Callable[[], None] | None = None
        self.user = False
        self.on_user: Callable[[], None] | None = None

    def __call__(self) -> bool:
        """Whether a stop was asked for. Asked often, on the owner's thread: a reload happens here."""
        if self.hangup:
            self.hangup = False
            if self.on_hangup is not None:
                self.on_hangup()
        if self.user:
            self.user = False
            if self.on_user is not None:
                self.on_user()
        return self.signal is not None

    def handle(self, number: int, _frame: FrameType | None) -> None:
        """The signal handler."""
        now_s = time.monotonic()
        if self.signal is None:
            self.signal, self._since_s = number, now_s
        elif now_s - self._since_s >= BOUNCE_S:
            os._exit(128 + number)

    def handle_user(self, _number: int, _frame: FrameType | None) -> None:
        """The handler of SIGUSR1: record now."""
        self.user = True

    def handle_hangup(self, _number: int, _frame: FrameType | None) -> None:
        """The handler of SIGHUP."""
        self.hangup = True


@contextmanager
def _signals() -> Iterator[StopFlag]:
    flag = StopFlag()
    before = {n: signal.signal(n, flag.handle) for n in (signal.SIGINT, signal.SIGTERM)}
    before[signal.SIGUSR1] = signal.signal(signal.SIGUSR1, flag.handle_user)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup asked for none
        before[signal.SIGHUP] = signal.signal(signal.SIGHUP, flag.handle_hangup)
    try:
        yield flag
    finally:
        if flag.signal is None:
            for number, handler in before.items():
                signal.signal(number, handler)
        else:
            atexit.register(_ignore_stops)


def _ignore_stops() -> None:
    """Ignore further signals: a key that bounces while Python ends must not turn a clean end into a crash."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def _watch(app: App, config: Config, stopped: StopFlag, notifier: Notifier) -> None:
    """Without a window: one line that updates on a terminal, one a minute elsewhere."""
    terminal = sys.stderr.isatty()
    started = last = time.monotonic()
    while not app.wait(TICK_S) and not stopped():
        now = time.monotonic()
        if config.duration is not None and now - started >= config.duration:
            break
        if now - last >= (STATUS_EVERY_S if terminal else LOG_EVERY_S):
            last = now
            line = status_line(app.control.state(), app.pipeline.latest.get())
            if terminal:
                raw_err("\r\x1b[2K" + escape(line)[: os.get_terminal_size(2).columns - 1])
                sys.stderr.flush()
            else:
                _say(line)
                notifier.status(line)
    if terminal:
        raw_err("\r\x1b[2K")
        sys.stderr.flush()
