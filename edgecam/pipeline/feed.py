"""Where workers get frames from: handed over by capture threads, or read by the workers themselves."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol, TypeVar

from msgspec import Struct

from edgecam.core.errors import EndOfStream
from edgecam.core.ports import Prepared
from edgecam.core.types import Frame

T = TypeVar("T")


class Given(Struct, frozen=True):
    """A frame, and what the detector made of it already, if it did."""

    frame: Frame
    prepared: Prepared | None = None


class Supply(Protocol):
    """Frames of several sources, numbered from 0, in each one's order."""

    def take(self, timeout_s: float, admit: Callable[[int, Given], T]) -> T | None:
        """What ``admit`` makes of the next frame and its source's number; None if none came in time.

        ``admit`` is called for one frame of a source after the other, in their order.
        Raises EndOfStream once every source has ended and nothing of it is left, or the supply was closed.
        """

    def end(self, index: int, /, *, discard: bool = False) -> None:
        """No more frames of this source (``discard``: and those waiting are not wanted). Any thread."""

    def close(self) -> None:
        """Stop: waiting frames are discarded and counted, everyone who waits is woken. Any thread."""

    def stale(self, index: int, /) -> int:
        """Frames of this source that a newer one replaced."""

    def left(self, index: int, /) -> int:
        """Frames of this source that were captured but discarded because the run stopped."""


class ReadInTurn:
    """Whichever worker is free reads the next frame itself: for concurrent inferences, from files.

    As many threads as cores, each busy with a frame of its own from reading to results: none has to be woken
    for another, and no frame lies about. (A capture thread is one too many for the cores: the kernel leaves
    two threads on one of them and the other idle, for a tick of 4 ms at a time.) Different sources are read
    side by side, each by one worker at a time.

    sources: how many. read: the next frame of one; None if none came in time, EndOfStream when it has ended.
    """

    def __init__(self, sources: int, read: Callable[[int], Frame | None]) -> None:
        self._read = read
        self._locks = [threading.Lock() for _ in range(sources)]  # held from reading until admitted
        self._ended = [False] * sources
        self._closed = False
        self._next = 0  # where to look first; it is of no harm if two workers look at one place

    def take(self, timeout_s: float, admit: Callable[[int, Given], T]) -> T | None:
        """See :class:`Supply`. Any number of threads."""
        index = self._claim(timeout_s)
        if index is None:
            return None
        try:
            if self._closed or self._ended[index]:
                return None
            frame = self._read(index)
            return None if frame is None else admit(index, Given(frame))
        except EndOfStream:
            self._ended[index] = True
            return None
        finally:
            self._locks[index].release()

    def _claim(self, timeout_s: float) -> int | None:
        """A source's number, with its lock: the next that nobody reads, or else the next."""
        count = len(self._locks)
        order = [(self._next + step) % count for step in range(count)]
        going = [index for index in order if not self._ended[index]]
        if self._closed or not going:
            raise EndOfStream("no source has more frames")
        for index in going:
            if self._locks[index].acquire(blocking=False):
                self._next = index + 1
                return index
        return going[0] if self._locks[going[0]].acquire(timeout=timeout_s) else None

    def end(self, index: int, /, *, discard: bool = False) -> None:  # noqa: ARG002 (nothing waits here)
        """See :class:`Supply`."""
        self._ended[index] = True

    def close(self) -> None:
        """See :class:`Supply`. A worker in the middle of reading still has that frame seen."""
        self._closed = True

    def stale(self, _index: int, /) -> int:
        """Always 0: the sources wait."""
        return 0

    def left(self, _index: int, /) -> int:
        """Always 0: what was read is seen."""
        return 0
