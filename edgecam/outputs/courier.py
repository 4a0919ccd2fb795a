"""Delivers events to one destination, again and again until it takes them: :class:`Courier`."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

from edgecam.core.errors import EdgecamError
from edgecam.core.events import Event, event_key
from edgecam.core.text import escape
from edgecam.core.threads import OwnedThread
from edgecam.outputs.outbox import Outbox, Waiting

log = logging.getLogger(__name__)

#: Pauses between tries: doubled from the first to the last.
FIRST_PAUSE_S, LAST_PAUSE_S = 1.0, 60.0
#: A wait for the next event is this long at most, so that the end is noticed.
TURN_S = 1.0
#: At the end what waits is delivered for so long, while the destination answers; then a delivery under way
#: has so long. Together less than the 10 s that systemd gives a service to stop.
DRAIN_S, JOIN_S = 3.0, 3.0


class NotDelivered(EdgecamError):  # noqa: N818 (an outcome, not always a fault)
    """A delivery failed. final: trying again would not help, so the event is given up. after_s: the
    destination asked for a pause of so long.
    """

    def __init__(self, why: str, *, final: bool = False, after_s: float | None = None) -> None:
        super().__init__(why)
        self.final = final
        self.after_s = after_s


#: Brings one event to its destination; returns when it has it. Raises NotDelivered. Must have a deadline.
Deliver = Callable[[Event], None]


class Courier:
    """An :class:`~edgecam.core.ports.EventSink` that keeps events on disk and delivers them in order.

    name: of the destination, for messages and the file. wants: which events it is for. deliver: see
    :data:`Deliver`; called on this courier's own thread, ``out-NAME``. idle: called there about once a second
    while nothing waits; must not raise.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        deliver: Deliver,
        wants: Callable[[Event], bool] = lambda _: True,
        idle: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name
        self.delivered = 0
        self.given_up = 0
        #: Events that could not even be kept: the disk was full or broken.
        self.lost = 0
        #: Why the last try failed; empty while all is well.
        self.fault = ""
        self._file = folder / f"outbox-{name}.sqlite"
        self._deliver = deliver
        self._wants, self._idle = wants, idle
        self._stop = threading.Event()
        self._thread: OwnedThread | None = None
        self._outbox: Outbox | None = None
        self._settled: Waiting | None = None
        self._orphan = False

    @property
    def waiting(self) -> int:
        """Events that are not delivered yet."""
        return 0 if self._outbox is None else len(self._outbox)

    @property
    def dropped(self) -> int:
        """Events that went undelivered since too many waited."""
        return 0 if self._outbox is None else self._outbox.dropped

    def open(self) -> None:
        """Begin with what waits from the last run. Raises EdgecamError."""
        self._outbox = Outbox(self._file)
        self._thread = OwnedThread(f"out-{self.name}", self._run, daemon=True)
        self._thread.start()

    def write(self, event: Event) -> None:
        """Keep it for delivery."""
        assert self._outbox is not None
        if self._wants(event):
            dropped = self._outbox.dropped
            try:
                self._outbox.put(event_key(event), event.to_json())
            except sqlite3.Error as error:  # a full or broken disk: this event is lost, the run is not
                if not self.lost:
                    log.warning("%s: an event could not be kept for delivery: %s", self.name, error)
                self.lost += 1
            if self._outbox.dropped > dropped == 0:
                log.warning("%s: too many events wait; the oldest go undelivered, and are counted", self.name)

    def close(self) -> None:
        """Deliver what can be delivered at once, and stop; what is left goes out next time, what a silent
        server was just given perhaps once more. Idempotent.
        """
        until = time.monotonic() + DRAIN_S
        while self.waiting and not self.fault and self._alive() and time.monotonic() < until:
            self._stop.wait(0.02)
        self._stop.set()
        if self._outbox is not None:
            self._outbox.wake()
        if self._thread is not None:
            thread, self._thread = self._thread, None
            try:
                thread.join(JOIN_S)
            except EdgecamError:
                log.info(
                    "%s: stopped while a delivery waited for an answer; it is tried again next time",
                    self.name,
                )
                self._orphan = True  # it closes the file itself: what is answered after all is still noted
                if thread.alive:
                    return
            if thread.error is not None:
                raise thread.error
        if self._outbox is not None:
            self._outbox.close()

    def _alive(self) -> bool:
        return self._thread is not None and self._thread.alive

    def _run(self) -> None:
        pause_s = FIRST_PAUSE_S
        while not self._stop.is_set():
            after_s = 0.0
            try:
                self._turn()
                pause_s = FIRST_PAUSE_S
                continue
            except NotDelivered as error:
                why, after_s = str(error), error.after_s or 0.0
            except sqlite3.Error as error:  # a full or broken disk: what waits stays, and is tried again
                why = f"the events kept on disk cannot be read or changed ({error}); give the disk space"
            if not self.fault:
                log.warning("%s: events wait, trying again: %s", self.name, why)
            self.fault = why
            self._stop.wait(max(after_s, pause_s))
            pause_s = min(LAST_PAUSE_S, pause_s * 2)
        if self._orphan and self._outbox is not None:
            self._outbox.close()

    def _turn(self) -> None:
        """Deliver the event that waits longest. Raises NotDelivered or sqlite3.Error: the same event is tried
        again; what was delivered is not, though the disk would not note it.
        """
        assert self._outbox is not None
        if self._settled is not None:
            self._settle(self._settled)
        waiting = self._outbox.first(TURN_S)
        if waiting is None:
            self._well()
        if waiting is None or self._stop.is_set():
            if not self._stop.is_set():
                self._idle()
            return
        try:
            event = Event.from_json(waiting.body)
        except ValueError as error:
            log.warning("%s: an event that waited cannot be read and is left out: %s", self.name, error)
            self._settle(waiting)
            return
        try:
            self._bring(event)
        except NotDelivered as error:
            if not error.final:
                raise
            log.warning("%s: event %s given up: %s", self.name, event.id, error)
            self.given_up += 1
        else:
            self._well()
            self.delivered += 1
        self._settle(waiting)

    def _well(self) -> None:
        if self.fault:
            log.info("%s: events are delivered again", self.name)
        self.fault = ""

    def _bring(self, event: Event) -> None:
        """Deliver it. What nobody foresaw costs this event, not the ones behind it."""
        try:
            self._deliver(event)
        except NotDelivered:
            raise
        except Exception as error:
            log.debug("%s: delivery failed", self.name, exc_info=error)
            why = f"unexpected {type(error).__name__}: {escape(error, 200)}"
            raise NotDelivered(why, final=True) from error

    def _settle(self, waiting: Waiting) -> None:
        """Note on disk that it is over; tried again first where the disk will not."""
        assert self._outbox is not None
        self._settled = waiting
        self._outbox.done(waiting)
        self._settled = None
