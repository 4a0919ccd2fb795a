"""A plug-in's detector, with the least score and the classes that a user may change while it runs."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgecam import plugins
from edgecam.core.errors import ModelError
from edgecam.core.families import DEFAULT, PRESETS
from edgecam.core.types import Detections, Frame
from edgecam.inference.classes import choose
from edgecam.inference.models.card import Card
from edgecam.plugins import Guarded, Plugin, PluginError


def detector_plugin(name_or_path: str | Path) -> Plugin | None:
    """The plug-in that gives the detector of that name, or reads files with that suffix."""
    if str(name_or_path) in ("default", "off"):
        return None
    found = plugins.added("detectors")
    return found.get(str(name_or_path)) or found.get(Path(name_or_path).suffix.lower())


class PluginDetector:
    """Implements :class:`edgecam.core.ports.Detector` for a plug-in's. ``detect`` by one thread at a time.

    score: for all classes; None leaves it to the plug-in. classes: what to look for; None: all of its labels.
    Raises ModelError, with the plug-in's package, for its faults; ConfigError as
    :class:`edgecam.inference.detector.OnnxDetector`.
    """

    def __init__(
        self,
        plugin: Plugin,
        name_or_path: str | Path,
        *,
        threads: int | None = None,
        score: float | None = None,
        classes: Sequence[str] | None = None,
    ) -> None:
        try:
            # groups are resolved here, once its labels are known
            grouped = any(x.startswith("-") or x in PRESETS or x == DEFAULT for x in classes or ())
            named = None if grouped else classes
            made = plugin.make(str(name_or_path), threads=threads, score=score, classes=named)
        except PluginError as error:
            raise ModelError(str(error)) from error
        self._plugin = plugin
        self._detector = Guarded(plugin, made, ModelError)
        self.name = str(self._detector.name)
        self.labels = tuple(map(str, self._detector.labels))
        width, height = self._detector.input_wh
        self.input_wh = (int(width), int(height))
        self.description = f"{self.name} ({width}x{height}), {plugin}"
        self._lock = threading.Lock()
        self._score, self._classes = score, classes
        self._limits = self._limits_for(score, classes)

    @property
    def thresholds(self) -> NDArray[np.float32]:
        """(C,) float32, the least score of each class now; infinite where off. Do not write to it."""
        return self._limits

    @property
    def default_labels(self) -> tuple[str, ...]:
        """What is looked for unless somebody asks otherwise: everything."""
        return self.labels

    @property
    def least_score(self) -> float:
        """The least score that was set for all classes; 0.5 where the plug-in decides."""
        return 0.5 if self._score is None else self._score

    def set_score(self, score: float | None) -> None:
        """Change the least score of all classes (None: the plug-in's). Any thread."""
        with self._lock:
            self._limits, self._score = self._limits_for(score, self._classes), score

    def set_classes(self, classes: Sequence[str] | None) -> None:
        """Change what is looked for (None: everything). Any thread. ConfigError for an unknown class."""
        with self._lock:
            self._limits, self._classes = self._limits_for(self._score, classes), classes

    def _limits_for(self, score: float | None, classes: Sequence[str] | None) -> NDArray[np.float32]:
        card = Card(
            name=self.name,
            task="detection",
            architecture="plug-in",
            labels=self.labels,
            resolution=self.input_wh,
            score_threshold=0.0,
        )
        chosen = choose(card, None, classes, score).scores
        limits: NDArray[np.float32] = np.array([chosen.get(x, np.inf) for x in self.labels], np.float32)
        return limits

    def detect(self, frame: Frame) -> Detections:
        """Objects in pixels of ``frame.image``, in the plug-in's order. ModelError for its faults."""
        found = self._detector.detect(frame)
        if not isinstance(found, Detections):
            raise ModelError(f"{self._plugin} gives a {type(found).__name__} instead of Detections")
        if found.labels != self.labels:
            raise ModelError(f"{self._plugin} gives other labels with its detections than as its own")
        limits = self._limits
        keep = found.score >= limits[found.class_id]
        return found if keep.all() else found.select(keep)
