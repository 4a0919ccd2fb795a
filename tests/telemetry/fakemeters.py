"""A clock that is set, meters that say what a test wants, and frames to count."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgecam.core.types import BoardHealth, Detections, Frame, PowerReading, Result

S = 1_000_000_000
MS = 1_000_000
IMAGE = np.zeros((2, 2, 3), np.uint8)


class Clock:
    def __init__(self) -> None:
        self.ns = 0

    def __call__(self) -> int:
        return self.ns


class FakeMeter:
    """Watts as a function of time; None where the function says so."""

    name = "fake"

    def __init__(self, clock: Clock, watts: Callable[[float], float | None], kind: str = "measured") -> None:
        self.clock, self.watts, self.kind = clock, watts, kind

    def read(self) -> PowerReading | None:
        w = self.watts(self.clock.ns / 1e9)
        return None if w is None else PowerReading(w, self.kind, "fake", self.clock.ns)  # type: ignore[arg-type]


class FakeHealth:
    def __init__(self) -> None:
        self.health = BoardHealth(temperature_c=50.0)

    def read(self) -> BoardHealth:
        return self.health


def frame(i: int, at_ns: int) -> Frame:
    return Frame(IMAGE, i, at_ns, "test")


def result(f: Frame, detect_ms: float, completed_ns: int) -> Result:
    return Result(f, Detections.empty(), detect_ms=detect_ms, completed_ns=completed_ns)
