"""The changing code on the screen: how it is drawn, and how it is read from a camera's picture.

ArUco markers (Garrido-Jurado et al. 2014), which OpenCV draws and finds: a black frame to locate, 5 by 5
cells within. Any two of the 250 differ in many cells, so half of one and half of the next (a rolling shutter)
reads as neither, and a blend of two (a long exposure) as the one that shone longer.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecam.core.types import Image

#: How many codes there are; then they begin again.
CODES = 250
#: Cells along a side: 5 of the number, the frame, and a white margin that OpenCV needs around it.
CELLS = 5 + 2 + 2
#: Pictures are read at most this wide: a code that fills a quarter of it has cells of 18 pixels.
READ_WIDTH = 640
#: The picture of the camera's picture holds an older code, smaller; a code that shrinks so fast is that one.
SHRINKS = 0.6
#: Around the place where the code was last seen, this share of its size is searched before the whole picture.
MARGIN = 0.35
#: A lower side would be read by luck: two pixels a cell.
LEAST_SIDE_PX = 2 * CELLS


def draw(value: int, side_px: int) -> Image:
    """Code ``value`` (modulo :data:`CODES`) with its white margin; (side, side) uint8, black on white.

    The side is ``side_px``, or less by what does not divide into cells.
    """
    cell = max(1, side_px // CELLS)
    marker = cv2.aruco.generateImageMarker(_dictionary(), value % CODES, cell * (CELLS - 2))
    out = np.full((cell * CELLS, cell * CELLS), 255, np.uint8)
    out[cell:-cell, cell:-cell] = marker
    return out


@lru_cache(maxsize=1)
def _dictionary() -> cv2.aruco.Dictionary:
    return cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_5X5_250)


class CodeReader:
    """Finds the code in pictures of one camera, upright, turned, or mirrored. One thread at a time."""

    def __init__(self) -> None:
        parameters = cv2.aruco.DetectorParameters()
        parameters.errorCorrectionRate = 0.0  # what is not certain is not read
        self._detector = cv2.aruco.ArucoDetector(_dictionary(), parameters)
        self._corners: NDArray[np.float32] | None = None
        self._mirrored = False
        self._lost = 0

    @property
    def side_px(self) -> float:
        """Length of the code's side when it was last seen, in the picture as it is read; 0 before."""
        return 0.0 if self._corners is None else _side(self._corners)

    def read(self, image: Image) -> int | None:
        """The code in ``image`` (H, W, 3) uint8 BGR, or None if there is none that is certain."""
        grey = np.asarray(cv2.cvtColor(_reduced(image), cv2.COLOR_BGR2GRAY), np.uint8)
        if self._mirrored:
            grey = np.ascontiguousarray(grey[:, ::-1])
        value = self._near(grey)
        if value is None:
            value = self._anywhere(grey)
        if value is None and self._corners is None:
            value = self._anywhere(np.ascontiguousarray(grey[:, ::-1]))
            self._mirrored = value is not None
        self._lost = 0 if value is not None else self._lost + 1
        if self._lost > 60:  # about two seconds: the camera was moved, all begins anew
            self._corners, self._mirrored, self._lost = None, False, 0
        return value

    def _near(self, grey: Image) -> int | None:
        if self._corners is None:
            return None
        low, high = self._corners.min(axis=0), self._corners.max(axis=0)
        reach = MARGIN * float((high - low).max())
        x0, y0 = (int(max(0.0, v - reach)) for v in low)
        x1, y1 = (int(v + reach) + 1 for v in high)
        return self._find(np.ascontiguousarray(grey[y0:y1, x0:x1]), (x0, y0))

    def _anywhere(self, grey: Image) -> int | None:
        return self._find(grey, (0, 0))

    def _find(self, grey: Image, at: tuple[int, int]) -> int | None:
        corners, ids, _ = self._detector.detectMarkers(grey)
        if ids is None or not len(corners):
            return None
        found = [np.asarray(c, np.float32).reshape(4, 2) + np.array(at, np.float32) for c in corners]
        best = max(range(len(found)), key=lambda i: _side(found[i]))
        side = _side(found[best])
        if side < max(LEAST_SIDE_PX, SHRINKS * self.side_px):
            return None
        self._corners = found[best]
        return int(np.asarray(ids).reshape(-1)[best])


def _reduced(image: Image) -> Image:
    height, width = image.shape[:2]
    if width <= READ_WIDTH:
        return image
    size = (READ_WIDTH, max(1, round(height * READ_WIDTH / width)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _side(corners: NDArray[np.float32]) -> float:
    return float(np.linalg.norm(corners - np.roll(corners, 1, axis=0), axis=1).mean())
