"""Energy from power readings, so that joules per frame are right whatever the meter's rate."""

from __future__ import annotations

from collections import deque

from edgecam.core.state import EnergySpan

WINDOW_NS = 10_000_000_000


class EnergyIntegrator:
    """Trapezoids over the readings' own times. One thread.

    Work is counted at the same readings between which energy is, so a frame's share does not depend on how
    often the meter answers. A gap (the sensor vanished) adds neither energy nor work: what was not measured
    is not guessed.
    """

    def __init__(self, window_ns: int = WINDOW_NS, capacity: int = 256) -> None:
        self._window_ns = window_ns
        # (at_ns, energy since the start of this unbroken stretch, frames, inferences)
        self._points: deque[tuple[int, float, int, int]] = deque(maxlen=capacity)
        self._power_w = 0.0
        self._energy_j = 0.0
        self._ns = 0
        self._frames = 0
        self._inferences = 0

    def add(self, at_ns: int, power_w: float, frames: int, inferences: int) -> None:
        """A reading taken at ``at_ns``, when ``frames`` and ``inferences`` had been counted since the start.

        A reading that is not newer than the last one (a meter that repeats itself) is ignored.
        """
        if self._points:
            last_ns, last_j, last_frames, last_inferences = self._points[-1]
            if at_ns <= last_ns:
                return
            step_j = (self._power_w + power_w) / 2.0 * (at_ns - last_ns) / 1e9
            self._energy_j += step_j
            self._ns += at_ns - last_ns
            self._frames += frames - last_frames
            self._inferences += inferences - last_inferences
            self._points.append((at_ns, last_j + step_j, frames, inferences))
            # keep at least one whole interval, however slow the meter is
            while len(self._points) > 2 and self._points[1][0] <= at_ns - self._window_ns:
                self._points.popleft()
        else:
            self._points.append((at_ns, 0.0, frames, inferences))
        self._power_w = power_w

    def gap(self) -> None:
        """A gap, since the meter had nothing to say: the next reading starts a new stretch."""
        self._points.clear()

    def window(self) -> EnergySpan | None:
        """The last seconds (at least one interval of the meter), or None before two readings."""
        if len(self._points) < 2:
            return None
        first, last = self._points[0], self._points[-1]
        return EnergySpan(
            last[1] - first[1], (last[0] - first[0]) / 1e9, last[2] - first[2], last[3] - first[3]
        )

    def total(self) -> EnergySpan | None:
        """Everything measured so far, gaps left out; None before two readings."""
        if self._ns == 0:
            return None
        return EnergySpan(self._energy_j, self._ns / 1e9, self._frames, self._inferences)
