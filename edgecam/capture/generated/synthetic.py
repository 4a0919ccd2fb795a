"""``synthetic:``: moving shapes whose place is known. A test's camera, and part of the product.

Options, as in ``synthetic:?size=1280x720&rate=30&objects=3``:
  size=1280x720   pixels
  rate=30         frames per second
  objects=3       how many shapes
  frames=0        how many frames, 0 for no end
  seed=0          another world
  live=0          1: a camera, which loses frames that nobody takes; 0: a file, which waits
  stall=0         share of reads that deliver nothing within their time-out
  fail=0          share of reads that raise CaptureError (the next read goes on)
  resize=0        share of frames at which the size changes, between full, three quarters and half
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecam.capture.generated.frame_code import band_height, draw_code
from edgecam.capture.generated.source import GeneratedSource
from edgecam.capture.options import SourceOptions
from edgecam.capture.uri import Query, query_of
from edgecam.core.errors import CaptureError
from edgecam.core.types import Detections, Frame, Image

LABELS = ("circle", "rectangle", "triangle")
_KNOWN = ("size", "rate", "objects", "frames", "seed", "live", "stall", "fail", "resize")
_SCALES = (1.0, 0.75, 0.5)


class SyntheticSource(GeneratedSource):
    """Shapes that bounce about, and the frame's number as a block code at the top (:mod:`.frame_code`).

    ``truth(index)`` gives the boxes of frame ``index``. The same seed gives the same world on every machine.
    """

    def __init__(
        self,
        size_wh: tuple[int, int] = (1280, 720),
        rate_hz: float = 30.0,
        *,
        objects: int = 3,
        frames: int = 0,
        seed: int = 0,
        live: bool = False,
        paced: bool = False,
        stall: float = 0.0,
        fail: float = 0.0,
        resize: float = 0.0,
    ) -> None:
        super().__init__("synthetic:", size_wh, rate_hz, frames=frames, live=live, paced=paced)
        self._faults = np.random.default_rng((seed, 1))
        self._stall, self._fail, self._resize = stall, fail, resize
        self._scale_seed = seed
        rng = np.random.default_rng(seed)
        self._kind = rng.integers(0, len(LABELS), objects)
        self._extent = rng.uniform(0.12, 0.30, (objects, 2))  # of the picture's height
        self._start = rng.uniform(0.0, 2.0, (objects, 2))
        self._speed = rng.uniform(0.15, 0.5, (objects, 2)) * rng.choice((-1.0, 1.0), (objects, 2))
        self._colour = rng.integers(40, 256, (objects, 3))
        self._ground = {scale: _ground(self._scaled(scale)) for scale in (_SCALES if resize else (1.0,))}
        self._description = f"synthetic: {size_wh[0]}x{size_wh[1]} at {rate_hz:g} fps, {objects} shapes"

    @classmethod
    def from_uri(cls, uri: str, options: SourceOptions) -> SyntheticSource:
        """From the options in the address, then those of the command line. Raises ConfigError."""
        query = Query("synthetic", query_of(uri), _KNOWN)
        return cls(
            query.size("size", options.size_wh or (1280, 720)),
            query.number("rate", options.rate_hz or 30.0, 0.1, 1000),
            objects=query.integer("objects", 3, 0, 100),
            frames=query.integer("frames", 0, 0, 1 << 24),
            seed=query.integer("seed", options.seed, 0, 1 << 31),
            live=query.flag("live"),
            paced=options.paced,
            stall=query.number("stall", 0.0, 0.0, 1.0),
            fail=query.number("fail", 0.0, 0.0, 1.0),
            resize=query.number("resize", 0.0, 0.0, 1.0),
        )

    def truth(self, index: int) -> Detections:
        """The shapes of frame ``index``: boxes in its pixels, scores 1, track ids, labels ``LABELS``."""
        boxes = self._boxes(index)
        count = len(boxes)
        return Detections(
            boxes.astype(np.float32),
            np.ones(count, np.float32),
            self._kind.astype(np.int32),
            LABELS,
            track_id=np.arange(count, dtype=np.int32),
        )

    def _read(self, timeout_s: float) -> Frame | None:
        if self._stall and self._faults.random() < self._stall:
            self._closed.wait(timeout_s)
            return None
        if self._fail and self._faults.random() < self._fail:
            raise CaptureError("synthetic: a fault was asked for (fail=), and here it is.")
        return super()._read(timeout_s)

    def _scaled(self, scale: float) -> tuple[int, int]:
        return round(self._size_wh[0] * scale), round(self._size_wh[1] * scale)

    def _scale(self, index: int) -> float:
        """The size of frame ``index``: steady over spans of 1/resize frames, then another."""
        if not self._resize:
            return 1.0
        span = int(index * self._resize)
        return _SCALES[(span * 2654435761 + self._scale_seed >> 7) % len(_SCALES)]

    def _boxes(self, index: int) -> NDArray[np.int64]:
        """(objects, 4) xyxy, whole pixels, inside the picture and below the code."""
        width, height = self._scaled(self._scale(index))
        top = band_height(height)
        extent = np.maximum(np.rint(self._extent * (height - top)), 8)
        room = np.maximum(np.array([width, height - top]) - extent, 0)
        phase = np.mod(self._start + self._speed * (index / self._rate_hz), 2.0)
        corner = np.rint((1.0 - np.abs(phase - 1.0)) * room) + np.array([0, top])
        boxes: NDArray[np.int64] = np.concatenate([corner, corner + extent], axis=1).astype(np.int64)
        return boxes

    def _draw(self, index: int) -> Image:
        image: Image = self._ground[self._scale(index)].copy()
        for box, kind, colour in zip(
            self._boxes(index).tolist(), self._kind.tolist(), self._colour.tolist(), strict=True
        ):
            _shape(image, kind, box, colour)
        draw_code(image, index)
        return image


def _shape(image: Image, kind: int, box: list[int], colour: list[int]) -> None:
    x1, y1, x2, y2 = box[0], box[1], box[2] - 1, box[3] - 1
    if kind == 0:
        centre = ((x1 + x2) // 2, (y1 + y2) // 2)
        cv2.ellipse(image, centre, ((x2 - x1) // 2, (y2 - y1) // 2), 0, 0, 360, colour, -1)
    elif kind == 1:
        cv2.rectangle(image, (x1, y1), (x2, y2), colour, -1)
    else:
        corners = np.array([[x1, y2], [x2, y2], [(x1 + x2) // 2, y1]], np.int32)
        cv2.fillConvexPoly(image, corners, colour)


def _ground(size_wh: tuple[int, int]) -> Image:
    """A quiet checkered slope, so that motion and scaling can be seen."""
    width, height = size_wh
    cell = max(8, height // 12)
    x = np.arange(width)[None, :]
    y = np.arange(height)[:, None]
    shade = 70 + 40 * y / height + 10 * ((x // cell + y // cell) % 2) + 8 * math.pi * x / width
    ground: Image = np.repeat(shade.astype(np.uint8)[:, :, None], 3, axis=2)
    return ground
