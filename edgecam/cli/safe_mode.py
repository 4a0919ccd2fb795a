"""A service whose settings are broken keeps its page, where they can be put right; nothing else runs then."""

from __future__ import annotations

import logging
import os
import re
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from edgecam import __version__
from edgecam.config import Config
from edgecam.core.clock import now_ns
from edgecam.core.control import Changes
from edgecam.core.errors import ConfigError, EdgecamError
from edgecam.core.state import Notice, State
from edgecam.core.types import Image, Result

log = logging.getLogger(__name__)

#: The settings file is broken, but its line for the page may be whole.
# Blanks of one line only, and few of them: the file may be anything
_WEB = re.compile(
    r"^[ \t]{0,20}(web|web[_-]tls)[ \t]{0,20}=[ \t]{0,20}[\"']([^\"'\n]{1,100})[\"'][ \t\r]{0,20}(?:#.*)?$",
    re.MULTILINE,
)
#: systemd wants to hear from a service this often, at least; WatchdogSec is 8.
TICK_S = 2.0
MOST_BYTES = 256 * 1024


def run_safe_mode(arguments: Mapping[str, Any], argv: Sequence[str], problem: ConfigError) -> int | None:
    """Serve the settings until they are put right, then start anew; None where there is no page to serve.

    Only for a service with a settings file: on a terminal the error itself says what to do.
    """
    path = arguments.get("config") or os.environ.get("EDGECAM_CONFIG")
    if "INVOCATION_ID" not in os.environ or not path:
        return None
    given = _page_settings(Path(str(path)))
    web = arguments.get("web") or os.environ.get("EDGECAM_WEB") or given.get("web")
    if not web:
        return None
    try:
        from edgecam.web.server import WebServer
    except ModuleNotFoundError:
        return None
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(message)s")
    tls = str(arguments.get("web_tls") or os.environ.get("EDGECAM_WEB_TLS") or given.get("web_tls", "off"))
    config = Config(web=str(web), web_tls=tls, config=str(path))
    again = threading.Event()
    server: WebServer = _server(config, str(problem), again)
    try:
        server.open()
    except EdgecamError as error:
        log.error("no safe mode: %s", error)
        return None
    return _serve(server, again, argv, problem)


def _page_settings(path: Path) -> dict[str, str]:
    with suppress(OSError, UnicodeDecodeError), path.expanduser().open("rb") as file:
        text = file.read(MOST_BYTES).decode()
        return {name.replace("-", "_"): value for name, value in _WEB.findall(text)}
    return {}


def _serve(server: Any, again: threading.Event, argv: Sequence[str], problem: ConfigError) -> int:
    from edgecam.service.notify import enter_service

    notifier = enter_service()
    stopped = threading.Event()
    before = {n: signal.signal(n, lambda *_: stopped.set()) for n in (signal.SIGINT, signal.SIGTERM)}
    server.start()
    log.error("%s; safe mode: only the page runs, at %s", problem, server.url)
    try:
        notifier.ready(f"safe mode: {problem}")
        while not stopped.is_set() and not again.is_set():
            notifier.watchdog()
            again.wait(TICK_S) if not stopped.is_set() else None
    finally:
        notifier.stopping()
        server.stop()
        for number, handler in before.items():
            signal.signal(number, handler)
    if again.is_set() and not stopped.is_set():
        os.execv(sys.executable, [sys.executable, "-m", "edgecam", *argv])
    return 0


def _server(config: Config, problem: str, again: threading.Event) -> Any:
    from edgecam.web.auth.store import Store, default_path
    from edgecam.web.event_shelf import EventShelf
    from edgecam.web.history import History
    from edgecam.web.live.hub import Hub
    from edgecam.web.scrape import Scrape
    from edgecam.web.server import WebOptions, WebServer
    from edgecam.web.settings_file import SettingsFile
    from edgecam.web.site import Site

    control = SafeControl(problem)
    site = Site(
        config=config,
        control=control,
        cameras=(),
        store=Store(default_path()),
        hub=Hub({}, {}, lambda _: None),
        latest=lambda _: None,
        commands=SafeCommands(again),
        history=History(),
        annotate=_nothing,
        events=EventShelf(None),
        scrape=Scrape(control.state),
        settings_file=SettingsFile(None if config.config is None else Path(config.config).expanduser()),
        problem=problem,
        version=__version__,
    )
    assert config.web is not None
    return WebServer(WebOptions(config.web, config.web_tls), site)


def _nothing(_: Result) -> Image:
    raise EdgecamError("there is no camera in the safe mode")


class SafeControl:
    """Implements :class:`edgecam.core.control.Control` for a program that does nothing but say why."""

    def __init__(self, problem: str) -> None:
        self._problem = problem
        self._started_ns = now_ns()

    def state(self) -> State:
        """The one notice there is."""
        now = now_ns()
        notice = Notice("limit", f"safe mode: {self._problem}")
        return State(
            at_ns=now, version=__version__, uptime_s=(now - self._started_ns) / 1e9, notices=(notice,)
        )

    def change(self, **settings: object) -> Changes:
        """Nothing can change but the file."""
        return Changes(refused=dict.fromkeys(settings, "edgecam is in its safe mode; change the file"))

    def trigger(self, cause: str) -> None:
        """There is nothing to record."""


class SafeCommands:
    """Implements :class:`edgecam.web.site.Commands`: only a new start is possible."""

    def __init__(self, again: threading.Event) -> None:
        self._again = again

    def snapshot(self, camera: str) -> Path:
        """Never."""
        raise EdgecamError(f"there is no camera '{camera}' in the safe mode")

    def record(self, camera: str, on: bool) -> str:
        """Never."""
        del on
        raise EdgecamError(f"there is no camera '{camera}' in the safe mode")

    def restart(self) -> str:
        """With the settings as they are then."""
        threading.Timer(0.3, self._again.set).start()
        return "starting anew"
