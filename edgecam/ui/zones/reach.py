"""What a finger means on a picture with shapes: the nearest corner, side or shape. No Qt here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from edgecam.core.areas import Point
from edgecam.rules.geometry import area
from edgecam.ui.zones.draft import Shape


@dataclass(frozen=True, slots=True)
class PictureRect:
    """Where the picture stands, in the window's own (logical) pixels."""

    x: float
    y: float
    w: float
    h: float

    def on_screen(self, point: Point) -> Point:
        """A normalised point, on the screen."""
        return self.x + point[0] * self.w, self.y + point[1] * self.h

    def share(self, at: Point) -> Point:
        """A place on the screen as a normalised point, on the picture's edge if it is beyond."""
        return (
            min(1.0, max(0.0, (at[0] - self.x) / self.w)),
            min(1.0, max(0.0, (at[1] - self.y) / self.h)),
        )


def nearest(points: Sequence[Point], at: Point, reach: float) -> int | None:
    """The number of the point nearest to ``at`` within ``reach``, or None. All on the screen."""
    far = [math.hypot(x - at[0], y - at[1]) for x, y in points]
    best = min(range(len(far)), key=far.__getitem__, default=None)
    return best if best is not None and far[best] <= reach else None


def middles(shape: Shape) -> list[Point]:
    """The middles of a zone's sides, from which a new corner can be drawn; none of a line."""
    if shape.line:
        return []
    ends = zip(shape.points, (*shape.points[1:], shape.points[0]), strict=True)
    return [((ax + bx) / 2, (ay + by) / 2) for (ax, ay), (bx, by) in ends]


def shape_at(shapes: Sequence[Shape], rect: PictureRect, at: Point, reach: float) -> int | None:
    """The shape that is meant by a touch: the nearest side within reach, else the smallest zone around it."""
    best, least = None, reach
    for number, shape in enumerate(shapes):
        points = [rect.on_screen(p) for p in shape.points]
        sides = list(zip(points, points[1:] if shape.line else (*points[1:], points[0]), strict=False))
        far = min((_from_side(at, a, b) for a, b in sides), default=math.inf)
        if far <= least:
            best, least = number, far
    if best is not None:
        return best
    around = [
        n for n, s in enumerate(shapes) if not s.line and _holds([rect.on_screen(p) for p in s.points], at)
    ]
    return min(around, key=lambda n: area(shapes[n].points), default=None)


def _from_side(at: Point, a: Point, b: Point) -> float:
    dx, dy = b[0] - a[0], b[1] - a[1]
    long = dx * dx + dy * dy
    along = 0.0 if long == 0 else ((at[0] - a[0]) * dx + (at[1] - a[1]) * dy) / long
    along = min(1.0, max(0.0, along))
    return math.hypot(a[0] + along * dx - at[0], a[1] + along * dy - at[1])


def _holds(points: Sequence[Point], at: Point) -> bool:
    inside = False
    for (ax, ay), (bx, by) in zip(points, (*points[1:], points[0]), strict=True):
        if (ay > at[1]) != (by > at[1]) and at[0] < ax + (at[1] - ay) / (by - ay) * (bx - ax):
            inside = not inside
    return inside
