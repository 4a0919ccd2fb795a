"""What moves in a film: the one detector that triggers, rules and the motion gate look through."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecam.core.types import Image

#: Small enough that sensor noise averages out, large enough that a person at 20 m is a dozen pixels.
SIZE_WH = (160, 90)
#: Grey levels by which a pixel must differ, above a cheap sensor's noise after averaging.
STEP = 12
#: Share of the picture that must differ.
SHARE = 0.003
#: Weight of a new picture in the average: half-life of about 1 s at 15 fps.
ADAPT = 0.05


class MotionDetector:
    """Compares pictures, made small and grey, with their own slow average. One thread.

    The average adapts within some seconds, so that a light that is switched on moves once.
    """

    def __init__(self) -> None:
        self._average: NDArray[np.float32] | None = None

    def pixels(self, image: Image) -> NDArray[np.bool_]:
        """Look at the next picture, (H, W, 3) uint8 BGR; (90, 160), true where it moves: nowhere at first."""
        small = cv2.resize(image, SIZE_WH, interpolation=cv2.INTER_AREA)
        grey = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY).astype(np.float32)
        if self._average is None:
            self._average = grey
        off = grey - self._average
        self._average += np.float32(ADAPT) * off
        moving: NDArray[np.bool_] = np.abs(off) > STEP
        return moving

    def moved(self, image: Image) -> bool:
        """Look at the next picture, and whether enough of it moves."""
        return int(np.count_nonzero(self.pixels(image))) >= SHARE * SIZE_WH[0] * SIZE_WH[1]
