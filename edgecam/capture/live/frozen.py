"""Tells a camera that hangs on its last picture from one that looks at a quiet scene."""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

# Enough of a raw picture to meet some sensor noise, little enough to cost nothing (about 20 µs).
_SAMPLE_BYTES = 65536


class FrozenFrameDetector:
    """Watches for the same bytes over and over. Sensor noise makes true pictures differ, even at night."""

    def __init__(self, still_after_s: float) -> None:
        self._after_ns = int(still_after_s * 1e9)
        self._digest: int | None = None
        self._since_ns = 0

    def is_still(self, data: NDArray[np.uint8], at_ns: int) -> bool:
        """True once ``data`` has been the same for longer than allowed. ``data``: any contiguous bytes."""
        if self._after_ns <= 0:
            return False
        flat = data.reshape(-1)
        digest = zlib.crc32(flat[:: max(1, flat.size // _SAMPLE_BYTES)].tobytes())
        if digest != self._digest:
            self._digest, self._since_ns = digest, at_ns
            return False
        return at_ns - self._since_ns > self._after_ns
