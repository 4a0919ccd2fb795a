"""detect → track → classify, in two parts: the second works on a frame while the network sees the next."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Literal

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from edgecam.core.clock import now_ns
from edgecam.core.ports import Classifier, Detector, Prepared, SceneWatch, Tracker, TwoStepDetector
from edgecam.core.types import NO_DETECTIONS, TENTATIVE, Classification, Detections, Frame, Result
from edgecam.pipeline.crops import CropNamer

ClassifyMode = Literal["frame", "crops", "off"]


class Sensed(Struct, frozen=True):
    """A frame that the network has seen, on its way to the postprocess stage.

    objects: gives the detections; None where the last ones are to be carried on, or nothing detects.
    fresh: whether tracks are to be forgotten first.
    network_ns: wall time of the network. dropped: see :class:`edgecam.core.types.Result`.
    sample: what the scene watch compares of the picture, if one watches.
    """

    frame: Frame
    objects: Callable[[], Detections] | None
    fresh: bool
    network_ns: int
    dropped: int
    sample: NDArray[np.float32] | None


class Vision:
    """The vision of one source: a shared detector and classifier, and a tracker of its own.

    Frames pass through :meth:`wants` and :meth:`conclude` in one order, each on one thread at a time;
    :meth:`sense` may run on several frames side by side, if the detector can. budget_ms, finer: as of
    :class:`edgecam.pipeline.crops.CropNamer`. scenes: a cut or a fade that it sees ends all tracks.
    """

    def __init__(
        self,
        detector: Detector | None,
        tracker: Tracker | None,
        classifier: Classifier | None = None,
        mode: ClassifyMode = "off",
        budget_ms: float = 15.0,
        finer: Mapping[str, frozenset[str]] | None = None,
        scenes: SceneWatch | None = None,
    ) -> None:
        self._detector = detector
        self._tracker = tracker
        self._classifier = classifier
        self._mode = mode if classifier is not None else "off"
        self._crops: CropNamer | None = None
        if classifier is not None and mode == "crops":
            self._crops = CropNamer(classifier, int(budget_ms * 1e6), finer)
        self._scenes = scenes
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
        """The first part: the network, where it is ``wanted``. May run on several frames side by side.

        prepared: what the detector made of ``frame`` already.
        """
        sample = None
        if self._scenes is not None and frame.file is None:
            sample = self._scenes.sample(frame.image)
        if not wanted or self._detector is None:
            if prepared is not None:
                prepared.drop()
            return Sensed(frame, None, fresh, 0, dropped, sample)
        started = now_ns()
        if prepared is not None:
            objects = prepared.run()
        elif self._two_steps is not None:
            objects = self._two_steps.prepare(frame).run()
        else:
            found = self._detector.detect(frame)
            objects = lambda: found  # noqa: E731
        return Sensed(frame, objects, fresh, now_ns() - started, dropped, sample)

    def conclude(self, sensed: Sensed) -> Result:
        """The postprocess stage: boxes, tracks and classes."""
        started = now_ns()
        frame = sensed.frame
        scene = self._scene(sensed)
        last = self._last
        detections, tentative, detected = NO_DETECTIONS, NO_DETECTIONS, started
        if sensed.objects is not None:
            detections = sensed.objects()
            detected = now_ns()
            if scene == "fade":
                detections = NO_DETECTIONS  # two pictures at once: whatever is found is in neither
            elif self._tracker is not None:
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
            elif self._crops is not None and len(detections):
                crop_classes = self._crops.name(frame, detections)
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
        if sensed.objects is not None and scene != "fade":
            self._last = result
        return result

    def _scene(self, sensed: Sensed) -> str:
        """Look for a cut or a fade; tracks and classes end with the old scene, at once."""
        if sensed.fresh:
            self._forget()
            if self._scenes is not None:
                self._scenes.reset()
        if self._scenes is None or sensed.sample is None:
            return "same"
        scene = self._scenes.look(sensed.sample, sensed.frame.timeline_ns)
        if scene != "same":
            self._forget()
        return scene

    def look(self, frame: Frame, dropped: int, detect: bool = True) -> Result:
        """Both parts, one after the other."""
        return self.conclude(self.sense(frame, dropped, self.wants(frame, detect)))

    def _forget(self) -> None:
        if self._crops is not None:
            self._crops.forget()
        self._last = None
        if self._tracker is not None:
            self._tracker.reset()


def _parted(tracked: Detections) -> tuple[Detections, Detections]:
    """(what may be shown, what may not yet)."""
    state = tracked.state
    if state is None or np.count_nonzero(state) == len(state):
        return tracked, NO_DETECTIONS
    sure = state != TENTATIVE
    return tracked.select(sure), tracked.select(~sure)


def _carried(found: Detections, last: Result, frame: Frame) -> Detections:
    dt_s = (frame.timeline_ns - last.frame.timeline_ns) / 1e9
    width, height = frame.size_wh
    xyxy = found.predicted_xyxy(dt_s).clip(0, np.array([width, height, width, height], np.float32))
    return replace(found, xyxy=xyxy)
