"""People who walk known ways, as a perfect detector would see them, and everything that spoils that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from edgecam.core.types import Detections
from edgecam.rules.objects import Seen

SIZE_WH = (1280, 720)
RATE_HZ = 15.0
LABELS = ("person", "car")


@dataclass(frozen=True)
class Walker:
    """A person a quarter of the picture high whose foot walks along ``stops``: (second, x, y)."""

    stops: tuple[tuple[float, float, float], ...]
    label: str = "person"
    height: float = 0.25

    def foot(self, at_s: float) -> tuple[float, float] | None:
        times = [stop[0] for stop in self.stops]
        if not times[0] <= at_s <= times[-1]:
            return None
        return (
            float(np.interp(at_s, times, [s[1] for s in self.stops])),
            float(np.interp(at_s, times, [s[2] for s in self.stops])),
        )

    def box(self, at_s: float) -> tuple[float, float, float, float] | None:
        foot = self.foot(at_s)
        if foot is None:
            return None
        x, y, h = foot[0] * SIZE_WH[0], foot[1] * SIZE_WH[1], self.height * SIZE_WH[1]
        w = h * 0.4
        return (x - w / 2, y - h, x + w / 2, y)


@dataclass(frozen=True)
class Spoiled:
    """Shares per object and frame: missed, numbers swapped with another one's or lost; false boxes."""

    missed: float = 0.0
    swapped: float = 0.0
    renumbered: float = 0.0
    false: float = 0.0
    trembling_px: float = 0.0
    occluded_s: float = 0.0
    every_s: float = 20.0


CLEAN = Spoiled()


def frames(
    walkers: list[Walker],
    seconds: float,
    spoiled: Spoiled = CLEAN,
    seed: int = 0,
    rate_hz: float = RATE_HZ,
) -> Iterator[tuple[int, list[Seen]]]:
    """(nanoseconds, what is seen) of each frame."""
    rng = np.random.default_rng(seed)
    numbers = list(range(1, len(walkers) + 1))
    fresh = 1000
    away = rng.uniform(0, spoiled.every_s, len(walkers))
    for index in range(int(seconds * rate_hz)):
        at_s = index / rate_hz
        here = [(i, box) for i, w in enumerate(walkers) if (box := w.box(at_s)) is not None]
        for i, _ in here:
            if rng.random() < spoiled.renumbered:
                fresh += 1
                numbers[i] = fresh
            if len(here) > 1 and rng.random() < spoiled.swapped:
                other = here[int(rng.integers(len(here)))][0]
                numbers[i], numbers[other] = numbers[other], numbers[i]
        seen = []
        for i, box in here:
            if rng.random() < spoiled.missed:
                continue
            if spoiled.occluded_s and (at_s + away[i]) % spoiled.every_s < spoiled.occluded_s:
                continue
            shaken = np.array(box) + rng.normal(0, spoiled.trembling_px, 4) if spoiled.trembling_px else box
            seen.append(Seen(numbers[i], walkers[i].label, 0.8, *(round(float(v), 1) for v in shaken)))  # type: ignore[arg-type]
        if rng.random() < spoiled.false:
            fresh += 1
            x, y = rng.uniform(0, SIZE_WH[0] - 80), rng.uniform(0, SIZE_WH[1] - 180)
            seen.append(Seen(fresh, "person", 0.5, x, y, x + 72, y + 180))
        yield round(at_s * 1e9), seen


def as_detections(seen: list[Seen]) -> Detections:
    return Detections(
        np.array([s[3:7] for s in seen], np.float32).reshape(-1, 4),
        np.array([s.score for s in seen], np.float32),
        np.array([LABELS.index(s.label) for s in seen], np.int32),
        LABELS,
        track_id=np.array([s.track_id for s in seen], np.int32),
    )


def crossing_street(count: int, seed: int = 0) -> tuple[list[Walker], int, int, float]:
    """Walkers who go up and down through the line y = 0.6, one after the other; and (in, out, seconds).

    A third turns round before the line, a third crosses once, the rest crosses and comes back.
    """
    rng = np.random.default_rng(seed)
    walkers, counted_in, counted_out = [], 0, 0
    for n in range(count):
        start = n * 1.5
        x = float(rng.uniform(0.1, 0.9))
        down = bool(rng.integers(2))
        first, far = (0.35, 0.9) if down else (0.9, 0.35)
        near = 0.55 if down else 0.68
        kind = n % 3
        stops: tuple[tuple[float, float, float], ...]
        if kind == 0:
            stops = ((start, x, first), (start + 3, x, near), (start + 6, x, first))
        elif kind == 1:
            stops = ((start, x, first), (start + 5, x + 0.05, far))
            counted_in, counted_out = counted_in + down, counted_out + (not down)
        else:
            stops = ((start, x, first), (start + 5, x, far), (start + 6, x, far), (start + 11, x, first))
            counted_in, counted_out = counted_in + 1, counted_out + 1
        walkers.append(Walker(stops))
    return walkers, counted_in, counted_out, count * 1.5 + 14
