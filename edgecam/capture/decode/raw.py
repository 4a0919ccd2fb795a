"""From a camera's raw buffer to BGR."""

from __future__ import annotations

from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecam.capture.decode.jpeg import decode_jpeg
from edgecam.core.types import Image

_PACKED_YUV = {"YUYV": cv2.COLOR_YUV2BGR_YUY2, "UYVY": cv2.COLOR_YUV2BGR_UYVY}
_PLANAR_YUV = {"NV12": cv2.COLOR_YUV2BGR_NV12, "YU12": cv2.COLOR_YUV2BGR_I420}
_FOUR_BYTES = {"XR24": cv2.COLOR_BGRA2BGR, "XB24": cv2.COLOR_RGBA2BGR}


def decode(
    data: NDArray[np.uint8], fourcc: str, size_wh: tuple[int, int], stride: int, reduce: int = 1
) -> Image | None:
    """``data``, one buffer's bytes, as a fresh (H, W, 3) BGR array; None if the buffer is short or damaged.

    stride: bytes per line (0 where the driver does not say). reduce: 1, 2, 4 or 8, for JPEG only.
    """
    width, height = size_wh
    if fourcc in ("MJPG", "JPEG"):
        return decode_jpeg(data, size_wh, reduce)
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


def _lines(data: NDArray[np.uint8], rows: int, used: int, stride: int) -> NDArray[np.uint8] | None:
    """(rows, used) C-contiguous, the padding at each line's end cut off; None if ``data`` is too short."""
    stride = max(stride, used)
    if data.size < rows * stride:
        return None
    return np.ascontiguousarray(data[: rows * stride].reshape(rows, stride)[:, :used])
