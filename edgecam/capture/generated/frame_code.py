"""A number drawn into a picture as black and white blocks, readable by a program after scaling and H.264.

One row of 34 blocks over the full width, at the top: white, black, 24 bits of the number, 8 bits of checksum.
"""

from __future__ import annotations

import numpy as np

from edgecam.core.types import Image

_BITS = 24
_BLOCKS = 2 + _BITS + 8


def band_height(height: int) -> int:
    """How many rows at the top of a picture of ``height`` pixels the code takes."""
    return max(4, height // 30)


def draw_code(image: Image, value: int) -> None:
    """Draw ``value`` (modulo 2**24) across the top of ``image`` (H, W, 3), W at least 68."""
    value &= (1 << _BITS) - 1
    word = (0b10 << (_BITS + 8)) | (value << 8) | _checksum(value)
    bits = np.array([word >> i & 1 for i in range(_BLOCKS - 1, -1, -1)], np.uint8) * 255
    width = image.shape[1]
    row = bits[np.arange(width) * _BLOCKS // width]
    image[: band_height(image.shape[0])] = row[None, :, None]


def read_code(image: Image) -> int | None:
    """The number drawn into ``image``, or None if there is none that can be read."""
    height, width = image.shape[:2]
    if width < 2 * _BLOCKS:
        return None
    row = image[band_height(height) // 2, :, 1]
    centres = ((np.arange(_BLOCKS) + 0.5) * width / _BLOCKS).astype(int)
    word = 0
    for bit in row[centres] > 127:
        word = word << 1 | int(bit)
    value = word >> 8 & ((1 << _BITS) - 1)
    return value if word >> (_BITS + 8) == 0b10 and word & 0xFF == _checksum(value) else None


def _checksum(value: int) -> int:
    # the constant keeps an all-black band from being a valid zero
    return (value ^ value >> 8 ^ value >> 16 ^ 0x5A) & 0xFF
