"""The models in use, built from a Config: detector, its fast stand-in, classifier, a Vision per source."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edgecam.app.governing import SwitchingDetector
from edgecam.config import Config
from edgecam.config.schema import NO_CLASS
from edgecam.core.errors import ConfigError
from edgecam.core.ports import PowerMeter, Prepared, Source
from edgecam.core.progress import ShowProgress
from edgecam.core.state import ModelState
from edgecam.core.types import Frame
from edgecam.host.cpu import cpu_count
from edgecam.inference.classes import summary, weak
from edgecam.inference.classifier import OnnxClassifier
from edgecam.inference.detector import OnnxDetector
from edgecam.inference.models.card import Task
from edgecam.inference.models.refines import refinements
from edgecam.inference.models.shown import ClassShown
from edgecam.inference.models.store import base_name
from edgecam.inference.plugin_detector import PluginDetector, detector_plugin
from edgecam.inference.tuning.tune import MOST_THREADS, Tuning, tune
from edgecam.pipeline.vision import Vision
from edgecam.tracking.identities import SortTracker
from edgecam.tracking.scene_change import SceneChange
from edgecam.tracking.shapes import ShapeLimits

#: Detections down to this share of their threshold keep a known track alive (ByteTrack's second stage).
LOW_RATIO = 0.5


def looked_for(classes: tuple[str, ...]) -> tuple[str, ...] | None:
    """The classes that a detector is asked for; None for those its card recommends."""
    return () if classes == NO_CLASS else classes or None


def shape_limits(detector: OnnxDetector) -> ShapeLimits | None:
    """Which sizes and shapes its classes have, where that was measured."""
    table = detector.shown_table
    if table is None:
        return None
    rows = [table.classes.get(label, ClassShown(show=1.0)) for label in detector.labels]
    return ShapeLimits(
        np.array([row.area for row in rows], np.float32), np.array([row.aspect for row in rows], np.float32)
    )


class Models:
    """Sessions built once, before any thread starts, and shared by all sources.

    say: told what takes longer than a moment; progress: how it goes on. batch: frames wait and nobody
    watches, so that several at once, each on one thread, are better than each on all; ``concurrency`` is how
    many. meter: for ``--tune-for watts``; read while models are built. notes: (title, text) lines for people.
    Raises ConfigError and ModelError.
    """

    def __init__(
        self,
        config: Config,
        say: Callable[[str], None] | None,
        *,
        batch: bool = False,
        meter: PowerMeter | None = None,
        progress: ShowProgress | None = None,
    ) -> None:
        self.config = config
        self._meter = meter
        self.concurrency = 1
        self._batch = batch
        self._say = say
        self._progress = progress
        self.notes: list[tuple[str, str]] = []
        #: Of one inference of the detector alone, where tuning measured it.
        self.detector_ms: float | None = None
        #: The detector where it is edgecam's own; None where a plug-in gives it, or nothing detects.
        self._own: OnnxDetector | None = None
        self._fast: OnnxDetector | None = None
        self.detector = self._build_detector()
        self.switch = self._build_switch()
        self.classifier = self._build_classifier()

    @property
    def name(self) -> str:
        """What the overlay calls the running model."""
        return self.detector.name if self.detector is not None else "no detector"

    def apply(self, config: Config) -> None:
        """Take the least score and the classes from ``config``, from the next frame on.

        Raises ConfigError, and changes nothing then.
        """
        if self.detector is None:
            raise ConfigError("there is no detector whose score or classes could change")
        for detector in (self.detector, self._fast):
            if detector is not None:
                detector.set_classes(looked_for(config.classes))
                detector.set_score(config.score)

    def states(self) -> tuple[ModelState, ...]:
        """The models in use, and what they look for now. Any thread."""
        found: list[ModelState] = []
        running = self._fast if self.switch is not None and self.switch.is_fast else self.detector
        if running is not None:
            on = np.isfinite(running.thresholds)
            found.append(
                ModelState(
                    "detection",
                    running.name,
                    running.description,
                    running.input_wh,
                    running.labels,
                    frozenset(label for label, wanted in zip(running.labels, on, strict=True) if wanted),
                    running.least_score,
                    frozenset(running.default_labels),
                )
            )
        if (namer := self.classifier) is not None:
            found.append(
                ModelState(
                    "classification", namer.name, "", namer.input_wh, namer.labels, frozenset(namer.labels)
                )
            )
        return tuple(found)

    def _build_detector(self) -> OnnxDetector | PluginDetector | None:
        config = self.config
        if config.detector == "off":
            if config.classes or config.score is not None:
                raise ConfigError("--classes and --score need a detector; leave out --detector off")
            self.notes.append(("model", "no detector"))
            return None
        plugin = detector_plugin(config.detector)
        if plugin is not None:
            other = PluginDetector(
                plugin,
                config.detector,
                threads=config.threads or None,
                score=config.score,
                classes=looked_for(config.classes),
            )
            self.notes.append(("model", other.description))
            return other
        tuning = self._tune(config.detector, "detection", config.tune_rate)
        threads, explanation, self.detector_ms = tuning.threads, tuning.explanation, tuning.ms
        if self._batch and tuning.providers[0] == "cpu":
            self.concurrency = config.threads or min(cpu_count(), MOST_THREADS)
        if self.concurrency > 1:
            threads = 1
            explanation += f"; here {self.concurrency} frames side by side, a thread each"
        detector = OnnxDetector(
            tuning.path,
            threads=threads,
            providers=tuning.providers,
            score=config.score,
            classes=looked_for(config.classes),
            low_ratio=LOW_RATIO,
        )
        self.notes.append(("model", f"{detector.name}, {detector.input_wh[0]}x{detector.input_wh[1]}"))
        self.notes.append(("finds", summary(detector.choice, asked=bool(config.classes))))
        if few := weak(detector.card, detector.choice):
            self.notes.append(("weak", few))
        self.notes.append(("runs on", explanation))
        self._own = detector
        return detector

    def _build_switch(self) -> SwitchingDetector | None:
        """A fast stand-in for the default detector, where there is a limit in watts that may call for it."""
        config = self.config
        full = self._own
        if full is None or config.max_watts is None or config.detector != "default":
            return None
        tuning = self._tune("fast", "detection")
        if base_name(tuning.path.stem) == base_name(full.path.stem):
            return None  # --tune-rate took it already
        fast = OnnxDetector(
            tuning.path,
            threads=tuning.threads,
            providers=tuning.providers,
            score=config.score,
            classes=looked_for(config.classes),
            low_ratio=LOW_RATIO,
        )
        self.notes.append(("stand-in", f"{fast.name}, when --max-watts asks for it"))
        self._fast = fast
        return SwitchingDetector(full, fast)

    def _build_classifier(self) -> OnnxClassifier | None:
        config = self.config
        if config.classifier == "off" or config.classify == "off":
            return None
        if config.classify == "crops" and self.detector is None:
            return None
        tuning = self._tune(config.classifier, "classification")
        classifier = OnnxClassifier(
            tuning.path,
            threads=tuning.threads,
            providers=tuning.providers,
            score=config.classify_score if config.classify == "crops" else 0.0,
        )
        what = "the whole frame" if config.classify == "frame" else "what was detected"
        self.notes.append(("classifier", f"{classifier.name}, on {what}"))
        self.notes.append(("it runs on", tuning.explanation))
        return classifier

    def _tune(
        self, name: str, task: Literal["detection", "classification"], least_hz: float | None = None
    ) -> Tuning:
        config = self.config
        return tune(
            name,
            task,
            mode=config.tune,
            purpose=config.tune_for,
            threads=config.threads or None,
            provider=None if config.provider == "auto" else config.provider,
            meter=self._meter,
            say=self._say,
            progress=self._progress,
            least_hz=least_hz,
        )

    def _finer(self) -> Mapping[str, frozenset[str]] | None:
        """Which of the classifier's names refine which of the detector's classes."""
        if self.detector is None or self.classifier is None:
            return None
        return refinements(self.classifier.card, self.detector.labels)

    def _running(self) -> OnnxDetector | PluginDetector | None:
        """The detector that runs now."""
        return self._fast if self.switch is not None and self.switch.is_fast else self.detector

    def _thresholds(self) -> NDArray[np.float32]:
        """(C,) of the detector that runs now."""
        running = self._running()
        assert running is not None
        return running.thresholds

    def _sure(self) -> NDArray[np.float32]:
        """(C,) likewise."""
        running = self._fast if self.switch is not None and self.switch.is_fast else self._own
        assert running is not None
        return running.sure_scores

    @property
    def network_cpu(self) -> int | None:
        """The CPU that the detector's threads leave to their caller; None where the kernel chooses."""
        return None if self._own is None else self._own.session.caller_cpu

    @property
    def files(self) -> dict[Task, Path]:
        """The model files that were loaded, by task; without what plug-ins read."""
        loaded: dict[Task, Path] = {}
        if self._own is not None:
            loaded["detection"] = self._own.path
        if self.classifier is not None:
            loaded["classification"] = self.classifier.session.path
        return loaded

    @property
    def prepare(self) -> Callable[[Frame], Prepared] | None:
        """What any thread may do for the detector before the network runs; None where nothing detects."""
        detector = self.switch or self._own
        return None if detector is None else detector.prepare

    def vision(self, source: Source) -> Vision:
        """The vision of one source: the shared models and a tracker of its own."""
        detector = self.detector
        tracker = None
        if detector is not None:
            tracker = SortTracker(
                self._thresholds,
                size_wh=source.size_wh,
                evidence=True,
                shapes=None if self._own is None else shape_limits(self._own),
                sure=None if self._own is None else self._sure,
            )
        return Vision(
            self.switch or self.detector,
            tracker,
            self.classifier,
            self.config.classify,
            self.config.classify_budget * 1000,
            self._finer(),
            SceneChange(),
        )
