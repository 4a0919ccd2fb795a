"""Formats of cameras, decoded."""

from __future__ import annotations

from typing import Any, cast

import cv2
import numpy as np
import pytest
from capture_material import pictures, same
from numpy.typing import NDArray

from edgecam.capture.rawdecode import decode
from edgecam.types import Image


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


def jpeg(image: Image, *options: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.imencode(".jpg", image, options)[1], np.uint8).reshape(-1)


def without_huffman_tables(data: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """As many webcams send it: MJPEG's tables are fixed, so they leave them out."""
    given = data.tobytes()
    kept, at = given[:2], 2
    while given[at + 1] != 0xDA:
        end = at + 2 + int.from_bytes(given[at + 2 : at + 4], "big")
        kept += b"" if given[at + 1] == 0xC4 else given[at:end]
        at = end
    return np.frombuffer(kept + given[at:], np.uint8)


@pytest.mark.parametrize(
    "sampling",
    [
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    ],
)
def test_a_jpeg_is_what_opencv_makes_of_it(sampling: int) -> None:
    image = pictures(1)[0]
    whole = jpeg(image, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling)
    padded = np.concatenate([whole, np.zeros(500, np.uint8)])
    grey = jpeg(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY))
    for data in (whole, padded, without_huffman_tables(whole), grey):
        decoded = decode(data, "MJPG", (320, 180), 0)
        assert decoded is not None
        assert same(decoded, cv2.imdecode(data, cv2.IMREAD_COLOR))
        assert decoded.flags.writeable
    half = decode(whole, "MJPG", (320, 180), 0, reduce=2)
    assert half is not None
    assert half.shape == (90, 160, 3)


def test_a_damaged_jpeg_is_what_opencv_makes_of_it_and_half_of_one_is_nothing(
    capfd: pytest.CaptureFixture[str],
) -> None:
    data = jpeg(pictures(1)[0])
    assert decode(data[: len(data) // 2], "MJPG", (320, 180), 0) is None
    assert decode(data[:-2], "MJPG", (320, 180), 0) is None
    scan = data.tobytes().index(b"\xff\xda")
    stuffed = np.insert(data, scan, [0, 0])  # simplejpeg refuses it, OpenCV reads over it
    hit = data.copy()
    hit[len(hit) // 2 : len(hit) // 2 + 4] = (0xFF, 0xD9, 0xFF, 0xD9)
    for damaged in (stuffed, hit):
        decoded = decode(damaged, "MJPG", (320, 180), 0)
        assert decoded is not None
        assert same(decoded, cv2.imdecode(damaged, cv2.IMREAD_COLOR))
    start = data.tobytes().index(b"\xff\xc0")
    absurd = data.copy()
    absurd[start + 5 : start + 9] = (0xFE, 0xFF, 0xFE, 0xFF)  # 65,279 x 65,279
    assert decode(absurd, "MJPG", (320, 180), 0) is None
    capfd.readouterr()  # libjpeg's own words


@pytest.mark.parametrize("fourcc", ["YUYV", "NV12", "YU12", "GREY", "BGR3", "XR24", "MJPG"])
def test_short_buffers_give_no_picture(fourcc: str) -> None:
    assert decode(np.zeros(100, np.uint8), fourcc, (320, 180), 0) is None
