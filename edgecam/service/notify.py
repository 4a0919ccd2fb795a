"""What edgecam tells systemd, and the watchdog that only a living pipeline feeds.

The protocol is a datagram of ``KEY=value`` lines to ``$NOTIFY_SOCKET`` (sd_notify(3)). Without that variable
every call does nothing, so callers need not ask where they run.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from threading import Lock

from edgecam.core.clock import now_ns
from edgecam.service.journal import log_to_journal

_log = logging.getLogger(__name__)

#: systemd reads its socket at once; a full one means it is stuck, and a pipeline thread must not wait for it.
_SEND_TIMEOUT_S = 0.2


class Notifier:
    """Speaks sd_notify. Any thread; quick; never raises once constructed.

    environ: where ``NOTIFY_SOCKET`` and ``WATCHDOG_USEC`` stand. ``WATCHDOG_PID`` is not looked at: under
    ``cage`` the watched process is the compositor, and edgecam feeds the watchdog for it.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        self._failed = False
        self._status = ""
        usec = environ.get("WATCHDOG_USEC", "")
        self.watchdog_s: float | None = int(usec) / 1e6 if usec.isdigit() and int(usec) > 0 else None
        if self._address and self._address[0] not in "/@":
            _log.warning(
                "NOTIFY_SOCKET=%s is neither a path nor abstract: systemd is not told", self._address
            )
            self._address = ""

    @property
    def enabled(self) -> bool:
        """Whether systemd listens."""
        return bool(self._address)

    def send(self, *lines: str) -> bool:
        """Send ``KEY=value`` lines in one datagram; False if nobody took it."""
        if not self._address:
            return False
        # a name that begins with @ is in Linux's abstract namespace
        address = "\0" + self._address[1:] if self._address[0] == "@" else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
                sock.settimeout(_SEND_TIMEOUT_S)
                sock.sendto("\n".join(lines).encode(), address)
        except OSError as error:
            if not self._failed:
                self._failed = True
                _log.warning("systemd does not take notifications (%s)", error)
            return False
        self._failed = False
        return True

    def ready(self, status: str = "") -> bool:
        """Tell that start-up, or a reload, is done."""
        return self.send("READY=1", *self._status_line(status))

    def status(self, text: str) -> bool:
        """One line for ``systemctl status``; a repeated text is not sent again."""
        if text == self._status:
            return False
        return self.send(*self._status_line(text))

    def watchdog(self) -> bool:
        """Feed the watchdog: the program is alive."""
        return self.send("WATCHDOG=1")

    def trigger_watchdog(self, why: str) -> bool:
        """Report a hang: systemd acts now, as if the watchdog's time had run out."""
        return self.send("WATCHDOG=trigger", *self._status_line(why))

    def reloading(self) -> bool:
        """Tell that a reload begins; :meth:`ready` ends it. The time tells it from an earlier one."""
        return self.send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self, status: str = "") -> bool:
        """Tell that the end begins: the watchdog no longer counts."""
        return self.send("STOPPING=1", *self._status_line(status))

    def extend_timeout(self, seconds: float) -> bool:
        """Tell that start-up (or stopping) is making progress, and needs ``seconds`` more from now."""
        return self.send(f"EXTEND_TIMEOUT_USEC={round(seconds * 1e6)}")

    def _status_line(self, text: str) -> list[str]:
        if not text:
            return []
        self._status = text
        return ["STATUS=" + text.replace("\n", " ")]


class Heartbeat:
    """Feeds the watchdog from the pipeline's own threads, and only while every one of them moves.

    Each thread calls :meth:`beat` with its stage once per turn of its loop, whether the turn brought a frame
    or a time-out: a camera that is unplugged is not a fault of the program, a thread that stands still is.
    The feed goes out on whichever beat comes next after all stages were fresh, so no timer can feed it.

    A stage that has stood still for :attr:`stale_s` is reported by the next beat of another one, so that
    systemd need not wait out the watchdog's time as well. Where all stand still, nothing is fed.

    Before :meth:`ready` the same beats extend the start-up time instead, so waiting for a camera at boot may
    last as long as it likes, while a hang at start is noticed like any other.
    """

    def __init__(
        self, notifier: Notifier, stages: Iterable[str] = (), clock: Callable[[], int] = now_ns
    ) -> None:
        self._notifier = notifier
        self._clock = clock
        self._lock = Lock()
        begin_ns = clock()
        self._beats = dict.fromkeys(stages, begin_ns)
        watchdog_s = notifier.watchdog_s or 10.0
        #: A stage silent for longer than this is not alive: three quarters of the watchdog's time.
        self.stale_s = watchdog_s * 0.75
        self._every_ns = round(watchdog_s / 4.0 * 1e9)
        self._stale_ns = round(self.stale_s * 1e9)
        self._fed_ns = begin_ns - self._every_ns
        self._ready = False
        self._stalled: list[str] = []

    def expect(self, stage: str) -> None:
        """Wait for ``stage`` too from now on (a window has opened, a second source has started)."""
        with self._lock:
            self._beats[stage] = self._clock()

    def retire(self, stage: str) -> None:
        """Tell that ``stage`` has ended on purpose and is no longer waited for."""
        with self._lock:
            self._beats.pop(stage, None)

    def beat(self, stage: str) -> bool:
        """Tell that ``stage`` moves; True if this beat fed the watchdog. Any thread; mostly under a
        microsecond.
        """
        now = self._clock()
        with self._lock:
            self._beats[stage] = now
            if now - self._fed_ns < self._every_ns:
                return False
            stalled, before = self._stale(now), self._stalled
            self._stalled = stalled
            if not stalled:
                self._fed_ns = now
            ready = self._ready
        if stalled:
            if stalled != before:
                self._report(stalled, ready)
            return False
        if ready:
            return self._notifier.watchdog()
        return self._notifier.extend_timeout(2.0 * self.stale_s)

    def ready(self, status: str = "") -> bool:
        """Tell that the first result is there. Only the first call tells systemd."""
        with self._lock:
            if self._ready:
                return False
            self._ready = True
        return self._notifier.ready(status)

    def _report(self, stalled: list[str], ready: bool) -> None:
        why = f"{' and '.join(stalled)} stood still for {self.stale_s:.0f} s"
        _log.error("%s%s", why, "; asking systemd for a restart" if ready and self._notifier.enabled else "")
        if ready:
            self._notifier.trigger_watchdog(why)

    def _stale(self, now: int) -> list[str]:
        return [stage for stage, at_ns in self._beats.items() if now - at_ns > self._stale_ns]

    def stalled(self) -> list[str]:
        """Stages that stand still, for the log and the status line."""
        with self._lock:
            return self._stale(self._clock())


def enter_service(environ: Mapping[str, str] = os.environ) -> Notifier:
    """What a run does first where systemd started it; elsewhere it changes nothing. The main thread, once.

    Log records go to the journal with their fields, the process number is left where reload and stop find it,
    and the watchdog's SIGABRT writes every thread's stack to the journal before it ends the process.
    """
    notifier = Notifier(environ)
    if notifier.enabled:
        log_to_journal(environ=environ)
        write_pid_file(environ)
        faulthandler.enable()
    return notifier


def write_pid_file(environ: Mapping[str, str] = os.environ) -> Path | None:
    """Write ``$RUNTIME_DIRECTORY/pid``; None outside a service, or where it cannot be written.

    In the kiosk systemd's main process is the compositor, and reload and stop must reach this one.
    """
    folder = environ.get("RUNTIME_DIRECTORY", "").split(":")[0]
    if not folder:
        return None
    path = Path(folder) / "pid"
    try:
        path.write_text(f"{os.getpid()}\n")
    except OSError as error:
        _log.warning("cannot write %s (%s): reload will not reach this process", path, error)
        return None
    return path
