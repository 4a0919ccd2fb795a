"""Single boxes as plain numbers: for a few boxes this is far quicker than arrays."""

from __future__ import annotations

import math

from edgecam.tracking.shapes import AT_EDGE

#: x1, y1, x2, y2 in pixels.
Box = list[float]
Point = tuple[float, float]


def middle_of(box: Box) -> Point:
    """Its centre."""
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def area_of(box: Box) -> float:
    """Its area in square pixels, at least 1."""
    return max((box[2] - box[0]) * (box[3] - box[1]), 1.0)


def size_of(box: Box) -> float:
    """The root of its area, pixels."""
    return math.sqrt(area_of(box))


def common_area(a: Box, b: Box) -> float:
    """The area in square pixels that both cover."""
    wide = min(a[2], b[2]) - max(a[0], b[0])
    high = min(a[3], b[3]) - max(a[1], b[1])
    return wide * high if wide > 0.0 and high > 0.0 else 0.0


def apart(a: Point, b: Point) -> float:
    """The difference in x or in y, whichever is greater."""
    return max(abs(a[0] - b[0]), abs(a[1] - b[1]))


def edges_apart(a: Box, b: Box) -> float:
    """The greatest difference between two corresponding edges."""
    return max(abs(a[0] - b[0]), abs(a[1] - b[1]), abs(a[2] - b[2]), abs(a[3] - b[3]))


def cut_by_edge(box: Box, width: float, height: float) -> bool:
    """Whether the edge of a picture of this size, pixels, may hide a part of it."""
    near_x, near_y = AT_EDGE * width, AT_EDGE * height
    return box[0] < near_x or box[1] < near_y or box[2] > width - near_x or box[3] > height - near_y
