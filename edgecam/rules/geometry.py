"""Polygons and lines on a picture, in its pixels: zones that hold a point, sides of a line, the ground."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np

Point = tuple[float, float]

#: A zone that was entered is left only this far outside it, as a share of the picture's height: twice what
#: the foot of a walking person's box trembles at 720p (benchmarks/stable_boxes.py).
MARGIN = 0.01
#: Cells into which the picture is divided to find the zones that a point may be in.
GRID_WH = (64, 36)


def area(points: Sequence[Point]) -> float:
    """Area of a polygon, in squared units of its points."""
    total = 0.0
    for (x1, y1), (x2, y2) in zip(points, (*points[1:], points[0]), strict=True):
        total += x1 * y2 - x2 * y1
    return abs(total) / 2


def crossing_edges(points: Sequence[Point]) -> tuple[int, int] | None:
    """Two edges of a polygon that cross or touch, by number from 0; None if it is a simple one."""
    n = len(points)
    for i in range(n):
        for j in range(i + 1, n):
            if j == i + 1 or (i == 0 and j == n - 1):
                continue
            if _meet(points[i], points[(i + 1) % n], points[j], points[(j + 1) % n]):
                return i, j
    return None


def _turn(a: Point, b: Point, c: Point) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _meet(a: Point, b: Point, c: Point, d: Point) -> bool:
    first, second = _turn(a, b, c) * _turn(a, b, d), _turn(c, d, a) * _turn(c, d, b)
    if first < 0 and second < 0:
        return True
    return any(
        _turn(p, q, r) == 0
        and min(p[0], q[0]) <= r[0] <= max(p[0], q[0])
        and min(p[1], q[1]) <= r[1] <= max(p[1], q[1])
        for p, q, r in ((a, b, c), (a, b, d), (c, d, a), (c, d, b))
    )


class Zones:
    """Which of up to 64 polygons hold a point, as bits by number.

    A grid knows for each cell which polygons hold all of it and whose border is near, so that only those are
    asked. points: normalised corners by zone. size_wh: of the picture in pixels.
    """

    def __init__(self, polygons: Sequence[Sequence[Point]], size_wh: tuple[int, int]) -> None:
        width, height = size_wh
        self.margin_px = MARGIN * height
        scale = np.array([width, height], np.float32)
        self._contours = [np.asarray(p, np.float32) * scale for p in polygons]
        columns, rows = GRID_WH
        self._cell = (width / columns, height / rows)
        half = math.hypot(*self._cell) / 2
        sure = [[0] * columns for _ in range(rows)]
        near = [[0] * columns for _ in range(rows)]
        for number, contour in enumerate(self._contours):
            bit = 1 << number
            for row in range(rows):
                for column in range(columns):
                    middle = ((column + 0.5) * self._cell[0], (row + 0.5) * self._cell[1])
                    inside = cv2.pointPolygonTest(contour, middle, True)
                    if inside > half:
                        sure[row][column] |= bit
                    elif inside >= -half - self.margin_px:
                        near[row][column] |= bit
        self._sure, self._near = sure, near

    def holding(self, point: Point, before: int = 0) -> int:
        """The zones that hold ``point`` (pixels), as bits; those in ``before`` hold it a little
        beyond their border."""
        column = min(GRID_WH[0] - 1, max(0, int(point[0] / self._cell[0])))
        row = min(GRID_WH[1] - 1, max(0, int(point[1] / self._cell[1])))
        found = self._sure[row][column]
        near = self._near[row][column]
        while near:
            bit = near & -near
            near ^= bit
            contour = self._contours[bit.bit_length() - 1]
            if before & bit:
                if cv2.pointPolygonTest(contour, point, True) >= -self.margin_px:
                    found |= bit
            elif cv2.pointPolygonTest(contour, point, False) >= 0:
                found |= bit
        return found

    def inside_px(self, number: int, point: Point) -> float:
        """How far inside a zone a point is, pixels; negative outside."""
        return float(cv2.pointPolygonTest(self._contours[number], point, True))


class Line:
    """A line from ``a`` to ``b`` in pixels. Its ``in`` side is the right hand of who looks from a to b."""

    def __init__(self, a: Point, b: Point, size_wh: tuple[int, int]) -> None:
        width, height = size_wh
        self._ax, self._ay = a[0] * width, a[1] * height
        self._dx, self._dy = (b[0] - a[0]) * width, (b[1] - a[1]) * height
        self._length = math.hypot(self._dx, self._dy)
        #: What passes an end by less still crosses, as a share of the line.
        self._slack = MARGIN * height / self._length

    def side_px(self, point: Point) -> float:
        """Distance from the endless line, pixels: positive on the ``in`` side (y grows downwards)."""
        return (self._dx * (point[1] - self._ay) - self._dy * (point[0] - self._ax)) / self._length

    def passes(self, before: Point, after: Point) -> bool:
        """Whether the way between two points on different sides goes through the line, not round its end."""
        s1, s2 = self.side_px(before), self.side_px(after)
        share = s1 / (s1 - s2) if s1 != s2 else 0.5
        x = before[0] + share * (after[0] - before[0]) - self._ax
        y = before[1] + share * (after[1] - before[1]) - self._ay
        along = (x * self._dx + y * self._dy) / self._length**2
        return -self._slack <= along <= 1 + self._slack


class Plane:
    """A zone's four corners as a rectangle on the ground, for speeds in metres per second.

    real: metres from the first corner to the second, and from the second to the third.
    """

    def __init__(self, corners: Sequence[Point], real: tuple[float, float], size_wh: tuple[int, int]) -> None:
        scale = np.array(size_wh, np.float32)
        width, length = real
        flat = np.array([(0, 0), (width, 0), (width, length), (0, length)], np.float32)
        found = cv2.getPerspectiveTransform(np.asarray(corners, np.float32) * scale, flat)
        self._rows: list[list[float]] = found.tolist()

    def metres(self, point: Point) -> Point | None:
        """Where a point of the picture (pixels) is on the ground; None at or above its horizon."""
        (a, b, c), (d, e, f), (g, h, i) = self._rows
        x, y = point
        depth = g * x + h * y + i
        if depth <= 1e-9:
            return None
        return (a * x + b * y + c) / depth, (d * x + e * y + f) / depth
