"""A detector's detections compared with people's boxes, per class and collection of pictures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edgecam.nn.detection.evaluation.matching import iou_matrix

#: Collections of everyday scenes, which were not gathered for the sake of one class. A class with fewer boxes
#: than this in them was judged almost only on pictures that were gathered because they show it.
SCENES, SCENE_BOXES = frozenset({"voc2012", "coco2017", "coco2017full"}), 12
#: A collection counts as gathered for a class if at least this share of its pictures show the class.
#: :func:`elsewhere` counts false detections with at least the second score.
GATHERED, COUNTED_FROM = 0.9, 0.45
#: A class with fewer boxes than this in held-out pictures is judged on training pictures too.
FEW_BOXES = 25


@dataclass
class Judged:
    """The detections of one class, and its number of boxes by collection.

    looks: (score, whether it is right, collection) of each detection. astray: scores of the detections in
    pictures of scenes that do not show the class. pictures: by collection, how many pictures were judged and
    how many of them show the class.
    """

    looks: list[tuple[float, bool, str]] = field(default_factory=list)
    boxes: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    astray: list[float] = field(default_factory=list)
    pictures: dict[str, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))

    def in_scenes(self) -> bool:
        """Whether scenes hold enough boxes of the class."""
        return sum(n for source, n in self.boxes.items() if source in SCENES) >= SCENE_BOXES

    def gathered(self, source: str) -> bool:
        """Whether the collection was gathered for this class."""
        judged, having = self.pictures.get(source, (1, 1))
        return source not in SCENES and having >= GATHERED * judged


@dataclass(frozen=True)
class Seen:
    """One picture: what was found (xyxy (K, 4) pixels, score (K,), class_id (K,)) and what people drew.

    truth: (M, 4) xyxy pixels; truth_class: (M,); ignore: (M,) bool, a detection of this box is neither right
    nor wrong. complete: the classes of which people drew every object in this picture. Only these are judged.
    """

    source: str
    xyxy: NDArray[np.float32]
    score: NDArray[np.float32]
    class_id: NDArray[np.int32]
    truth: NDArray[np.float32]
    truth_class: NDArray[np.int64]
    ignore: NDArray[np.bool_]
    complete: frozenset[int]


def judge(pictures: Sequence[Seen], classes: int, iou: float = 0.5) -> list[Judged]:
    """Match detections with boxes per class and picture: greedily, best first; right from ``iou`` on."""
    judged = [Judged() for _ in range(classes)]
    for one in pictures:
        for c in one.complete:
            truth = one.truth[(one.truth_class == c) & ~one.ignore]
            ignored = one.truth[(one.truth_class == c) & one.ignore]
            judged[c].boxes[one.source] += len(truth)
            here = bool((one.truth_class == c).any())
            count = judged[c].pictures[one.source]
            count[0], count[1] = count[0] + 1, count[1] + here
            mine = (one.class_id == c).nonzero()[0]
            mine = mine[np.argsort(-one.score[mine], kind="stable")]
            overlap = iou_matrix(one.xyxy[mine], truth)[0] if len(truth) else np.zeros((len(mine), 0))
            inside = iou_matrix(one.xyxy[mine], ignored)[1] if len(ignored) else np.zeros((len(mine), 0))
            free = np.ones(len(truth), bool)
            for row, score in enumerate(one.score[mine].tolist()):
                match = np.where(free, overlap[row], -1.0)
                right = bool(match.size and match.max() >= iou)
                if right:
                    free[match.argmax()] = False
                elif inside.shape[1] and inside[row].max() >= iou:
                    continue
                judged[c].looks.append((score, right, one.source))
                if not here and one.source in SCENES:
                    judged[c].astray.append(score)
    return judged


def with_trained(held: Sequence[Judged], trained: Sequence[Judged]) -> tuple[list[Judged], frozenset[int]]:
    """``held``, with the detections in training pictures (``trained``) added for every class that has fewer
    than :data:`FEW_BOXES` boxes in held-out pictures; and the set of those classes."""
    made, few = [], set()
    for c, (own, other) in enumerate(zip(held, trained, strict=True)):
        if sum(own.boxes.values()) >= FEW_BOXES or not sum(other.boxes.values()):
            made.append(own)
            continue
        few.add(c)
        made.append(_both(own, other))
    return made, frozenset(few)


def together(held: Sequence[Judged], trained: Sequence[Judged], classes: Collection[int]) -> list[Judged]:
    """``held``, with the detections in training pictures (``trained``) added for ``classes``."""
    pairs = zip(held, trained, strict=True)
    return [_both(own, other) if c in classes else own for c, (own, other) in enumerate(pairs)]


def _both(own: Judged, other: Judged) -> Judged:
    both = Judged([*own.looks, *other.looks], defaultdict(int, own.boxes), own.astray)
    for source, count in other.boxes.items():
        both.boxes[source] += count
    for source, (judged, having) in [*own.pictures.items(), *other.pictures.items()]:
        count_of = both.pictures[source]
        count_of[0], count_of[1] = count_of[0] + judged, count_of[1] + having
    return both


def elsewhere(judged: Sequence[Judged]) -> float:
    """The factor by which a false detection of classes like ``judged`` weighs more if only pictures that show
    its class were judged.

    It is measured in scenes: the number of all false detections divided by the number of those in pictures
    that show the class (one is added to each number).
    """
    false = astray = 0
    for one in judged:
        astray += sum(score >= COUNTED_FROM for score in one.astray)
        false += sum(s >= COUNTED_FROM and not right and src in SCENES for s, right, src in one.looks)
    return (false + 1) / (false - astray + 1)
