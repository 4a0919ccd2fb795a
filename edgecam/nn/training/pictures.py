"""Pictures as the networks see them at run time."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")


def plain_wh(image: NDArray[np.uint8], size_wh: tuple[int, int]) -> NDArray[np.uint8]:
    """``image`` (H, W, 3) stretched to (width, height), bilinear, as at run time."""
    return cv2.resize(image, size_wh, interpolation=cv2.INTER_LINEAR).astype(np.uint8, copy=False)
