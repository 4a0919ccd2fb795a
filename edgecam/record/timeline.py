"""Where each frame stands in the recording: true times, or a constant rate's grid."""

from __future__ import annotations

from edgecam.core.types import Result
from edgecam.media.encoder import TICKS_PER_S
from edgecam.media.packets import to_ticks

#: A timeline that jumps back by more than this (a file that starts again) is carried on after the last frame.
JUMP_TICKS = TICKS_PER_S
#: Frames are at least this far apart: Matroska counts milliseconds, and equal times would be a step back.
LEAST_STEP = TICKS_PER_S // 1000
#: At most this much time is filled with repeated pictures at a constant rate.
FILL_S = 10.0


class Timeline:
    """Gives frames their ticks, always growing. One thread.

    constant_hz: put frames on a grid of this rate: pictures are repeated or left out. None: true times.
    """

    def __init__(self, nominal_hz: float | None, constant_hz: float | None) -> None:
        self._step = round(TICKS_PER_S / (nominal_hz or 30.0))
        self._hz = constant_hz
        self._shift = 0
        self._last: int | None = None
        self._grid: tuple[int, int] | None = None  # first tick, last place

    def ticks(self, result: Result) -> list[int]:
        """The ticks at which to encode: the last is the frame's own, those before repeat the picture before.

        Empty if the frame has no place of its own on the grid.
        """
        pts = self._true(result)
        if self._hz is None:
            self._last = pts
            return [pts]
        if self._grid is None:
            self._grid = (pts, 0)
            self._last = pts
            return [pts]
        first, last = self._grid
        place = round((pts - first) * self._hz / TICKS_PER_S)
        if place <= last:
            return []
        self._grid = (first, place)
        begin = max(last + 1, place - round(FILL_S * self._hz))
        found = [first + round(n * TICKS_PER_S / self._hz) for n in range(begin, place + 1)]
        self._last = found[-1]
        return found

    def _true(self, result: Result) -> int:
        ticks = to_ticks(result.frame.timeline_ns) + self._shift
        last = self._last
        if last is None or ticks >= last + LEAST_STEP or self._hz is not None:
            return ticks
        if last - ticks > JUMP_TICKS:
            self._shift += last + self._step - ticks
            return last + self._step
        return last + LEAST_STEP

    def restart(self) -> None:
        """New encoders: the next frame begins a new grid."""
        self._grid = None
