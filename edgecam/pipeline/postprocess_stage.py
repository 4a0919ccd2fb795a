"""Results are worked out, in the frames' order, while the network sees the next frame."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Generic, TypeVar

from edgecam.core.clock import now_ns
from edgecam.core.threads import OwnedThread

#: A giver runs the stage itself if it waited so many times as long for the frame as the stage takes.
SPARE = 3

T = TypeVar("T")


class PostprocessStage(Generic[T]):
    """Does one thing after another in the order of their turns (0, 1, 2 …).

    Who does it: a thread of its own beside a single giver, so that the network goes on with the next frame.
    Where several give, no processor is left for that thread, so whoever brings the thing whose turn it is
    does it, and those that came meanwhile (ADR 7). So does a single giver that has time to spare: nobody has
    to be woken, and what it is about lies in that CPU's caches (0.5 ms of a frame's age at 30 frames a
    second).

    Each giver is at most one ahead: it waits to give the next while its last one is not done.

    work: does one. on_end: called once, on the stage's thread, after the last one or when ``work`` failed.
    givers: how many threads give, each the things of its own turns in their order.
    """

    def __init__(
        self, name: str, work: Callable[[T], None], on_end: Callable[[], None], givers: int = 1
    ) -> None:
        self._work, self._on_end = work, on_end
        # Simple queues, since the network stands still meanwhile: a condition takes 15 us longer.
        self._wake: SimpleQueue[bool] = SimpleQueue()  # False: nothing more comes
        #: For each giver: holds something while nothing of its own is under way.
        self._idle: list[SimpleQueue[None]] = [SimpleQueue() for _ in range(givers)]
        for idle in self._idle:
            idle.put(None)
        self._lock = threading.Lock()  # of the three below
        self._waiting: dict[int, tuple[int, T]] = {}  # by turn: its giver, and it
        self._turn = 0
        self._busy = False  # somebody does what waits
        self._closed = False
        self._took_ns: float = math.inf  # what the last one took
        self.thread = OwnedThread(name, self._run, self._ended)

    def put(self, turn: int, item: T, spare_ns: int = 0, giver: int = 0) -> bool:
        """Give ``item``; False if nothing is done any more. May raise what the work raises.

        spare_ns: how long a single giver had nothing to do before this.
        """
        self._idle[giver].get()
        if self._closed:
            self._idle[giver].put(None)  # whoever asks again is not to wait either
            return False
        with self._lock:
            self._waiting[turn] = giver, item
        if len(self._idle) > 1 or spare_ns > SPARE * self._took_ns:
            del item
            self._do_waiting()
        else:
            self._wake.put(True)
        return True

    def close(self) -> None:
        """Nothing more comes, or a turn will not. Wakes all; what was put and can be done is done."""
        self._closed = True
        self._wake.put(False)
        for idle in self._idle:
            idle.put(None)

    def _run(self) -> None:
        while self._wake.get():
            self._do_waiting()

    def _do_waiting(self) -> None:
        """Do what is there and whose turn it is, unless somebody is at it, who will."""
        mine = False
        while True:
            with self._lock:
                if self._busy and not mine:
                    return
                self._busy = mine = self._turn in self._waiting
                if not mine:
                    return
                giver, item = self._waiting.pop(self._turn)
            started = now_ns()
            self._work(item)
            del item  # it may hold a frame, and the next one may be long in coming
            self._took_ns = now_ns() - started
            self._turn += 1
            self._idle[giver].put(None)

    def _ended(self) -> None:
        self.close()
        self._on_end()
