"""Where captured frames wait for the vision worker: one lane per source, one lock for all."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeVar

from msgspec import Struct, field

from edgecam.core.clock import now_ns
from edgecam.core.errors import EndOfStream
from edgecam.pipeline.feed import Given

T = TypeVar("T")

#: Decoded frames a file may have waiting: enough to even out decode times, few enough to stay small. With the
#: one that the capture thread holds three are ready; a fourth gave nothing (21.3 and 21.4 frames a second).
FILE_LANE_DEPTH = 2
#: So many of the worker's turns are looked back on; their lower quartile stands for the next: frames that are
#: not detected on take no time, and while there are some of them all are wanted.
RECENT = 8


class _Lane(Struct):
    is_live: bool
    frames: deque[Given] = field(default_factory=deque)
    ended: bool = False
    stale: int = 0
    left: int = 0


class FrameSlots:
    """The hand-off between capture threads and the worker.

    A live lane holds one frame: a newer one replaces it and the old one is counted as stale. A file's lane
    holds a few and makes its capture thread wait, so that none is lost. The one worker takes from the lanes
    in turn, so that no camera starves another.
    """

    def __init__(self, live: Sequence[bool]) -> None:
        self._lanes = [_Lane(is_live) for is_live in live]
        self._changed = threading.Condition()
        self._closed = False
        self._turn = 0
        self._taken_ns: int | None = None  # None while the worker waits
        self._turns_ns: deque[int] = deque(maxlen=RECENT)

    def put(self, lane_index: int, given: Given) -> bool:
        """Hand over a frame; blocks on a full file lane. False if nobody will take it any more."""
        lane = self._lanes[lane_index]
        with self._changed:
            if lane.is_live:
                if lane.frames:
                    lane.frames.clear()
                    lane.stale += 1
            else:
                self._changed.wait_for(
                    lambda: self._closed or lane.ended or len(lane.frames) < FILE_LANE_DEPTH
                )
            if self._closed or lane.ended:
                lane.left += 1
                return False
            lane.frames.append(given)
            self._changed.notify_all()
            return True

    def end(self, lane_index: int, /, *, discard: bool = False) -> None:
        """See :class:`edgecam.pipeline.feed.Supply`."""
        with self._changed:
            lane = self._lanes[lane_index]
            lane.ended = True
            if discard:
                lane.left += len(lane.frames)
                lane.frames.clear()
            self._changed.notify_all()

    def take(self, timeout_s: float, admit: Callable[[int, Given], T]) -> T | None:
        """See :class:`edgecam.pipeline.feed.Supply`: the lanes in turn. One thread takes."""
        taken = self._take(timeout_s)
        return None if taken is None else admit(*taken)

    def _take(self, timeout_s: float) -> tuple[int, Given] | None:
        with self._changed:
            if self._taken_ns is not None:
                self._turns_ns.append(now_ns() - self._taken_ns)
                self._taken_ns = None
            self._changed.wait_for(self._has_news, timeout_s)
            for step in range(len(self._lanes)):
                index = (self._turn + step) % len(self._lanes)
                if self._lanes[index].frames:
                    self._turn = index + 1
                    given = self._lanes[index].frames.popleft()
                    self._changed.notify_all()
                    self._taken_ns = now_ns()
                    return index, given
            if self._closed or all(lane.ended for lane in self._lanes):
                raise EndOfStream("no source has more frames")
            return None

    def _has_news(self) -> bool:
        return (
            self._closed
            or any(lane.frames for lane in self._lanes)
            or all(lane.ended for lane in self._lanes)
        )

    def close(self) -> None:
        """See :class:`edgecam.pipeline.feed.Supply`."""
        with self._changed:
            self._closed = True
            for lane in self._lanes:
                lane.left += len(lane.frames)
                lane.frames.clear()
            self._changed.notify_all()

    def busy_for(self, ns: int) -> bool:
        """Whether the worker most likely takes nothing for so long. Any thread."""
        with self._changed:
            if self._taken_ns is None or len(self._turns_ns) < RECENT:
                return False
            turn_ns = sorted(self._turns_ns)[RECENT // 4]
            return self._taken_ns + turn_ns - now_ns() > ns

    def pass_over(self, lane_index: int, count: int) -> None:
        """Count frames of a live lane as replaced that were not even decoded."""
        with self._changed:
            self._lanes[lane_index].stale += count

    def stale(self, lane_index: int, /) -> int:
        """See :class:`edgecam.pipeline.feed.Supply`."""
        with self._changed:
            return self._lanes[lane_index].stale

    def left(self, lane_index: int, /) -> int:
        """See :class:`edgecam.pipeline.feed.Supply`."""
        with self._changed:
            return self._lanes[lane_index].left
