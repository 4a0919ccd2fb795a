"""Which models run, which are set to run, and which were before: for choosing one, and for going back."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from edgecam.core.errors import ConfigError, ModelError
from edgecam.core.types import Frame, Result
from edgecam.inference.models.card import Task

log = logging.getLogger(__name__)

#: The setting that names the model of a task.
SETTING: dict[Task, str] = {"detection": "detector", "classification": "classifier"}
#: So many earlier choices of a task are remembered.
EARLIER = 5
#: A file beyond this is not ours.
MOST_BYTES = 64 * 1024
#: Pictures that a trial times; the median counts.
TRIES = 3


@dataclass(frozen=True, slots=True)
class Running:
    """A model file as it was when it was loaded."""

    path: Path
    stamp: tuple[int, int]

    @classmethod
    def of(cls, path: Path) -> Running:
        """The file as it is now."""
        return cls(path, stamp(path))

    @property
    def replaced(self) -> bool:
        """Whether another file lies there now."""
        return stamp(self.path) != self.stamp


def stamp(path: Path) -> tuple[int, int]:
    """What tells one state of a file from another; zeros where it is gone."""
    with contextlib.suppress(OSError):
        found = path.stat()
        return found.st_mtime_ns, found.st_size
    return 0, 0


class _Kept(msgspec.Struct):
    v: int = 1
    earlier: dict[str, list[str]] = {}


@dataclass
class ModelChoice:
    """running: what was loaded, by task; plug-ins are not in it. path: where earlier choices are kept.

    Any thread.
    """

    path: Path | None = None
    running: Mapping[Task, Running] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def earlier(self, task: Task) -> list[str]:
        """The settings' earlier values, the latest last."""
        return self._read().earlier.get(task, [])

    def remember(self, task: Task, value: str) -> None:
        """Note that a choice was replaced."""
        kept = self._read()
        kept.earlier[task] = [*kept.earlier.get(task, []), value][-EARLIER:]
        self._write(kept)

    def forget_latest(self, task: Task) -> None:
        """Note that the earlier choice was taken again."""
        kept = self._read()
        kept.earlier[task] = kept.earlier.get(task, [])[:-1]
        self._write(kept)

    def _read(self) -> _Kept:
        if self.path is not None:
            with contextlib.suppress(OSError, msgspec.DecodeError, UnicodeDecodeError):
                with self.path.open("rb") as file:
                    return msgspec.json.decode(file.read(MOST_BYTES), type=_Kept)
        return _Kept()

    def _write(self, kept: _Kept) -> None:
        if self.path is None:
            return
        part = self.path.with_name(f".{self.path.name}.part")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            part.write_bytes(msgspec.json.encode(kept))
            part.replace(self.path)
        except OSError as error:
            log.warning("the earlier choice of a model is not remembered: %s", error)


@dataclass(frozen=True, slots=True)
class Trial:
    """A model that ran here: median milliseconds of a picture on one thread, and what it found in it."""

    ms: float
    seen: dict[str, int]


def trial(path: Path, task: Task, settings: Any, newest: Result | None) -> Trial:
    """Load a model beside those that run, with the run's settings, and show it a picture.

    settings: the Config. newest: the picture; without one it is grey. Raises ModelError and ConfigError.
    """
    if newest is None:
        frame = Frame(np.full((360, 640, 3), 128, np.uint8), 0, time.monotonic_ns(), "trial")
    else:
        frame = newest.frame
    times, seen = [], dict[str, int]()
    look = _detector(path, settings) if task == "detection" else _classifier(path)
    for _ in range(TRIES):
        begun = time.perf_counter()
        seen = look(frame)
        times.append((time.perf_counter() - begun) * 1e3)
    return Trial(sorted(times)[TRIES // 2], seen)


def _detector(path: Path, settings: Any) -> Any:
    from edgecam.app.models import looked_for
    from edgecam.inference.detector import OnnxDetector

    try:
        made = OnnxDetector(path, threads=1, score=settings.score, classes=looked_for(settings.classes))
    except ConfigError as error:
        raise ModelError(f"it does not fit the other settings: {error}") from error

    def look(frame: Frame) -> dict[str, int]:
        seen: dict[str, int] = {}
        for one in made.detect(frame):
            seen[one.label] = seen.get(one.label, 0) + 1
        return seen

    return look


def _classifier(path: Path) -> Any:
    from edgecam.inference.classifier import OnnxClassifier

    made = OnnxClassifier(path, threads=1)

    def look(frame: Frame) -> dict[str, int]:
        return {guess.label: 1 for guess in made.classify(frame.image)[:1]}

    return look
