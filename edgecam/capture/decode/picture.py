"""Decodes a picture from outside, after its header has shown that it is within the limits."""

from __future__ import annotations

from typing import cast

import cv2
import numpy as np

from edgecam.capture.decode.headers import picture_size
from edgecam.capture.limits import FILE_PIXELS, JPEG_SCANS
from edgecam.core.types import Image
from edgecam.media.limits import check_pixels


def decode_picture(data: bytes, max_pixels: int = FILE_PIXELS) -> Image:
    """(H, W, 3) uint8 BGR, turned as its EXIF says. ValueError if it is damaged, no picture, or too large."""
    size = picture_size(data)
    if size is None:
        raise ValueError("it is no picture")
    check_pixels(*size, max_pixels)
    if data.startswith(b"\xff\xd8") and data.count(b"\xff\xda") > JPEG_SCANS:
        raise ValueError(f"it has more than {JPEG_SCANS} scans")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        image = None
    if image is None:
        raise ValueError("it is damaged")
    return cast(Image, image)
