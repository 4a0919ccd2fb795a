"""A model by its name or its file, ready to use."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from edgecam.core.errors import ConfigError
from edgecam.core.units import number_within
from edgecam.inference.classifier import OnnxClassifier
from edgecam.inference.detector import OnnxDetector
from edgecam.inference.models.card import Task
from edgecam.inference.plugin_detector import PluginDetector, detector_plugin
from edgecam.inference.tuning.tune import Mode, Tuning
from edgecam.inference.tuning.tune import tune as tune_for_board


def load_detector(
    model: str | Path = "default",
    *,
    score: float | None = None,
    classes: Sequence[str] | str | None = None,
    threads: int | None = None,
    provider: str | None = None,
    tune: Mode = "off",
) -> OnnxDetector | PluginDetector:
    """A detector: ``detect(frame)`` gives :class:`edgecam.Detections` in pixels of the frame, best first.

    model: a name (``edgecam models list``), a role (``default``, ``accurate``, ``fast``), an .onnx file, or
        what a plug-in offers (``edgecam plugins``).
    score: least score of all classes; None takes the model's own, by class.
    classes: labels to look for, also as one text, "person, dog"; None means all but those in which the model
        is weak.
    threads, provider: how the network runs; None leaves that to edgecam.
    tune: ``off`` loads at once; ``auto`` measures once per board, for some seconds, which of fp32 and int8,
        how many threads and which provider are fastest, and remembers it, as the program ``edgecam`` does.

    Raises ModelError (no such model, not ONNX, wrong task) and ConfigError (score, class, provider). Load it
    before threads start; ``detect`` may be called from any thread.
    """
    score = _share("score", score)
    if isinstance(classes, str):
        classes = tuple(word.strip() for word in classes.split(",") if word.strip())
    plugin = detector_plugin(model)
    if plugin is not None:
        return PluginDetector(plugin, model, threads=threads, score=score, classes=classes)
    found = _tuning(model, "detection", threads, provider, tune)
    return OnnxDetector(
        found.path,
        threads=found.threads,
        providers=found.providers,
        score=score,
        classes=classes,
    )


def load_classifier(
    model: str | Path = "default",
    *,
    top_k: int = 3,
    score: float = 0.0,
    threads: int | None = None,
    provider: str | None = None,
    tune: Mode = "off",
) -> OnnxClassifier:
    """A classifier: ``classify(image)``, or ``classify(image, xyxy)`` for a box of it, best class first.

    model: a name, a role (``default``, ``small``) or an .onnx file. top_k: classes given at most. score: less
    probable ones are left out. The rest, and the errors, as in :func:`load_detector`; one thread at a time.
    """
    score = _share("score", score) or 0.0
    if not isinstance(top_k, int) or top_k < 1:
        raise ConfigError(f"top_k={top_k!r}: give a whole number of classes, 1 or more")
    found = _tuning(model, "classification", threads, provider, tune)
    return OnnxClassifier(
        found.path,
        threads=found.threads,
        providers=found.providers,
        top_k=top_k,
        score=score,
    )


def _share(name: str, given: object) -> float | None:
    share = number_within(given, 0, 1)
    if share is None and given is not None:
        raise ConfigError(f"{name}={given!r}: give a number from 0 to 1")
    return share


def _tuning(model: str | Path, task: Task, threads: int | None, provider: str | None, mode: Mode) -> Tuning:
    if mode not in get_args(Mode):
        raise ConfigError(f"tune={mode!r}: write one of {', '.join(get_args(Mode))}")
    return tune_for_board(model, task, mode=mode, threads=threads, provider=provider)
