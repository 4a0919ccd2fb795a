"""A source of frames that are already decoded, so that only edgecam's own work is measured."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable

import numpy as np

from edgecam.capture import SourceOptions, open_source
from edgecam.capture.base import BaseSource, Pacer
from edgecam.core.clock import now_ns
from edgecam.core.errors import EndOfStream
from edgecam.core.ports import Source
from edgecam.core.types import Frame, Image


def demo_pictures(count: int, size_wh: tuple[int, int] = (1280, 720), rate_hz: float = 3.0) -> list[Image]:
    """``count`` pictures of ``demo:``, ``1 / rate_hz`` seconds apart, so that every scene is included."""
    with open_source("demo:", SourceOptions(size_wh=size_wh, rate_hz=rate_hz)) as source:
        frames = [source.read(5.0) for _ in range(count)]
    return [np.ascontiguousarray(frame.image) for frame in frames if frame is not None]


class CannedSource(BaseSource):
    """Repeats the same pictures, as a file (``rate_hz`` None) or as a camera at ``rate_hz``."""

    def __init__(
        self, pictures: list[Image], rate_hz: float | None = None, frames: int | None = None
    ) -> None:
        super().__init__("canned:")
        self._pictures = itertools.cycle(pictures)
        self._size_wh = (pictures[0].shape[1], pictures[0].shape[0])
        self._rate_hz = rate_hz or 30.0
        self.is_live = rate_hz is not None
        self._frames = frames
        self._pacer = Pacer(self._closed, rebase=False)

    def _read(self, timeout_s: float) -> Frame | None:
        if self._frames is not None and self._index >= self._frames:
            raise EndOfStream("canned: all frames are out")
        media_ns = int(self._index * 1e9 / self._rate_hz)
        if self.is_live and not self._pacer.wait(media_ns, timeout_s):
            return None
        frame = Frame(
            next(self._pictures),
            self._index,
            now_ns(),
            self._name,
            media_ns=None if self.is_live else media_ns,
        )
        self._index += 1
        return frame


def opener(
    pictures: list[Image], rate_hz: float | None = None, frames: int | None = None
) -> Callable[[str, SourceOptions], Source]:
    """A source opener for :class:`edgecam.app.app.App`."""
    return lambda _uri, _options: CannedSource(pictures, rate_hz, frames)


def machine() -> dict[str, object]:
    """The machine that a figure was measured on; print it beside every figure."""
    from edgecam.host.boards import board_name

    return {"machine": board_name(), "load": round(os.getloadavg()[0], 2)}
