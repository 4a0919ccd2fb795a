"""What tests of the pipeline share: an observer, a detector, a run."""

from __future__ import annotations

import numpy as np

from edgecam.core.types import Detections, Frame, Result
from edgecam.pipeline.pipeline import Pipeline


class Count:
    """An observer that counts."""

    def __init__(self) -> None:
        self.frames_in = self.stale = self.results = 0

    def captured(self, source: str) -> None:
        self.frames_in += 1

    def dropped(self, count: int) -> None:
        self.stale += count

    def inferred(self, result: Result) -> None:
        self.results += 1

    def displayed(self, result: Result, at_ns: int) -> None: ...


class WholePicture:
    """A detector whose one box is the picture's own size, so a result can be checked against its frame."""

    name = "whole"
    labels = ("picture",)
    input_wh = (32, 24)

    def detect(self, frame: Frame) -> Detections:
        width, height = frame.size_wh
        return Detections(np.array([[0, 0, width, height]]), np.array([0.9]), np.array([0]), self.labels)


def run(pipeline: Pipeline, limit_s: float = 30.0) -> None:
    pipeline.start()
    assert pipeline.wait(limit_s)
    pipeline.stop()
