"""A program behind the window, for tests: shows moving boxes, and remembers what it was told."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgecam.core.clock import now_ns
from edgecam.core.control import Changes
from edgecam.core.errors import RecordError
from edgecam.core.state import ModelState, Notice, RecorderState, SourceState, State
from edgecam.core.types import Detections, Frame, Result, Stats
from edgecam.overlay.style import Level

LABELS = ("person", "bicycle", "car", "dog")


def one_result(index: int = 0, wh: tuple[int, int] = (320, 240), value: int = 90) -> Result:
    w, h = wh
    found = Detections(
        np.array([[0.25 * w, 0.4 * h, 0.75 * w, 0.9 * h]], np.float32),
        np.array([0.91], np.float32),
        np.array([0], np.int32),
        LABELS,
        track_id=np.array([3], np.int32),
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

    def state(self) -> State:
        found = self.current
        several = len(self.wrong) > 1
        return State(
            0,
            stats=found,
            sources=tuple(
                SourceState(f"{n}", notice=wrong, stats=Stats(capture_fps=10.0 + n) if several else found)
                for n, wrong in enumerate(self.wrong)
            ),
            notices=(Notice("limit", found.notice),) if found.notice else (),
            recorders=(RecorderState("0", self.recording, days_left=12.0),),
            models=(ModelState("detection", "m", labels=LABELS, enabled=self.classes, score=self.threshold),),
            settings={"overlay": self.level},
        )

    def change(self, **settings: Any) -> Changes:
        for name, value in settings.items():
            if name == "score":
                self.threshold = value
            elif name == "overlay":
                self.level = value
            elif name == "classes":
                self.classes = frozenset(value) - {"none"}
            else:
                raise KeyError(name)
        return Changes(settings)

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
