"""Objects in a frame, by an ONNX model: resize, run, select."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from edgecam.core.errors import ModelError
from edgecam.core.ports import Bound, Prepared
from edgecam.core.types import Detections, Frame
from edgecam.inference.classes import ClassChoice, choose, default_labels
from edgecam.inference.model_input import CardedModel, Input, shown
from edgecam.inference.models import foreign
from edgecam.inference.models.card import Card
from edgecam.inference.models.shown import ShownTable, read_table, sure_scores
from edgecam.inference.models.store import describe, find_model
from edgecam.inference.postprocess import Thresholds, select
from edgecam.inference.preprocess import Fit, use_one_opencv_thread
from edgecam.inference.runtime.session import Session, open_session


def thresholds_for(
    card: Card, score: float | None, classes: Sequence[str] | None, table: ShownTable | None = None
) -> Thresholds:
    """The least score of each class, infinite where it is off; see :func:`edgecam.inference.classes.choose`.

    Raises ConfigError for a score outside 0 … 1 or a class the model does not know.
    """
    chosen = choose(card, table, classes, score).scores
    values = [chosen.get(label, np.inf) for label in card.labels]
    # At 0 every anchor would count; nothing below a thousandth is a detection.
    array = np.maximum(np.asarray(values, np.float32), np.float32(0.001))
    array.setflags(write=False)
    return Thresholds(array, card.nms_iou, card.max_detections)


def _check_outputs(session: Session, card: Card) -> None:
    """Detector outputs of the contract: boxes (1, N, 4), scores (1, N, C)."""
    there = {spec.name: spec for spec in session.outputs}
    for name in ("boxes", "scores"):
        if name not in there:
            raise ModelError(
                f"model {session.path} has no output '{name}' (it has {', '.join(there)}): "
                "a detector gives boxes (1, N, 4) and scores (1, N, C)"
            )
    boxes, scores = there["boxes"], there["scores"]
    count = len(card.labels)
    fits = (
        len(boxes.shape) == 3
        and boxes.shape[2] in (4, None)
        and len(scores.shape) == 3
        and scores.shape[2] in (count, None)
        and (boxes.shape[1] == scores.shape[1] or None in (boxes.shape[1], scores.shape[1]))
        and boxes.dtype == scores.dtype == np.float32
    )
    if not fits:
        raise ModelError(
            f"model {session.path}: outputs are boxes {shown(boxes.shape)} and scores {shown(scores.shape)}, "
            f"expected float32 (1, N, 4) and (1, N, {count}) for its {count} labels"
        )


class _Lane(Struct, frozen=True):
    """What one inference needs for itself: the input's buffer and the outputs'."""

    input: Input
    bound: Bound


class _Prepared(Struct, frozen=True):
    """Implements :class:`edgecam.core.ports.Prepared`.

    lane: holds a picture of ``size_wh``, laid in as ``fit`` says. finish: (lane, fit, size_wh, outputs) →
    what was found. free: takes the lane back.
    """

    lane: _Lane
    fit: Fit
    size_wh: tuple[int, int]
    finish: Callable[[_Lane, Fit, tuple[int, int], foreign.Arrays], Detections]
    free: Callable[[_Lane], None]

    def run(self) -> Callable[[], Detections]:
        """ModelError if the runtime fails."""
        return partial(self.finish, self.lane, self.fit, self.size_wh, self.lane.bound.run())

    def drop(self) -> None:
        self.free(self.lane)


class OnnxDetector(CardedModel):
    """Implements :class:`edgecam.core.ports.TwoStepDetector` with ONNX Runtime.

    path_or_name: a file, a model's name, or a role (``default``, ``accurate``, ``fast``).
    threads: of one inference; None takes :func:`edgecam.inference.runtime.session.default_threads`.
    providers: names to try in order (``cpu xnnpack acl cuda tensorrt``); None takes the best that is usual.
    score: least score for all classes; None takes each class's own.
    classes: labels, presets and what is taken away from them; None means the dependable ones. See
    :mod:`edgecam.inference.classes`.
    card: stands in for the file's own (tests, experiments).
    low_ratio: detections down to ``low_ratio`` × their class's threshold are delivered as well, for a tracker
    that holds on to objects through weak moments (it needs :attr:`thresholds` to tell them apart).

    path: the file it was read from.

    Build it before threads start. Everything may be called from any thread, ``detect`` and ``prepare`` from
    several at once; ``set_score`` and ``set_classes`` take effect at the next frame.
    Raises ModelError (no such model, not ONNX, wrong task or shape) and ConfigError (score, class, provider).
    """

    def __init__(
        self,
        path_or_name: str | Path = "default",
        *,
        threads: int | None = None,
        providers: Sequence[str] | None = None,
        score: float | None = None,
        classes: Sequence[str] | None = None,
        card: Card | None = None,
        low_ratio: float = 1.0,
    ) -> None:
        path = find_model(path_or_name, "detection") if card is None else Path(path_or_name)
        own, sidecar = describe(path) if card is None else (card, None)
        self.card, self.path = own, path
        #: From which score on each class may be shown; None where nobody has measured it.
        self.shown_table = read_table(path, own) if card is None else None
        #: (C,) from which score on one sighting of a class is enough to show it; infinite where none is.
        self.sure_scores = sure_scores(own.labels, self.shown_table)
        self._lock = threading.Lock()  # orders two writers; readers take whole objects
        self._score, self._classes = score, classes
        self._ratio = np.float32(low_ratio)
        self._limits = thresholds_for(own, score, classes, self.shown_table)
        self._delivered = self._lowered(self._limits)
        quantized = own.precision == "int8"
        self.session = open_session(path, threads, providers, quantized=quantized)
        self._sidecar = sidecar
        self._names = ["boxes", "scores"]
        first = Input(self.session, own, sidecar)
        self._size_wh = first.size_wh
        use_one_opencv_thread()
        self._decode: foreign.Decoder = _contract
        if sidecar is None:
            _check_outputs(self.session, own)
        else:
            self._names = foreign.output_names(sidecar.output, self.session.outputs, path)
            self._decode = foreign.make_decoder(sidecar, self._size_wh)
        lane = self._lane(first)
        self._check_run(lane)
        self._free = deque([lane])

    def _lane(self, given: Input | None = None) -> _Lane:
        made = given or Input(self.session, self.card, self._sidecar)
        return _Lane(made, self.session.bind(made.buffer, self._names))

    def _check_run(self, lane: _Lane) -> None:
        """One inference on grey: warms the session up, and shows what the graph's shapes did not say."""
        lane.input.normalise()
        boxes, scores = self._decode(lane.bound.run())
        if boxes.ndim != 2 or boxes.shape[1] != 4 or scores.shape != (len(boxes), len(self.labels)):
            raise ModelError(
                f"model {self.session.path} gives {len(boxes)} boxes and scores {scores.shape}, expected "
                f"({len(boxes)}, {len(self.labels)}) for its {len(self.labels)} labels"
            )

    @property
    def thresholds(self) -> NDArray[np.float32]:
        """(C,) float32, the least score of each class now; infinite where off. Do not write to it."""
        return self._limits.score

    @property
    def least_score(self) -> float:
        """From which score on something is shown now: the one that was set for all classes, or the lowest of
        the classes' own; the card's where nothing is looked for."""
        lowest = float(self._limits.lowest) if self._score is None else self._score
        return lowest if np.isfinite(lowest) else self.card.score_threshold

    @property
    def default_labels(self) -> tuple[str, ...]:
        """What is looked for unless somebody asks otherwise."""
        return default_labels(self.card, self.shown_table)

    @property
    def choice(self) -> ClassChoice:
        """What is looked for now."""
        return choose(self.card, self.shown_table, self._classes, self._score)

    def deliver(self, limits: Thresholds) -> None:
        """Have ``detect`` give everything from ``limits`` on, whatever is looked for: for measurements."""
        self._delivered = limits

    @property
    def description(self) -> str:
        """One line for people: model, size, precision, provider, threads."""
        width, height = self.input_wh
        session = self.session
        return (
            f"{self.name} ({width}x{height}, {self.card.precision}) on {session.provider}, "
            f"{session.threads} thread{'s' if session.threads > 1 else ''}"
        )

    def set_score(self, score: float | None) -> None:
        """Change the least score of all classes (None: the card's). Any thread. ConfigError if not 0 … 1."""
        with self._lock:
            self._replace(score, self._classes)

    def set_classes(self, classes: Sequence[str] | None) -> None:
        """Change what is looked for (None: the default). Any thread. ConfigError for an unknown class."""
        with self._lock:
            self._replace(self._score, classes)

    def _replace(self, score: float | None, classes: Sequence[str] | None) -> None:
        limits = thresholds_for(self.card, score, classes, self.shown_table)
        self._score, self._classes = score, classes
        self._limits, self._delivered = limits, self._lowered(limits)

    def _lowered(self, limits: Thresholds) -> Thresholds:
        if self._ratio >= 1:
            return limits
        return Thresholds(limits.score * self._ratio, limits.nms_iou, limits.max_detections)

    def detect(self, frame: Frame) -> Detections:
        """Objects in pixels of ``frame.image``, best first. Raises ModelError if the runtime fails."""
        if not isinstance(frame, Frame):
            raise TypeError(
                f"detect() takes a Frame, not {type(frame).__name__}; make one: "
                "edgecam.Frame(image, 0, 0, 'mine')"
            )
        return self.prepare(frame).run()()

    def prepare(self, frame: Frame) -> Prepared:
        """See :class:`edgecam.core.ports.TwoStepDetector`."""
        try:
            lane = self._free.pop()
        except IndexError:  # all are in use: by frames that wait, or whose boxes are worked out
            lane = self._lane()
        fit = lane.input.resizer.frame(frame)
        lane.input.normalise()
        return _Prepared(lane, fit, frame.size_wh, self._finish, self._free.append)

    def _finish(self, lane: _Lane, fit: Fit, size_wh: tuple[int, int], outputs: foreign.Arrays) -> Detections:
        boxes, scores = self._decode(outputs)
        xyxy, score, class_id = select(boxes, scores, self._delivered)
        self._free.append(lane)  # `select` has copied what it kept
        return Detections(fit.to_pixels(xyxy, size_wh), score, class_id, self.labels)


def _contract(arrays: foreign.Arrays) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    return arrays[0][0], arrays[1][0]
