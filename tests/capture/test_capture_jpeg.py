"""A camera's JPEG is what OpenCV makes of it, whole or damaged."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from capture_material import pictures, same
from numpy.typing import NDArray

from edgecam.capture.decode.jpeg import decode_flawless, decode_jpeg
from edgecam.core.types import Image


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
    grey = jpeg(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY))  # type: ignore[arg-type]
    for data in (whole, padded, without_huffman_tables(whole), grey):
        decoded = decode_jpeg(data, (320, 180))
        assert decoded is not None
        assert same(decoded, cv2.imdecode(data, cv2.IMREAD_COLOR))  # type: ignore[arg-type]
        assert decoded.flags.writeable
        flawless = decode_flawless(data)
        assert flawless is not None
        assert same(flawless, decoded)
    half = decode_jpeg(whole, (320, 180), reduce=2)
    assert half is not None
    assert half.shape == (90, 160, 3)


def test_a_damaged_jpeg_is_what_opencv_makes_of_it_and_half_of_one_is_nothing(
    capfd: pytest.CaptureFixture[str],
) -> None:
    data = jpeg(pictures(1)[0])
    assert decode_jpeg(data[: len(data) // 2], (320, 180)) is None
    assert decode_jpeg(data[:-2], (320, 180)) is None
    scan = data.tobytes().index(b"\xff\xda")
    stuffed = np.insert(data, scan, [0, 0])  # simplejpeg refuses it, OpenCV reads over it
    hit = data.copy()
    hit[len(hit) // 2 : len(hit) // 2 + 4] = (0xFF, 0xD9, 0xFF, 0xD9)
    for damaged in (stuffed, hit):
        decoded = decode_jpeg(damaged, (320, 180))
        assert decoded is not None
        assert same(decoded, cv2.imdecode(damaged, cv2.IMREAD_COLOR))  # type: ignore[arg-type]
        assert decode_flawless(damaged) is None
    start = data.tobytes().index(b"\xff\xc0")
    absurd = data.copy()
    absurd[start + 5 : start + 9] = (0xFE, 0xFF, 0xFE, 0xFF)  # 65,279 x 65,279
    assert decode_jpeg(absurd, (320, 180)) is None
    for bad in (absurd, data[:-2], data[: len(data) // 2], data[:3], np.zeros(100, np.uint8)):
        assert decode_flawless(bad) is None
    capfd.readouterr()  # libjpeg's own words


def test_a_picture_that_may_be_turned_is_left_to_who_knows_how() -> None:
    data = jpeg(pictures(1)[0])
    tiff = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"  # orientation 6
    exif = b"Exif\0\0" + tiff
    segment = b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif
    turned = np.frombuffer(data[:2].tobytes() + segment + data[2:].tobytes(), np.uint8)
    upright = cv2.imdecode(turned, cv2.IMREAD_COLOR)
    assert upright is not None
    assert upright.shape == (320, 180, 3), "the test's own picture is as meant"
    assert decode_flawless(turned) is None
