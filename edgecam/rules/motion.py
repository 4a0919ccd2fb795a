"""Where something moves, as a small grid of bits that a result carries, so that a replay sees the same."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from edgecam.core.types import Image
from edgecam.media.motion import SIZE_WH, MotionDetector
from edgecam.rules.geometry import Point

#: Cells of the grid: five by five pixels of the detector's each.
CELLS_WH = (32, 18)
#: Share of a cell's pixels that must differ.
SHARE = 0.2
#: A movement has begun after so many pictures in a row, and is over after so long without.
PICTURES, OVER_NS = 2, 2_000_000_000
#: Share of an area's cells that must move, at least one.
AREA_SHARE = 0.01


class MotionGrid:
    """Which cells of the picture move. One thread."""

    def __init__(self) -> None:
        self._detector = MotionDetector()

    def look(self, image: Image) -> str:
        """The cells that move, as hexadecimal digits: bit ``row * 32 + column``, from the upper left."""
        columns, rows = CELLS_WH
        moving = self._detector.pixels(image)
        shares = moving.reshape(rows, SIZE_WH[1] // rows, columns, SIZE_WH[0] // columns).mean(axis=(1, 3))
        bits = np.packbits((shares >= SHARE).reshape(-1), bitorder="little")
        return f"{int.from_bytes(bits.tobytes(), 'little'):x}"


class MotionArea:
    """Whether something moves in a polygon, or anywhere (no points)."""

    def __init__(self, points: Sequence[Point] = ()) -> None:
        self._mask = cells_of(points)
        self._need = max(1, round(AREA_SHARE * self._mask.bit_count())) if points else 2
        self._times = 0
        self._last_ns = 0
        self.moving = False
        self.since_ns = 0

    def feed(self, moved: int, at_ns: int) -> None:
        """Take in the next picture's grid; ``moving`` then says whether there is movement."""
        if (moved & self._mask).bit_count() >= self._need:
            if self._times == 0 and not self.moving:
                self.since_ns = at_ns
            self._times += 1
            self._last_ns = at_ns
            self.moving = self.moving or self._times >= PICTURES
        else:
            self._times = 0
            self.moving = self.moving and at_ns - self._last_ns <= OVER_NS


def cells_of(points: Sequence[Point]) -> int:
    """The cells whose middle is in a polygon, as bits; all without points, and never none."""
    columns, rows = CELLS_WH
    if not points:
        return (1 << columns * rows) - 1
    contour = np.asarray(points, np.float32) * np.array(CELLS_WH, np.float32)
    found = 0
    for row in range(rows):
        for column in range(columns):
            if cv2.pointPolygonTest(contour, (column + 0.5, row + 0.5), False) >= 0:
                found |= 1 << row * columns + column
    if not found:  # smaller than a cell
        x, y = contour.mean(axis=0)
        found = 1 << min(rows - 1, int(y)) * columns + min(columns - 1, int(x))
    return found
