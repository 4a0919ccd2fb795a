"""Uncompressed formats of cameras, decoded."""

from __future__ import annotations

from typing import Any, cast

import cv2
import numpy as np
import pytest
from capture_material import pictures, same

from edgecam.capture.decode.raw import decode
from edgecam.core.types import Image


@pytest.mark.parametrize(
    ("fourcc", "code"),
    [("YUYV", cv2.COLOR_BGR2YUV_YUY2), ("UYVY", cv2.COLOR_BGR2YUV_UYVY), ("YU12", cv2.COLOR_BGR2YUV_I420)],
)
def test_yuv_formats_come_back_as_they_were(fourcc: str, code: int) -> None:
    image = cv2.GaussianBlur(pictures(1)[0], (0, 0), 3)
    raw = cv2.cvtColor(image, code)
    decoded = decode(np.frombuffer(raw.tobytes(), np.uint8), fourcc, (320, 180), 0)
    assert decoded is not None
    assert np.abs(decoded.astype(int) - image).mean() < 3


@pytest.mark.parametrize(
    ("fourcc", "channels"), [("BGR3", 3), ("RGB3", 3), ("GREY", 1), ("XR24", 4), ("XB24", 4)]
)
def test_padding_at_the_line_ends_is_cut_off(fourcc: str, channels: int) -> None:
    image = pictures(1)[0]
    grey = cast(Image, cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR))
    raw: Any = {
        "BGR3": image,
        "RGB3": image[:, :, ::-1],
        "GREY": grey[:, :, :1],
        "XR24": cv2.cvtColor(image, cv2.COLOR_BGR2BGRA),
        "XB24": cv2.cvtColor(image, cv2.COLOR_BGR2RGBA),
    }[fourcc]
    lines = np.full((180, 320 * channels + 32), 99, np.uint8)
    lines[:, : 320 * channels] = raw.reshape(180, -1)
    decoded = decode(lines.reshape(-1), fourcc, (320, 180), lines.shape[1])
    assert decoded is not None
    assert decoded.flags.c_contiguous
    assert same(decoded, grey if fourcc == "GREY" else image)


def test_padded_planes() -> None:
    image = cv2.GaussianBlur(pictures(1)[0], (0, 0), 3)
    wide = cv2.copyMakeBorder(image, 0, 0, 0, 64, cv2.BORDER_REPLICATE)
    raw = np.frombuffer(cv2.cvtColor(wide, cv2.COLOR_BGR2YUV_I420).tobytes(), np.uint8)
    decoded = decode(raw, "YU12", (320, 180), 384)
    assert decoded is not None
    assert decoded.shape == (180, 320, 3)
    assert np.abs(decoded.astype(int) - image).mean() < 3


@pytest.mark.parametrize("fourcc", ["YUYV", "NV12", "YU12", "GREY", "BGR3", "XR24", "MJPG"])
def test_short_buffers_give_no_picture(fourcc: str) -> None:
    assert decode(np.zeros(100, np.uint8), fourcc, (320, 180), 0) is None
