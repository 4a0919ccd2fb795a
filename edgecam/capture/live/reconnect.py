"""A live source that comes back after it was lost, without its owner ever waiting longer than it asked to."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from edgecam.capture.base import LiveSource
from edgecam.capture.live.reopen import Attempt
from edgecam.capture.options import SourceOptions
from edgecam.core.clock import now_ns
from edgecam.core.errors import CaptureError, ConfigError, EdgecamError, EndOfStream, SourceOpenError
from edgecam.core.ports import BusyFor, Source
from edgecam.core.types import Frame

log = logging.getLogger(__name__)

# 1, 2, 4 … 30 seconds: quick after a loose plug, gentle with a camera that is gone for the night.
BACKOFF_FIRST_S = 1.0
BACKOFF_LAST_S = 30.0


# How often a lost camera's device node is looked for: a replug is answered at once, whatever the back-off.
_LOOK_S = 0.25


def attempts_allowed(reconnect: str | int) -> int | None:
    """Attempts in a row: None for ever, 0 for ``off``. Raises ConfigError for anything else."""
    if reconnect == "forever":
        return None
    if reconnect == "off":
        return 0
    try:
        count = int(reconnect)
    except ValueError:
        count = -1
    if count < 0:
        raise ConfigError(f"reconnect={reconnect!r}: give 'forever', 'off' or a number of attempts.")
    return count


def backoff_s(failures: int, first_s: float = BACKOFF_FIRST_S, last_s: float = BACKOFF_LAST_S) -> float:
    """Seconds to wait after ``failures`` failed attempts in a row."""
    return float(min(first_s * 2.0 ** min(failures, 30), last_s))


class ReconnectingSource(LiveSource):
    """Wraps a live source. While it is lost, ``read`` returns None, and ``notice`` says what is going on.

    The first opening is not retried: a wrong address is an error, not a loss. Unless ``wait`` is set: then a
    camera that is not there yet is waited for like a lost one (``name`` stands for it meanwhile). Frame
    numbers go on after a loss; ``epoch`` rises by one with each recovery. One attempt runs at a time, so
    nothing piles up behind a camera that hangs. After ``attempts`` failures in a row (None: never) ``read``
    raises CaptureError.
    """

    def __init__(
        self,
        opener: Callable[[], Source],
        attempts: int | None = None,
        *,
        backoff_first_s: float = BACKOFF_FIRST_S,
        backoff_last_s: float = BACKOFF_LAST_S,
        wait: bool = False,
        name: str = "",
        node: Path | None = None,
    ) -> None:
        missing = ""
        self._inner: Source | None = None
        try:
            self._inner = opener()
        except SourceOpenError as error:
            if not wait:
                raise
            missing = str(error)
        self._own_name = name if self._inner is None else self._inner.name
        super().__init__(self._own_name)
        self._opener = opener
        self._attempts = attempts
        self._first_s, self._last_s = backoff_first_s, backoff_last_s
        self._attempt: Attempt | None = None
        self._closer: threading.Thread | None = None
        self._node = node
        self._node_gone = False
        self._failures = 0
        self._retry_ns = 0
        self._next_index = 0
        self._base_index = 0
        self._why = ""
        self._final = ""
        self._seen = self._inner is not None
        if self._inner is not None:
            self._look(self._inner)
        else:
            log.warning("%s: waiting for it: %s", name, missing)
            self._description = f"{name}: not there yet, waiting for it ({missing})"
            self._failures, self._why = 1, missing
            self._schedule()

    @classmethod
    def wrap(cls, opener: Callable[[], Source], options: SourceOptions, name: str) -> Source:
        """Open; then wrap, unless reconnecting is off. name: of a camera that is waited for, redacted.

        Where the name is a device node, its coming back is an attempt of its own.
        """
        attempts = attempts_allowed(options.reconnect)
        if attempts == 0:
            return opener()
        node = Path(name) if name.startswith("/dev/") else None
        return cls(opener, attempts, wait=options.wait, name=name, node=node)

    @property
    def notice(self) -> str:  # type: ignore[override]
        """Empty while frames come; else, for people, what is being done about it."""
        if self._inner is not None:
            return self._inner.notice
        what = "camera lost" if self._seen else "waiting for the camera"
        if self._attempt is not None:
            return f"{what}, reconnecting" if self._seen else f"{what}, opening"
        seconds = max(1, round((self._retry_ns - now_ns()) / 1e9))
        return f"{what}, retrying in {seconds} s"

    @property
    def undecoded(self) -> int:  # type: ignore[override]
        """Of every camera that was there so far. Any thread."""
        inner = self._inner
        return self._skipping.count + (inner.undecoded if inner is not None else 0)

    def skip_decoding(self, busy_for: BusyFor) -> None:
        """As a source's own, also for one that comes back. Any thread."""
        super().skip_decoding(busy_for)
        if self._inner is not None:
            self._inner.skip_decoding(busy_for)

    def _look(self, inner: Source) -> None:
        self._size_wh, self._rate_hz = inner.size_wh, inner.rate_hz
        self._description = inner.description
        self.credit, self.keep_clear = inner.credit, inner.keep_clear
        if self._skipping.busy_for is not None:
            inner.skip_decoding(self._skipping.busy_for)

    def _read(self, timeout_s: float) -> Frame | None:
        if self._final:
            raise CaptureError(self._final)
        deadline_ns = now_ns() + int(timeout_s * 1e9)
        while True:
            left_s = max(0.0, (deadline_ns - now_ns()) / 1e9)
            if self._inner is not None:
                frame = self._read_inner(self._inner, left_s)
                if frame is not None or self._inner is not None:
                    return frame
            elif self._attempt is not None:
                if not self._collect(self._attempt, left_s):
                    return None
            else:
                if not self._wait_for_turn(left_s):
                    return None
                self._attempt = Attempt(self._opener, self._name, self._closer)
                self._closer = None

    def _wait_for_turn(self, timeout_s: float) -> bool:
        """Wait for the next attempt's time, or for the device node. False if neither came in time."""
        deadline_ns = now_ns() + int(timeout_s * 1e9)
        while not self._came_back():
            wait_s = (self._retry_ns - now_ns()) / 1e9
            left_s = (deadline_ns - now_ns()) / 1e9
            if wait_s <= 0:
                break
            if left_s <= 0 or self._closed.wait(min(wait_s, left_s, _LOOK_S)):
                return False
        return True

    def _came_back(self) -> bool:
        """True once, when the device node is there again after it was gone."""
        if self._node is None:
            return False
        gone, self._node_gone = self._node_gone, not self._node.exists()
        if gone and not self._node_gone:
            self._failures = 0  # if its permissions lag behind, the next attempts follow soon
            return True
        return False

    def _read_inner(self, inner: Source, timeout_s: float) -> Frame | None:
        try:
            frame = inner.read(timeout_s)
        except EndOfStream:
            raise
        except CaptureError as error:
            self._lost(inner, str(error))
            return None
        if frame is None:
            return None
        if self._failures or self._why:
            self._failures, self._why = 0, ""
        if inner.size_wh != self._size_wh:
            self._size_wh = inner.size_wh
        frame = replace(frame, index=self._base_index + frame.index, source=self._name)
        self._next_index = frame.index + 1
        return frame

    def _lost(self, inner: Source, why: str) -> None:
        self._why = why.removeprefix(f"{self._own_name}: ")
        log.warning("%s: lost: %s", self._name, self._why)
        count, self._inner = self.undecoded, None
        self._skipping.count = count
        # at once, for a node that is held open keeps its number from the replugged camera; and not in the
        # owner's time, for closing a dead camera can take long
        self._closer = threading.Thread(target=inner.close, name=f"release {self._name}", daemon=True)
        self._closer.start()
        self._schedule()

    def _schedule(self) -> None:
        """Set the time of the next attempt; raise CaptureError when there is none left."""
        if self._attempts is not None and self._failures >= self._attempts:
            self._final = (
                f"{self._name}: lost, and {self._failures} attempts to reopen it failed: {self._why}"
            )
            raise CaptureError(self._final)
        delay_s = backoff_s(self._failures, self._first_s, self._last_s)
        self._retry_ns = now_ns() + int(delay_s * 1e9)

    def _collect(self, attempt: Attempt, timeout_s: float) -> bool:
        """Wait for the attempt in steps short enough to notice ``close``. True when it has ended."""
        deadline_ns = now_ns() + int(timeout_s * 1e9)
        while not attempt.done.wait(min(0.1, max(0.0, (deadline_ns - now_ns()) / 1e9))):
            if self._closed.is_set() or now_ns() >= deadline_ns:
                return False
        self._attempt = None
        if attempt.source is not None:
            self._inner = attempt.source
            self._base_index = self._next_index
            self.epoch += self._seen
            self._seen = True
            self._look(self._inner)
            log.info("%s: recovered after %d failed attempts", self._name, self._failures)
            return True
        error = attempt.error
        self._failures += 1
        if isinstance(error, EdgecamError):
            self._why = str(error).removeprefix(f"{self._own_name}: ")
            log.debug("%s: attempt %d failed: %s", self._name, self._failures, error)
        else:  # not foreseen, but no reason to end either
            self._why = repr(error)
            log.warning("%s: attempt %d failed", self._name, self._failures, exc_info=error)
        self._schedule()
        return True

    def _release(self) -> None:
        if self._inner is not None:
            self._inner.close()
        if self._closer is not None:
            self._closer.join(0.3)
        if self._attempt is not None:
            self._attempt.give_up()
            # its own deadlines end it; an attempt that hangs in a driver is left to close what it may still
            # open
            self._attempt.thread.join(0.3)
