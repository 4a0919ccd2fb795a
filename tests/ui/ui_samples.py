"""A program behind the window, for tests: shows moving boxes, and remembers what it was told."""

from __future__ import annotations

from collections.abc import Set

import numpy as np

from edgecam.core.clock import now_ns
from edgecam.core.errors import RecordError
from edgecam.core.types import Detections, Frame, Result, Stats
from edgecam.overlay.style import Level

LABELS = ("person", "bicycle", "car", "dog")


def one_result(index: int = 0, wh: tuple[int, int] = (320, 240), value: int = 90) -> Result:
    w, h = wh
    found = Detections(
        np.array([[0.25 * w, 0.4 * h, 0.75 * w, 0.9 * h]], np.float32),
        [0.91],
        [0],
        LABELS,
        track_id=np.array([3]),
    )
    frame = Frame(np.full((h, w, 3), (value, 200, 40), np.uint8), index, now_ns(), "test:")
    return Result(frame, found, completed_ns=now_ns())


class FakeController:
    def __init__(self) -> None:
        self.result: Result | None = one_result()
        self.current = Stats(capture_fps=30.0)
        self.over = False
        self.shown: list[Result] = []
        self.told: list[tuple[object, ...]] = []
        self.recording = False
        self.threshold = 0.5
        self.level: Level = "full"
        self.classes: frozenset[str] = frozenset(LABELS)
        self.others: tuple[Result | None, ...] = ()
        self.wrong: tuple[str, ...] = ("",)

    def results(self) -> tuple[Result | None, ...]:
        return (self.result, *self.others)

    def notices(self) -> tuple[str, ...]:
        return self.wrong

    def stats(self) -> Stats:
        return self.current

    def source_stats(self) -> tuple[Stats, ...]:
        return tuple(Stats(capture_fps=10.0 + n) for n in range(1 + len(self.others)))

    def displayed(self, result: Result, at_ns: int) -> None:
        assert at_ns >= result.completed_ns
        self.shown.append(result)

    def finished(self) -> bool:
        return self.over

    def set_paused(self, paused: bool) -> None:
        self.told.append(("paused", paused))

    def snapshot(self) -> str:
        raise RecordError("cannot write /nowhere/1.png: no such folder; choose another")

    def toggle_recording(self) -> str:
        self.recording = not self.recording
        return "recording to a.mkv" if self.recording else "clip finished: a.mkv"

    def is_recording(self) -> bool:
        return self.recording

    def recording_note(self) -> str:
        return "space for 12 days"

    def overlay(self) -> Level:
        return self.level

    def set_overlay(self, level: Level) -> None:
        self.level = level

    def score(self) -> float:
        return self.threshold

    def set_score(self, value: float) -> None:
        self.threshold = value

    def labels(self) -> tuple[str, ...]:
        return LABELS

    def enabled_classes(self) -> frozenset[str]:
        return self.classes

    def set_enabled_classes(self, classes: Set[str]) -> None:
        self.classes = frozenset(classes)
