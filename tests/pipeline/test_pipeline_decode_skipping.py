"""A camera that decodes only what may be looked at: what it passes over is accounted for."""

from __future__ import annotations

import time

import numpy as np
from numberedsource import NumberedSource
from pipeline_kit import Count, WholePicture, run

from edgecam.core.clock import now_ns
from edgecam.core.errors import EndOfStream
from edgecam.core.ports import BusyFor
from edgecam.core.types import Detections, Frame
from edgecam.pipeline.cadence import Cadence
from edgecam.pipeline.pipeline import Pipeline
from edgecam.pipeline.vision import Vision
from edgecam.pipeline.workers import Eye


class Camera(NumberedSource):
    """A camera of 200 pictures a second that decodes what may be looked at."""

    def __init__(self, count: int) -> None:
        super().__init__(count, is_live=True)
        self.undecoded, self.decoded = 0, 0
        self._busy_for: BusyFor = lambda ns: False

    def skip_decoding(self, busy_for: BusyFor) -> None:
        self._busy_for = busy_for

    def read(self, timeout_s: float) -> Frame | None:
        time.sleep(0.005)
        if self.closed.is_set() or self._next >= self._count:
            raise EndOfStream("done")
        self._next += 1
        if self._busy_for(6_000_000):
            self.undecoded += 1
            return None
        self.decoded += 1
        return Frame(np.zeros((24, 32, 3), np.uint8), self._next - 1, now_ns(), self.name)


class Slow(WholePicture):
    """Takes as long as ten pictures."""

    def detect(self, frame: Frame) -> Detections:
        time.sleep(0.05)
        return super().detect(frame)


def test_pictures_that_nobody_would_look_at_are_not_decoded_but_counted() -> None:
    source, count = Camera(400), Count()
    pipeline = Pipeline([Eye(source, Vision(Slow(), None))], [], count)
    run(pipeline)
    account = pipeline.accounts()[0]
    assert account.captured == count.frames_in == source.decoded + source.undecoded
    assert account.captured == account.inferred + account.stale + account.stopped
    assert count.stale >= source.undecoded > 200  # of some 320 that are replaced by newer ones
    assert account.inferred >= 20


def test_where_not_every_frame_is_detected_on_all_are_wanted() -> None:
    source = Camera(300)
    cadence = Cadence(1, rate_hz=5.0)
    pipeline = Pipeline([Eye(source, Vision(Slow(), None))], [], Count(), cadence=cadence)
    run(pipeline)
    assert source.undecoded == 0
