"""Chooses the best of the measured ways to run a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from edgecam.inference.tuning.measure import Measurement

Purpose = Literal["rate", "watts"]

#: Fewer threads, fp32, and less CPU are preferred if they are at most so much slower: capture and painting
#: need CPU too, and int8 costs a little accuracy.
TOLERANCE = 1.08


def cost_for(purpose: Purpose, tried: Sequence[Measurement]) -> Callable[[Measurement], float]:
    """The figure to minimise. Without a meter's figure for each, CPU time stands for energy: what is drawn
    beyond idle goes with busy cores."""
    if purpose == "rate":
        return lambda measured: measured.ms
    if any(measured.mj is None for measured in tried):
        return lambda measured: measured.cpu_ms
    return lambda measured: measured.mj or 0.0


def choose(tried: Sequence[Measurement], purpose: Purpose) -> Measurement:
    """The cheapest, or among those within :data:`TOLERANCE` of it the fp32 one with the fewest threads."""
    cost = cost_for(purpose, tried)
    least = min(map(cost, tried))
    near = [measured for measured in tried if cost(measured) <= least * TOLERANCE]
    return min(near, key=lambda m: (m.precision != "fp32", m.provider != "cpu", m.threads, m.ms))
