"""A source whose frames carry their number in their pixels."""

from __future__ import annotations

import random
import threading
import time

import numpy as np

from edgecam.capture.base import FrameIteration
from edgecam.core.clock import now_ns
from edgecam.core.errors import CaptureError, EndOfStream
from edgecam.core.ports import BusyFor
from edgecam.core.types import Frame


class QuietSource:
    """What a source without anything special says of itself."""

    name = ""
    notice = ""
    epoch = 0
    credit = ""
    keep_clear = None
    undecoded = 0

    def rename(self, name: str) -> None:
        self.name = name

    def skip_decoding(self, busy_for: BusyFor) -> None:
        """Nothing to skip."""


class NumberedSource(FrameIteration, QuietSource):
    """Frames whose first pixel holds their number; stalls and size changes as a seeded generator says."""

    rate_hz = None
    description = "numbered"
    name = "numbered"
    size_wh = (32, 24)

    def __init__(self, count: int, *, is_live: bool, seed: int = 0, fail_at: int | None = None) -> None:
        self.is_live = is_live
        self.closed = threading.Event()
        self._count = count
        self._random = random.Random(seed)
        self._fail_at = fail_at
        self._next = 0

    def read(self, timeout_s: float) -> Frame | None:
        if self.closed.is_set() or self._next >= self._count:
            raise EndOfStream("done")
        if self._next == self._fail_at:
            raise CaptureError("the cable is out")
        if self._random.random() < 0.001:
            return None
        if self.is_live and self._random.random() < 0.01:
            time.sleep(0.0005)
        side = 24 if self._random.random() < 0.9 else 48
        image = np.zeros((side, 32, 3), np.uint8)
        image[0, 0] = (self._next & 255, self._next >> 8 & 255, self._next >> 16)
        frame = Frame(image, self._next, now_ns(), self.name, None if self.is_live else self._next * 10**7)
        self._next += 1
        return frame

    def close(self) -> None:
        self.closed.set()
