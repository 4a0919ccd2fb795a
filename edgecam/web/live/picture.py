"""A picture for the page: its size, scaled, as JPEG."""

from __future__ import annotations

import cv2
import numpy as np

from edgecam.core.types import Image

#: Live pictures fit into this unless the viewer asks for all of it: a quarter of the pixels of 1080p, and
#: what a phone shows. Width and height.
LIVE_WH = (960, 540)
JPEG_QUALITY = 80


def fit(size_wh: tuple[int, int], limit_wh: tuple[int, int] | None) -> tuple[int, int]:
    """The size, with even sides, at which such a picture is sent; never enlarged."""
    width, height = size_wh
    scale = 1.0 if limit_wh is None else min(1.0, limit_wh[0] / width, limit_wh[1] / height)
    return max(2, round(width * scale) & ~1), max(2, round(height * scale) & ~1)


def scaled(image: Image, size_wh: tuple[int, int]) -> Image:
    """The picture in that size; the same array if it has it. Areas are averaged when halved or less."""
    if (image.shape[1], image.shape[0]) == size_wh:
        return image
    small = size_wh[0] * 2 <= image.shape[1]
    made = cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA if small else cv2.INTER_LINEAR)
    return np.asarray(made, np.uint8)


def jpeg(image: Image, quality: int = JPEG_QUALITY) -> bytes:
    """(H, W, 3) uint8 BGR as JPEG."""
    done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ValueError(f"a picture of {image.shape[1]}x{image.shape[0]} could not be made a JPEG")
    return data.tobytes()
