"""Results are worked out, in the frames' order, while the network sees the next frame."""

from __future__ import annotations

import math
from collections.abc import Callable
from queue import SimpleQueue
from typing import Generic, TypeVar

from edgecam.core.clock import now_ns
from edgecam.core.threads import OwnedThread

#: A giver runs the stage itself if it waited so many times as long for the frame as the stage takes.
SPARE = 3

T = TypeVar("T")


class PostprocessStage(Generic[T]):
    """Does one thing after another in the order of their turns (0, 1, 2 …), on a thread of its own.

    Each giver is at most one ahead: it waits to give the next while its last one is not done. A single giver
    that has time to spare does it itself: nobody has to be woken, and what it is about lies in the caches of
    that CPU (0.5 ms of a frame's age at 30 frames a second).

    work: does one. on_end: called once, on that thread, after the last one or when ``work`` failed.
    givers: how many threads give, each the things of its own turns in their order.
    """

    def __init__(
        self, name: str, work: Callable[[T], None], on_end: Callable[[], None], givers: int = 1
    ) -> None:
        self._work, self._on_end = work, on_end
        # Simple queues, since the network stands still meanwhile: a condition takes 15 us longer.
        self._items: SimpleQueue[tuple[int, int, T] | None] = SimpleQueue()  # None: nothing more comes
        #: For each giver: holds something while nothing of its own is under way.
        self._idle: list[SimpleQueue[None]] = [SimpleQueue() for _ in range(givers)]
        for idle in self._idle:
            idle.put(None)
        self._turn = 0  # of whoever does the next one
        self._closed = False
        self._took_ns: float = math.inf  # what the last one took
        self.thread = OwnedThread(name, self._run, self._ended)

    def put(self, turn: int, item: T, spare_ns: int = 0, giver: int = 0) -> bool:
        """Give ``item``; False if nothing is done any more.

        spare_ns: how long a single giver had nothing to do before this; may raise what the work raises.
        """
        self._idle[giver].get()
        if self._closed:
            self._idle[giver].put(None)  # whoever asks again is not to wait either
            return False
        if spare_ns > SPARE * self._took_ns and len(self._idle) == 1:
            self._do(giver, item)
        else:
            self._items.put((giver, turn, item))
        return True

    def close(self) -> None:
        """Nothing more comes, or a turn will not. Wakes all; what was put and can be done is done."""
        self._closed = True
        self._items.put(None)
        for idle in self._idle:
            idle.put(None)

    def _run(self) -> None:
        waiting: dict[int, tuple[int, T]] = {}
        while (given := self._items.get()) is not None:
            waiting[given[1]] = given[0], given[2]
            del given  # it may hold a frame, and the next one may be long in coming
            while (ready := waiting.pop(self._turn, None)) is not None:
                self._do(*ready)
                del ready

    def _do(self, giver: int, item: T) -> None:
        started = now_ns()
        self._work(item)
        self._took_ns = now_ns() - started
        self._turn += 1
        self._idle[giver].put(None)

    def _ended(self) -> None:
        self.close()
        self._on_end()
