"""Cameras' JPEG by simplejpeg: to the pixel what OpenCV makes of it, in three quarters of the time."""

from __future__ import annotations

from typing import cast

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from edgecam.capture.decode.headers import picture_size
from edgecam.capture.decode.memory import Allocate, fresh
from edgecam.capture.limits import JPEG_SCANS, LIVE_PIXELS
from edgecam.core.types import Image

_END = b"\xff\xd9"
#: Exif data are the first segment, or follow JFIF's, which is short.
_EXIF, _EXIF_WITHIN = b"Exif\0\0", 256
_FLAGS = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}
#: Markers of a JPEG (ITU-T T.81, table B.1): start of scan.
_SCAN = b"\xff\xda"


def is_bearable(data: NDArray[np.uint8], max_pixels: int = LIVE_PIXELS) -> bool:
    """Whether a JPEG is within the limits, by the size in its header and its number of scans.

    A damaged header may name 4 gigapixels, to be allocated at once; a thousand scans take minutes.
    """
    raw = data.tobytes()
    size = picture_size(raw)
    return size is not None and size[0] * size[1] <= max_pixels and raw.count(_SCAN) <= JPEG_SCANS


def decode_jpeg(data: NDArray[np.uint8], size_wh: tuple[int, int], reduce: int = 1) -> Image | None:
    """A fresh (H, W, 3) BGR array; None for data that are cut short or no picture.

    A damaged picture is given as far as it decodes. size_wh: the size that the picture should have, before
    ``reduce`` (1, 2, 4 or 8) makes it smaller.
    """
    if data.size < 4 or data[0] != 0xFF or data[1] != 0xD8:  # the start-of-image marker
        return None
    try:
        # A picture that was cut short has no end, one that was damaged may have another size: OpenCV judges.
        if reduce == 1 and data.tobytes().rfind(_END) > 0:
            width, height = size_wh
            if simplejpeg.decode_jpeg_header(data)[:2] == (height, width):
                return cast(Image, simplejpeg.decode_jpeg(data, "BGR", strict=False))
    except ValueError:  # a few kinds of damage that OpenCV reads over
        pass
    if not is_bearable(data):
        return None
    try:
        return cast("Image | None", cv2.imdecode(data, _FLAGS[reduce] | cv2.IMREAD_IGNORE_ORIENTATION))
    except cv2.error:  # a header that promises an absurd size
        return None


def decode_flawless(data: NDArray[np.uint8], allocate: Allocate = fresh) -> Image | None:
    """An (H, W, 3) BGR array; None if the data are no JPEG, or damaged in any way.

    None, too, for a JPEG with Exif data, since these may say that the picture is to be turned.
    """
    if _EXIF in data[:_EXIF_WITHIN].tobytes() or not is_bearable(data):
        return None
    try:
        height, width = simplejpeg.decode_jpeg_header(data)[:2]
        place = allocate(height, width)
        simplejpeg.decode_jpeg(data, "BGR", buffer=place)
    except ValueError:
        return None
    return place
