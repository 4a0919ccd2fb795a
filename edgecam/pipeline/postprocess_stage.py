"""Who runs a frame's postprocess stage: a thread of its own, or the threads that ran the network."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Generic, Protocol, TypeVar

from edgecam.core.clock import now_ns
from edgecam.core.threads import OwnedThread

#: A giver runs the stage itself if it waited so many times as long for the frame as the stage takes.
SPARE = 3

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)


class PostprocessStage(Protocol[T_contra]):
    """Has one thing after another done, in the order of their turns (0, 1, 2 …)."""

    @property
    def threads(self) -> Sequence[OwnedThread]:
        """Its own, for the owner to start, join and ask for errors."""

    def put(self, turn: int, item: T_contra, spare_ns: int = 0, /) -> bool:
        """Give ``item``, and wait while too many are before it; False if nothing is done any more.

        spare_ns: how long the giver had nothing to do before this; may raise what the work raises.
        """

    def close(self) -> None:
        """Nothing more comes, or a turn will not. Wakes all; what was put and can be done is done."""


class Alongside(Generic[T]):
    """A thread of its own does it, while the giver is busy with the next: for frames that come one by one.

    A giver that has time to spare does it itself: nobody has to be woken, and what it is about lies in the
    caches of that CPU (0.5 ms of a frame's age at 30 frames a second).

    work: does one. on_end: called once, on that thread, after the last one or when ``work`` failed.
    """

    def __init__(self, name: str, work: Callable[[T], None], on_end: Callable[[], None]) -> None:
        self._work, self._on_end = work, on_end
        # Simple queues, since the network stands still meanwhile: a condition takes 15 us longer.
        self._items: SimpleQueue[T | None] = SimpleQueue()  # None: nothing more comes
        self._idle: SimpleQueue[None] = SimpleQueue()  # holds something while nothing is under way
        self._idle.put(None)
        self._closed = False
        self._took_ns: float = math.inf  # what the last one took
        self.threads = (OwnedThread(name, self._run, self._ended),)

    def put(self, _turn: int, item: T, spare_ns: int = 0, /) -> bool:
        """See :class:`PostprocessStage`. One thread gives, so that turns come in their order."""
        self._idle.get()
        if self._closed:
            self._idle.put(None)  # whoever asks again is not to wait either
            return False
        if spare_ns > SPARE * self._took_ns:
            self._do(item)
        else:
            self._items.put(item)
        return True

    def close(self) -> None:
        """See :class:`PostprocessStage`."""
        self._closed = True
        self._items.put(None)
        self._idle.put(None)

    def _run(self) -> None:
        while (item := self._items.get()) is not None:
            self._do(item)
            del item  # it may hold a frame, and the next one may be long in coming

    def _do(self, item: T) -> None:
        started = now_ns()
        self._work(item)
        self._took_ns = now_ns() - started
        self._idle.put(None)

    def _ended(self) -> None:
        self.close()
        self._on_end()


class InTurn(Generic[T]):
    """The givers do it themselves, one at a time: for concurrent inferences, which are ready in any order.

    Whoever brings the thing whose turn it is does it, and then those that came meanwhile; the others leave
    theirs and go on. No thread has to be woken for it: 1 to 2 % more frames of a file than with its own.

    ahead: so many at most wait or are being dealt with. on_end: called by ``close``.
    """

    def __init__(self, ahead: int, work: Callable[[T], None], on_end: Callable[[], None]) -> None:
        self._ahead, self._work, self._on_end = ahead, work, on_end
        self._changed = threading.Condition()
        self._waiting: dict[int, T] = {}
        self._turn = 0
        self._busy = False
        self._closed = False
        self.threads: tuple[OwnedThread, ...] = ()

    def put(self, turn: int, item: T, _spare_ns: int = 0, /) -> bool:
        """See :class:`PostprocessStage`. Any thread; raises what ``work`` raises; then no more is done."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or turn < self._turn + self._ahead)
            if self._closed:
                return False
            if self._busy or turn != self._turn:
                self._waiting[turn] = item
                return True
            self._busy = True
        following: T | None = item
        while following is not None:
            self._work(following)
            with self._changed:
                self._turn += 1
                following = self._waiting.pop(self._turn, None)
                self._busy = following is not None
                self._changed.notify_all()
        return True

    def close(self) -> None:
        """See :class:`PostprocessStage`."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._on_end()
