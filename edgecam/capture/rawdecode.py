"""From a camera's raw buffer to BGR."""

from __future__ import annotations

from typing import cast

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from edgecam.types import Image

_PACKED_YUV = {"YUYV": cv2.COLOR_YUV2BGR_YUY2, "UYVY": cv2.COLOR_YUV2BGR_UYVY}
_PLANAR_YUV = {"NV12": cv2.COLOR_YUV2BGR_NV12, "YU12": cv2.COLOR_YUV2BGR_I420}
_FOUR_BYTES = {"XR24": cv2.COLOR_BGRA2BGR, "XB24": cv2.COLOR_RGBA2BGR}
_JPEG_END = b"\xff\xd9"
_JPEG_FLAGS = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}


def decode(
    data: NDArray[np.uint8], fourcc: str, size_wh: tuple[int, int], stride: int, reduce: int = 1
) -> Image | None:
    """``data``, one buffer's bytes, as a fresh (H, W, 3) BGR array; None if the buffer is short or damaged.

    stride: bytes per line (0 where the driver does not say). reduce: 1, 2, 4 or 8, for JPEG only.
    """
    width, height = size_wh
    if fourcc in ("MJPG", "JPEG"):
        if data.size < 4 or data[0] != 0xFF or data[1] != 0xD8:  # JPEG's start-of-image marker
            return None
        return _jpeg(data, size_wh, reduce)
    if fourcc in _PLANAR_YUV:
        # the chroma lines of YU12 are half as long, so its padding comes off after the conversion
        planes = _lines(data, height * 3 // 2, max(width, stride), stride)
        if planes is None:
            return None
        return np.ascontiguousarray(cast(Image, cv2.cvtColor(planes, _PLANAR_YUV[fourcc]))[:, :width])
    if fourcc in _FOUR_BYTES:
        quads = _lines(data, height, width * 4, stride)
        if quads is None:
            return None
        return cast(Image, cv2.cvtColor(quads.reshape(height, width, 4), _FOUR_BYTES[fourcc]))
    if fourcc == "GREY":
        grey = _lines(data, height, width, stride)
        return None if grey is None else cast(Image, cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR))
    if fourcc in _PACKED_YUV:
        lines = _lines(data, height, width * 2, stride)
        if lines is None:
            return None
        return cast(Image, cv2.cvtColor(lines.reshape(height, width, 2), _PACKED_YUV[fourcc]))
    lines = _lines(data, height, width * 3, stride)
    if lines is None:
        return None
    picture = lines.reshape(height, width, 3)
    return picture.copy() if fourcc == "BGR3" else cast(Image, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))


def _jpeg(data: NDArray[np.uint8], size_wh: tuple[int, int], reduce: int) -> Image | None:
    """As OpenCV decodes it, to the pixel; by simplejpeg where it can be, in three quarters of the time."""
    try:
        # A picture that was cut short has no end, one that was damaged may have another size: OpenCV judges.
        if reduce == 1 and data.tobytes().rfind(_JPEG_END) > 0:
            width, height = size_wh
            if simplejpeg.decode_jpeg_header(data)[:2] == (height, width):
                return cast(Image, simplejpeg.decode_jpeg(data, "BGR", strict=False))
    except ValueError:  # a few kinds of damage that OpenCV reads over
        pass
    try:
        return cast("Image | None", cv2.imdecode(data, _JPEG_FLAGS[reduce] | cv2.IMREAD_IGNORE_ORIENTATION))
    except cv2.error:  # a header that promises an absurd size
        return None


def _lines(data: NDArray[np.uint8], rows: int, used: int, stride: int) -> NDArray[np.uint8] | None:
    """(rows, used) C-contiguous, the padding at each line's end cut off; None if ``data`` is too short."""
    stride = max(stride, used)
    if data.size < rows * stride:
        return None
    return np.ascontiguousarray(data[: rows * stride].reshape(rows, stride)[:, :used])
