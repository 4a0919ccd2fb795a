"""Names each object by the classifier: looked at now and then, voted over the track."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from msgspec import Struct, field

from edgecam.core.clock import now_ns
from edgecam.core.ports import Classifier
from edgecam.core.types import Classification, Detections, Frame

Named = tuple[Classification, ...]

#: A tracked object is looked at again after this long; between, what was voted stands.
RECLASSIFY_NS = 1_000_000_000
#: Until it was looked at so often, after this long.
SETTLED_LOOKS, SOON_NS = 3, 250_000_000
#: A look's weight once the next one came.
FADE = 0.8
#: A name is said from so many looks on, and with so much of all their weight.
LOOKS, SHARE = 2, 0.6
#: Objects remembered per source; those that are gone are forgotten beyond this many.
MEMORY = 256


class _Known(Struct):
    """One object: when it was last looked at, how often, and the weight of all looks and of each name."""

    at_ns: int
    looks: int = 0
    weight: float = 0.0
    votes: dict[Classification, float] = field(default_factory=dict)

    def hear(self, at_ns: int, names: Named) -> None:
        self.at_ns, self.looks = at_ns, self.looks + 1
        self.weight = self.weight * FADE + 1.0
        for name in self.votes:
            self.votes[name] *= FADE
        for one in names:
            key = Classification(one.label, one.class_id, 0.0)
            self.votes[key] = self.votes.get(key, 0.0) + one.score

    def says(self) -> Named:
        if self.looks < LOOKS or not self.votes:
            return ()
        best = max(self.votes, key=lambda name: self.votes[name])
        share = self.votes[best] / self.weight
        return (Classification(best.label, best.class_id, share),) if share >= SHARE else ()


class CropNamer:
    """One source's. finer: the detector's label → the names that refine it (see
    :func:`edgecam.inference.models.refines.refinements`); None lets every name pass. Crops of other labels
    are not looked at, and no other name is said.

    budget_ns bounds the looks per frame: new objects first, then those whose look is oldest, then the surest.
    """

    def __init__(
        self, classifier: Classifier, budget_ns: int, finer: Mapping[str, frozenset[str]] | None
    ) -> None:
        self._classifier = classifier
        self._budget_ns = budget_ns
        self._finer = finer
        self._known: dict[int, _Known] = {}

    def forget(self) -> None:
        """Forget all objects: the scene has changed."""
        self._known.clear()

    def name(self, frame: Frame, detections: Detections) -> tuple[Named, ...]:
        """Per detection what is said about it: at most one name for tracked objects."""
        count = len(detections)
        finer = self._finer
        able = [i for i in range(count) if finer is None or detections.label(i) in finer]
        if not able:
            return ((),) * count
        deadline = now_ns() + self._budget_ns
        answers: list[Named] = [()] * count
        ids = detections.track_id
        if ids is None or frame.file is not None:  # nothing is tracked: one look is all there is
            for i in sorted(able, key=lambda i: -float(detections.score[i])):
                if now_ns() >= deadline:
                    break
                answers[i] = self._look(frame, detections, i)
            return tuple(answers)
        now = frame.timeline_ns
        known = {i: self._known.get(int(ids[i])) for i in able}
        due = [i for i in able if (k := known[i]) is None or now - k.at_ns >= _patience(k)]
        age = {i: -1 if k is None else k.at_ns for i, k in known.items()}
        due.sort(key=lambda i: (age[i], -float(detections.score[i])))
        for i in due:
            if now_ns() >= deadline:
                break
            one = known[i]
            if one is None:
                one = known[i] = self._known[int(ids[i])] = _Known(now)
            one.hear(now, self._look(frame, detections, i))
        for i in able:
            one = known[i]
            if one is not None:
                answers[i] = self._fitting(detections.label(i), one.says())
        while len(self._known) > MEMORY:
            del self._known[next(iter(self._known))]
        return tuple(answers)

    def _look(self, frame: Frame, detections: Detections, i: int) -> Named:
        box = np.ascontiguousarray(detections.xyxy[i])
        return self._fitting(detections.label(i), self._classifier.classify(frame.image, box))

    def _fitting(self, label: str, names: Named) -> Named:
        if self._finer is None:
            return tuple(name for name in names if name.label != label)
        finer = self._finer.get(label, frozenset())
        return tuple(name for name in names if name.label in finer)


def _patience(known: _Known) -> int:
    return RECLASSIFY_NS if known.looks >= SETTLED_LOOKS else SOON_NS
