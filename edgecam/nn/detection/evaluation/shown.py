"""At which score a class may be shown: its threshold at a precision, on people's boxes.

A class rests on few boxes, so its curve is drawn towards that of its family (people, vehicles, animals,
things) by :data:`PRIOR` detections, and no one collection of pictures may speak with more than
:data:`PER_SOURCE` of them: five hundred portraits of birds say little about birds in a yard.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edgecam.core.families import family_codes
from edgecam.inference.models.shown import ClassShown
from edgecam.nn.detection.evaluation.matching import iou_matrix

#: Precision that thresholds are chosen for, a little above the 0.80 that is promised, and by how many
#: standard errors the estimate must be above it: a class that was judged on few pictures has to be surer.
TARGET, ERRORS = 0.82, 1.0
#: Collections of scenes, not gathered for the sake of one class. A class with fewer boxes in them was judged
#: nearly only where it was to be found: that says little of false alarms, and it has to be surer by as much
#: again.
SCENES, SCENE_BOXES = frozenset({"voc2012", "coco2017", "coco2017full"}), 12
#: Detections of its family's curve that a class's own is mixed with.
PRIOR = 20.0
#: Detections (and boxes) of one collection weigh at most as much as so many.
PER_SOURCE = 60.0
#: Thresholds stay in this range.
LOWEST, HIGHEST = 0.3, 0.9
#: A thing is on by default from so many boxes, detections, share found and precision on.
BOXES, LOOKS, FOUND, DEPENDABLE = 25, 12, 0.2, 0.80
#: Limits on size and shape: these quantiles of people's boxes, widened by the factor; from so many boxes on.
QUANTILES, WIDENED, SHAPES = (0.002, 0.998), 1.6, 30


@dataclass
class Judged:
    """Detections of one class, and the boxes there were, by collection.

    looks: (score, right, collection).
    """

    looks: list[tuple[float, bool, str]] = field(default_factory=list)
    boxes: dict[str, int] = field(default_factory=lambda: defaultdict(int))


@dataclass(frozen=True)
class Seen:
    """One picture: what was found (xyxy (K, 4) pixels, score (K,), class_id (K,)) and what people drew.

    truth: (M, 4) xyxy pixels; truth_class (M,); ignore (M,) bool: neither right nor wrong. complete: classes
    of which people drew every object here: only those are judged.
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
    """Which detections are right, greedily, best first, per class and picture."""
    judged = [Judged() for _ in range(classes)]
    for one in pictures:
        for c in one.complete:
            truth = one.truth[(one.truth_class == c) & ~one.ignore]
            ignored = one.truth[(one.truth_class == c) & one.ignore]
            judged[c].boxes[one.source] += len(truth)
            mine = (one.class_id == c).nonzero()[0]
            mine = mine[np.argsort(-one.score[mine], kind="stable")]
            overlap = iou_matrix(one.xyxy[mine], truth)[0] if len(truth) else np.zeros((len(mine), 0))
            inside = iou_matrix(one.xyxy[mine], ignored)[1] if len(ignored) else np.zeros((len(mine), 0))
            free = np.ones(len(truth), bool)
            for row, score in enumerate(one.score[mine].tolist()):
                here = np.where(free, overlap[row], -1.0)
                right = bool(here.size and here.max() >= iou)
                if right:
                    free[here.argmax()] = False
                elif inside.shape[1] and inside[row].max() >= iou:
                    continue
                judged[c].looks.append((score, right, one.source))
    return judged


def _weighed(
    judged: Sequence[Judged],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """(score, right, weight), best first."""
    rows: list[tuple[float, float, float]] = []
    for one in judged:
        count: dict[str, int] = defaultdict(int)
        for score, _, source in one.looks:
            count[source] += score >= LOWEST
        rows += [(s, float(r), min(1.0, PER_SOURCE / max(1, count[src]))) for s, r, src in one.looks]
    table = np.array(sorted(rows, reverse=True)).reshape(-1, 3)
    return table[:, 0], table[:, 1], table[:, 2]


def _precision(
    curve: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]], at: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(right, all) weights of the detections from each score in ``at`` on."""
    score, right, weight = curve
    upto = np.searchsorted(-score, -at, side="right")
    sums = np.concatenate([[0.0], np.cumsum(weight)])
    rights = np.concatenate([[0.0], np.cumsum(weight * right)])
    return rights[upto], sums[upto]


def thresholds(
    judged: Sequence[Judged],
    labels: tuple[str, ...],
    shapes: Mapping[int, tuple[tuple[float, float], tuple[float, float]]],
    target: float = TARGET,
) -> dict[str, ClassShown]:
    """The table's rows. shapes: per class (area, aspect) limits, see :func:`shape_limits`."""
    family = family_codes(labels)
    grid = np.round(np.arange(HIGHEST, LOWEST - 1e-9, -0.005), 3)
    pooled = {}
    for code in set(family.tolist()):
        curve = _weighed([one for c, one in enumerate(judged) if family[c] == code])
        rights, sums = _precision(curve, grid)
        # a family without people's boxes at that score has nobody's word: half
        pooled[code] = (rights + 0.5) / (sums + 1.0)
    rows = {}
    for c, (label, one) in enumerate(zip(labels, judged, strict=True)):
        rights, sums = _precision(_weighed([one]), grid)
        mixed = (rights + PRIOR * pooled[int(family[c])]) / (sums + PRIOR)
        error = np.sqrt(mixed * (1 - mixed) / (sums + PRIOR))
        in_scenes = sum(count for source, count in one.boxes.items() if source in SCENES)
        errors = ERRORS if in_scenes >= SCENE_BOXES else 2 * ERRORS
        good = (mixed - errors * error >= target).nonzero()[0]
        at = int(good[-1]) if len(good) else 0
        boxes = sum(one.boxes.values())
        above = [r for s, r, _ in one.looks if s >= grid[at]]
        own = sum(above) / len(above) if above else 0.0
        found = sum(above) / boxes if boxes else 0.0
        area, aspect = shapes.get(c, ((0.0, 1.0), (0.0, 1e6)))
        rows[label] = ClassShown(
            show=float(grid[at]),
            precision=round(own, 3),
            found=round(found, 3),
            boxes=boxes,
            looks=len(above),
            dependable=boxes >= BOXES and len(above) >= LOOKS and found >= FOUND and own >= DEPENDABLE,
            area=area,
            aspect=aspect,
        )
    return rows


def shape_limits(
    boxes: Mapping[int, Sequence[tuple[float, float, float]]],
) -> dict[int, tuple[tuple[float, float], tuple[float, float]]]:
    """boxes: per class (width, height, width / height in pixels) with width and height in parts of the
    picture. Returns per class the limits of area and of aspect."""
    made = {}
    for c, rows in boxes.items():
        if len(rows) < SHAPES:
            continue
        table = np.array(rows, np.float64)
        low, high = np.quantile(table[:, 0] * table[:, 1], QUANTILES)
        narrow, wide = np.quantile(table[:, 2], QUANTILES)
        made[c] = (
            (float(f"{low / WIDENED**2:.3g}"), min(1.0, float(f"{high * WIDENED**2:.3g}"))),
            (float(f"{narrow / WIDENED:.3g}"), float(f"{wide * WIDENED:.3g}")),
        )
    return made
