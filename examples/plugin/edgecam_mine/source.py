"""``mine://?bars=8``: coloured bars that wander. A source of one's own is this much."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import numpy as np

from edgecam import ConfigError, Frame, SourceOptions
from edgecam.capture.base import BaseSource
from edgecam.core.clock import now_ns


class BarsSource(BaseSource):
    """Called as ``(uri, options)``. ``is_live = True`` would have edgecam reopen it when it is lost."""

    is_live = False

    def __init__(self, uri: str, options: SourceOptions) -> None:
        super().__init__("mine:")
        given = dict(parse_qsl(urlsplit(uri).query))
        if not given.get("bars", "8").isdigit():
            raise ConfigError(f"mine://?bars={given['bars']}: give a whole number")
        self._size_wh, rate_hz = options.size_wh or (640, 480), options.rate_hz or 25.0
        self._rate_hz, self._step_ns = rate_hz, 1e9 / rate_hz
        self._bars = max(1, int(given.get("bars", "8")))
        self._description = f"mine: {self._bars} bars"

    def _read(self, timeout_s: float) -> Frame:  # noqa: ARG002 (it never waits)
        width, height = self._size_wh
        column = (np.arange(width) * self._bars // width + self._index) % 8
        row = np.stack([column & 1, column >> 1 & 1, column >> 2], axis=1).astype(np.uint8) * 255
        image = np.ascontiguousarray(np.broadcast_to(row, (height, width, 3)))
        media_ns = int(self._index * self._step_ns)
        frame = Frame(image, self._index, now_ns(), self._name, media_ns=media_ns)
        self._index += 1
        return frame

    def _release(self) -> None:
        """Nothing to let go of."""
