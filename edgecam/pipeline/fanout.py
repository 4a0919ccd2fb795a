"""Results and events on their way to the sinks: every sink has its own thread and its own bounded queue."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Sequence
from typing import Any, Generic, Protocol, TypeVar

from edgecam.core.errors import EdgecamError
from edgecam.core.ports import Pulse
from edgecam.core.threads import OwnedThread
from edgecam.core.types import Result

log = logging.getLogger(__name__)

#: Results a sink may lag behind: at 720p a BGR frame is 2.8 MB, so this bounds a sink's backlog to 45 MB.
QUEUE_DEPTH = 16
#: A sink's thread turns at least this often, for who listens to its pulse.
TURN_S = 0.5


T = TypeVar("T")
Taken = TypeVar("Taken", contravariant=True)


class Takes(Protocol[Taken]):
    """What a lane feeds: :class:`edgecam.core.ports.Sink` or :class:`edgecam.core.ports.EventSink`."""

    def open(self) -> None:
        """Called by the owner, before the lane starts."""

    def write(self, item: Taken, /) -> None:
        """Called by the lane's thread."""

    def close(self) -> None:
        """Flush and finish. Idempotent."""


class Lane(Generic[T]):
    """One sink, fed in order by its own thread.

    lossless: a full queue makes the worker wait (the source is a file); otherwise the oldest item is
    dropped and counted (the source is live, and a slow disk must not slow detection). depth: of the queue.
    only: the index of the one source whose results it takes; None takes all. pulse: hears from the sink's
    thread once per turn, so that one that hangs is noticed; for sinks that wait for nobody outside.
    """

    def __init__(
        self,
        sink: Takes[T],
        name: str,
        *,
        lossless: bool,
        only: int | None = None,
        pulse: Pulse | None = None,
        depth: int = QUEUE_DEPTH,
    ) -> None:
        self.sink = sink
        self.name = name
        self.only = only
        self.dropped = 0
        self._lossless = lossless
        self._depth = depth
        self._queue: deque[T] = deque()
        self._changed = threading.Condition()
        self._ending = False
        self._pulse = pulse
        self._stage = f"sink-{name}" if only is None else f"sink-{name}-{only}"
        self._thread = OwnedThread(f"sink-{name}", self._run, self._wake)

    def start(self) -> None:
        """Start the sink's thread; ``sink.open()`` was called by the owner."""
        self._thread.start()

    def publish(self, item: T) -> None:
        """Queue an item. Re-raises what the sink's thread died of."""
        with self._changed:
            if self._lossless:
                self._changed.wait_for(
                    lambda: len(self._queue) < self._depth or self._ending or not self._thread.alive
                )
            elif len(self._queue) >= self._depth:
                self._queue.popleft()
                self.dropped += 1
                if self.dropped == 1:
                    log.warning("%s cannot keep up; what it misses is counted", self.name)
            if self._thread.error is not None:
                raise self._thread.error
            self._queue.append(item)
            self._changed.notify_all()

    def _wake(self) -> None:
        if self._pulse is not None:
            self._pulse.retire(self._stage)
        with self._changed:
            self._changed.notify_all()

    def _run(self) -> None:
        if self._pulse is not None:
            self._pulse.expect(self._stage)
        while True:
            if self._pulse is not None:
                self._pulse.beat(self._stage)
            with self._changed:
                self._changed.wait_for(
                    lambda: bool(self._queue) or self._ending, None if self._pulse is None else TURN_S
                )
                if not self._queue:
                    if self._ending:
                        return
                    continue
                item = self._queue.popleft()
                self._changed.notify_all()
            self.sink.write(item)

    def close(self, timeout_s: float) -> None:
        """Drain the queue, join the thread, finish the sink; then re-raise what went wrong, if anything."""
        with self._changed:
            self._ending = True
            self._changed.notify_all()
        try:
            self._thread.join(timeout_s)
        finally:
            self.sink.close()
        if self._thread.error is not None:
            raise self._thread.error


class SinkLane(Lane[Result]):
    """A lane of results."""


class Latest:
    """The newest result per source, for those who look when it suits them (the window, the status line)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_source: dict[int, Result] = {}
        self._newest: Result | None = None

    def publish(self, source_index: int, result: Result) -> None:
        """Replace the source's result."""
        with self._lock:
            self._by_source[source_index] = result
            self._newest = result

    def get(self, source_index: int | None = None) -> Result | None:
        """The newest result, of one source or of all."""
        with self._lock:
            return self._newest if source_index is None else self._by_source.get(source_index)


def close_all(lanes: Sequence[Lane[Any]], timeout_s: float) -> list[BaseException]:
    """Close every lane whatever the others do; what they raised, in order."""
    failures: list[BaseException] = []
    for lane in lanes:
        try:
            lane.close(timeout_s)
        except EdgecamError as error:
            failures.append(error)
        except Exception as error:
            log.debug("sink %s failed", lane.name, exc_info=error)
            failures.append(error)
    return failures
