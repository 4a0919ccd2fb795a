"""Events on their way to the sinks: store, stream, broker, page. One bus for all cameras and the board."""

from __future__ import annotations

import logging
import threading

from edgecam.core.events import Event
from edgecam.core.ports import EventSink
from edgecam.pipeline.fanout import Lane, close_all

log = logging.getLogger(__name__)

#: Events a sink may lag behind; some two kilobytes each, so a sink's backlog stays below a megabyte. Who
#: must lose none while a broker is away keeps them on disk.
DEPTH = 256


class EventBus:
    """Gives every event to every sink, in one order, each on a thread of its own.

    A sink that fails costs the others nothing: it is told once, left out from then on, and raised by
    :meth:`close`.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lanes: list[Lane[Event]] = []
        self._failed: set[Lane[Event]] = set()
        self._started = False
        self.published = 0

    def add(self, sink: EventSink, name: str, *, lossless: bool = False) -> None:
        """Have ``sink``, which the owner has opened, take every event from now on; the bus closes it.

        lossless: whoever publishes waits while its queue is full (a file's events); otherwise the oldest is
        dropped and counted.
        """
        lane = Lane(sink, name, lossless=lossless, depth=DEPTH)
        with self._lock:
            self._lanes.append(lane)
            if self._started:
                lane.start()

    def start(self) -> None:
        """Start the sinks' threads; before that, events wait."""
        with self._lock:
            self._started = True
            for lane in self._lanes:
                lane.start()

    def publish(self, event: Event) -> None:
        """Hand it to every sink. Any thread."""
        with self._lock:
            self.published += 1
            for lane in self._lanes:
                if lane in self._failed:
                    continue
                try:
                    lane.publish(event)
                except Exception as error:
                    self._failed.add(lane)
                    log.error("%s failed and takes no more events: %s", lane.name, error)

    def dropped(self) -> dict[str, int]:
        """Events that a sink was too slow for, by the sink's name."""
        with self._lock:
            return {lane.name: lane.dropped for lane in self._lanes}

    def close(self, timeout_s: float = 10.0) -> list[BaseException]:
        """Let every sink finish what is queued, all at once: one whose server is silent costs the others no
        time. What went wrong, in the sinks' order. Idempotent.
        """
        with self._lock:
            lanes, self._lanes = self._lanes, []
        failures: list[list[BaseException]] = [[] for _ in lanes]

        def close(number: int) -> None:
            failures[number] = close_all(lanes[number : number + 1], timeout_s)

        threads = [threading.Thread(target=close, args=(number,)) for number in range(len(lanes))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return [failure for of in failures for failure in of]
