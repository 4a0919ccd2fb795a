"""detect → track → classify, in two steps, so that the network sees the next frame while the rest is done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from edgecam.core.clock import now_ns
from edgecam.core.ports import Classifier, Detector, Prepared, Tracker, TwoStepDetector
from edgecam.core.types import NO_DETECTIONS, TENTATIVE, Classification, Detections, Frame, Result

ClassifyMode = Literal["frame", "crops", "off"]

#: A tracked object's class is looked at again after this long; between, its last answer stands.
RECLASSIFY_NS = 1_000_000_000
#: Answers kept per source; tracks that are gone are forgotten beyond this many.
_MEMORY = 256


@dataclass(slots=True)
class _Known:
    at_ns: int
    classes: tuple[Classification, ...]


@dataclass(frozen=True, slots=True)
class Sensed:
    """A frame that the network has seen, on its way to the postprocess stage.

    objects: gives the detections; None where the last ones are to be carried on, or nothing detects.
    fresh: whether tracks are to be forgotten first.
    network_ns: wall time of the network. dropped: see :class:`edgecam.core.types.Result`.
    """

    frame: Frame
    objects: Callable[[], Detections] | None
    fresh: bool
    network_ns: int
    dropped: int


class Vision:
    """One source's eyes: a detector and a classifier shared with other sources, and a tracker of its own.

    Frames pass through :meth:`wants` and :meth:`conclude` in one order, each on one thread at a time;
    :meth:`sense` may run on several frames side by side, if the detector can. ``budget_ms`` bounds the crops
    classified per frame: new tracks first, then those whose answer is oldest, each at most once a second.
    """

    def __init__(
        self,
        detector: Detector | None,
        tracker: Tracker | None,
        classifier: Classifier | None = None,
        mode: ClassifyMode = "off",
        budget_ms: float = 15.0,
    ) -> None:
        self._detector = detector
        self._tracker = tracker
        self._classifier = classifier
        self._mode = mode if classifier is not None else "off"
        self._budget_ns = int(budget_ms * 1e6)
        self._known: dict[int, _Known] = {}
        self._last: Result | None = None
        self._two_steps = detector if isinstance(detector, TwoStepDetector) else None
        self._sensed_wh: tuple[int, int] | None = None  # of the last frame detected on

    def wants(self, frame: Frame, detect: bool = True, fresh: bool = False) -> bool:
        """Whether the network is to see ``frame``; asked once per frame, in the order of frames.

        detect: False carries the last detections on, moved to this frame's time by their tracks. fresh: the
        picture was interrupted; every track and answer is forgotten.
        """
        if self._detector is None:
            return False
        wanted = detect or fresh or frame.size_wh != self._sensed_wh
        if wanted:
            self._sensed_wh = frame.size_wh
        return wanted

    def sense(
        self, frame: Frame, dropped: int, wanted: bool, fresh: bool = False, prepared: Prepared | None = None
    ) -> Sensed:
        """The first step: the network, where it is ``wanted``. May run on several frames side by side.

        prepared: what the detector made of ``frame`` already.
        """
        if not wanted or self._detector is None:
            if prepared is not None:
                prepared.drop()
            return Sensed(frame, None, fresh, 0, dropped)
        started = now_ns()
        if prepared is not None:
            objects = prepared.run()
        elif self._two_steps is not None:
            objects = self._two_steps.prepare(frame).run()
        else:
            found = self._detector.detect(frame)
            objects = lambda: found  # noqa: E731
        return Sensed(frame, objects, fresh, now_ns() - started, dropped)

    def conclude(self, sensed: Sensed) -> Result:
        """The postprocess stage: boxes, tracks and classes."""
        if sensed.fresh:
            self._forget()
        started = now_ns()
        frame, last = sensed.frame, self._last
        detections, tentative, detected = NO_DETECTIONS, NO_DETECTIONS, started
        if sensed.objects is not None:
            detections = sensed.objects()
            detected = now_ns()
            if self._tracker is not None:
                if frame.file is not None:  # a folder's pictures are not moments of one scene
                    detections = self._tracker.single(detections)
                else:
                    detections, tentative = _parted(self._tracker.update(detections, frame.timeline_ns))
        elif last is not None and self._detector is not None:
            detections, tentative = _carried(last.detections, last, frame), last.tentative
            if len(tentative):
                tentative = _carried(tentative, last, frame)
        tracked = now_ns()
        classes: tuple[Classification, ...] = ()
        crop_classes: tuple[tuple[Classification, ...], ...] = ()
        if self._classifier is not None:
            if self._mode == "frame":
                classes = self._classifier.classify(frame.image)
            elif self._mode == "crops" and len(detections):
                crop_classes = self._classify_crops(self._classifier, frame, detections)
        done = now_ns()
        result = Result(
            frame=frame,
            detections=detections,
            classes=classes,
            crop_classes=crop_classes,
            detect_ms=(sensed.network_ns + detected - started) / 1e6,
            track_ms=(tracked - detected) / 1e6,
            classify_ms=(done - tracked) / 1e6,
            completed_ns=done,
            dropped=sensed.dropped,
            tentative=tentative,
        )
        if sensed.objects is not None:
            self._last = result
        return result

    def look(self, frame: Frame, dropped: int, detect: bool = True) -> Result:
        """Both steps at once."""
        return self.conclude(self.sense(frame, dropped, self.wants(frame, detect)))

    def _classify_crops(
        self, classifier: Classifier, frame: Frame, detections: Detections
    ) -> tuple[tuple[Classification, ...], ...]:
        ids = detections.track_id
        now = frame.timeline_ns
        deadline = now_ns() + self._budget_ns
        answers: list[tuple[Classification, ...]] = [()] * len(detections)
        if ids is None:
            order = np.argsort(-detections.score)
            ages = [now] * len(detections)
        else:
            known = [self._known.get(int(i)) for i in ids]
            answers = [k.classes if k else () for k in known]
            ages = [now if k is None else max(0, now - k.at_ns) for k in known]
            due = [i for i in range(len(ids)) if known[i] is None or ages[i] >= RECLASSIFY_NS]
            # never seen, then stalest, then surest
            due.sort(key=lambda i: (known[i] is not None, -ages[i], -float(detections.score[i])))
            order = np.array(due, dtype=np.intp)
        for i in order:
            if now_ns() >= deadline:
                break
            answers[i] = classifier.classify(frame.image, detections.xyxy[i])
            if ids is not None:
                self._known[int(ids[i])] = _Known(now, answers[i])
        while len(self._known) > _MEMORY:
            del self._known[next(iter(self._known))]
        return tuple(answers)

    def _forget(self) -> None:
        self._known.clear()
        self._last = None
        if self._tracker is not None:
            self._tracker.reset()


def _parted(tracked: Detections) -> tuple[Detections, Detections]:
    """(what may be shown, what may not yet)."""
    state = tracked.state
    if state is None or not len(state) or state.all():
        return tracked, NO_DETECTIONS
    sure = state != TENTATIVE
    return tracked.select(sure), tracked.select(~sure)


def _carried(found: Detections, last: Result, frame: Frame) -> Detections:
    dt_s = (frame.timeline_ns - last.frame.timeline_ns) / 1e9
    width, height = frame.size_wh
    xyxy = found.predicted_xyxy(dt_s).clip(0, np.array([width, height, width, height], np.float32))
    return replace(found, xyxy=xyxy)
