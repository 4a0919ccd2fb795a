"""At which score a class may be shown: its threshold at a precision, on people's boxes.

A class rests on few boxes. So how likely a detection is right is fitted for its whole family (people,
vehicles, animals, things): one line in the logit of the score, and an offset of each class that is drawn
towards 0 by how much classes differ. The threshold keeps a margin by the fit's standard error, and no one
collection of pictures may speak with more than :data:`PER_SOURCE` detections: five hundred portraits of
birds say little about birds in a yard.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edgecam.core.families import family_codes
from edgecam.inference.models.shown import ClassShown
from edgecam.nn.detection.evaluation.matching import iou_matrix

#: Precision that thresholds are chosen for, and by how many standard errors the estimate must be above it: a
#: class that was judged on few pictures has to be surer.
TARGET, ERRORS = 0.80, 1.0
#: How much classes of a family differ, as a standard deviation of the logit: of 0.1 to 2, what predicts
#: left-out detections of the shipped detector best (five folds).
OFFSET = 0.25
#: A class of which fewer detections were judged is shown no earlier than one of which nothing is known.
OWN_WORD = 100
#: Collections of scenes, not gathered for the sake of one class. A class with fewer boxes in them was judged
#: nearly only where it was to be found: that says little of false alarms, and it has to be surer by as much
#: again.
SCENES, SCENE_BOXES = frozenset({"voc2012", "coco2017", "coco2017full"}), 12
#: A class with fewer boxes than so many in pictures that were held out is judged on further pictures too,
#: although they were trained on, and has to be more precise there by what was measured on VOC: of the animals
#: that pan-mobilenet-v1-320 finds from a score of 0.4 to 0.6 on, 8 to 10 points more are right in pictures
#: that it was trained on; of the people one or two.
FEW_BOXES, OPTIMISM = 25, 0.08
#: Detections (and boxes) of one collection weigh at most as much as so many.
PER_SOURCE = 60.0
#: Detections from this score on are fitted.
FROM = 0.2
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


def with_trained(held: Sequence[Judged], trained: Sequence[Judged]) -> tuple[list[Judged], frozenset[int]]:
    """``held``, for classes with fewer than :data:`FEW_BOXES` boxes with what was seen in pictures that were
    trained on; and which classes those are."""
    made, few = [], set()
    for c, (own, other) in enumerate(zip(held, trained, strict=True)):
        if sum(own.boxes.values()) >= FEW_BOXES or not sum(other.boxes.values()):
            made.append(own)
            continue
        few.add(c)
        both = Judged([*own.looks, *other.looks], defaultdict(int, own.boxes))
        for source, count in other.boxes.items():
            both.boxes[source] += count
        made.append(both)
    return made, frozenset(few)


@dataclass(frozen=True)
class _Fit:
    """How likely a detection of a family is right: logit of that = intercept + slope · logit(score) + the
    class's own offset. weights: (2 + C,), covariance: (2 + C, 2 + C), over ``classes`` (C,)."""

    classes: NDArray[np.intp]
    weights: NDArray[np.float64]
    covariance: NDArray[np.float64]
    logits: NDArray[np.float64]
    counts: NDArray[np.float64]

    def precision(self, row: int | None, at: NDArray[np.float64], errors: float) -> NDArray[np.float64]:
        """(G,) share that is right from each score in ``at`` (best first) on, by a careful estimate.

        row: of ``classes``; None is another one of the family, of which nothing is known. errors: standard
        errors that are taken off. The family's detections say how scores are spread.
        """
        z = np.concatenate([self.logits, _logit(at)])
        weight = np.concatenate([self.counts, np.full(len(at), 1e-3)])
        design = np.zeros((len(z), len(self.weights)))
        design[:, 0], design[:, 1] = 1.0, z
        if row is not None:
            design[:, 2 + row] = 1.0
        variance = np.einsum("ij,jk,ik->i", design, self.covariance, design)
        error = np.sqrt(variance + (OFFSET**2 if row is None else 0.0))
        right = 1.0 / (1.0 + np.exp(errors * error - design @ self.weights))
        above = z[None, :] >= _logit(at)[:, None] - 1e-9
        share: NDArray[np.float64] = (above @ (weight * right)) / (above @ weight)
        return share


def _logit(score: NDArray[np.float64]) -> NDArray[np.float64]:
    kept = np.clip(score, 1e-4, 1 - 1e-4)
    made: NDArray[np.float64] = np.log(kept / (1 - kept))
    return made


def _fit(judged: Sequence[Judged], classes: NDArray[np.intp]) -> _Fit | None:
    """Logistic regression by Newton's method, the offsets drawn towards 0; None without a detection."""
    found: list[tuple[int, float, float, float]] = []
    for row, c in enumerate(classes.tolist()):
        looks = [look for look in judged[c].looks if look[0] >= FROM]
        count: dict[str, int] = defaultdict(int)
        for score, _, source in looks:
            count[source] += score >= LOWEST
        found += [(row, s, float(r), min(1.0, PER_SOURCE / max(1, count[src]))) for s, r, src in looks]
    if not found:
        return None
    table = np.array(found)
    own, z, right, count_of = table[:, 0].astype(np.intp), _logit(table[:, 1]), table[:, 2], table[:, 3]
    design = np.zeros((len(table), 2 + len(classes)))
    design[:, 0], design[:, 1] = 1.0, z
    design[np.arange(len(table)), 2 + own] = 1.0
    drawn = np.diag([0.01, 0.01, *[OFFSET**-2] * len(classes)])
    weights = np.zeros(design.shape[1])
    for _ in range(100):
        likely = 1.0 / (1.0 + np.exp(-design @ weights))
        slope = design.T @ (count_of * (right - likely)) - drawn @ weights
        bend = design.T @ ((count_of * likely * (1 - likely))[:, None] * design) + drawn
        step = np.linalg.solve(bend, slope)
        weights += step / max(1.0, float(np.abs(step).max()))
        if np.abs(step).max() < 1e-9:
            break
    return _Fit(classes, weights, np.linalg.inv(bend), z, count_of)


def _lowest(share: NDArray[np.float64], grid: NDArray[np.float64], target: float) -> float:
    """The lowest score of ``grid`` (best first) down to which ``share`` stays at ``target``."""
    below = (share < target).nonzero()[0]
    at = len(grid) if not len(below) else int(below[0])
    return float(grid[max(0, at - 1)])


def scores(
    judged: Sequence[Judged],
    labels: tuple[str, ...],
    target: float = TARGET,
    trained: Collection[int] = (),
) -> NDArray[np.float64]:
    """(C,) from which score on each class may be shown. trained: classes that were judged on pictures that
    were trained on, see :func:`with_trained`."""
    family = family_codes(labels)
    grid = np.round(np.arange(HIGHEST, LOWEST - 1e-9, -0.005), 3)
    shown = np.full(len(labels), HIGHEST)  # of families that nobody has judged
    for code in sorted(set(family.tolist())):
        fit = _fit(judged, (family == code).nonzero()[0])
        if fit is None:
            continue
        family_share = fit.precision(None, grid, ERRORS)
        for row, c in enumerate(fit.classes.tolist()):
            in_scenes = sum(count for source, count in judged[c].boxes.items() if source in SCENES)
            errors = ERRORS if in_scenes >= SCENE_BOXES else 2 * ERRORS
            wanted = min(target + OPTIMISM * (c in trained), 0.95)
            own = _lowest(fit.precision(row, grid, errors), grid, wanted)
            judged_well = sum(score >= own for score, _, _ in judged[c].looks) >= OWN_WORD
            shown[c] = own if judged_well else max(own, _lowest(family_share, grid, wanted))
    return shown


def rows(
    judged: Sequence[Judged],
    labels: tuple[str, ...],
    show: NDArray[np.float64],
    shapes: Mapping[int, tuple[tuple[float, float], tuple[float, float]]],
) -> dict[str, ClassShown]:
    """The table's rows. show: (C,) of :func:`scores`. shapes: (area, aspect), see :func:`shape_limits`."""
    anything = ((0.0, 1.0), (0.0, 1e6))
    return {
        label: _row(one, float(show[c]), shapes.get(c, anything))
        for c, (label, one) in enumerate(zip(labels, judged, strict=True))
    }


def _row(one: Judged, show: float, shape: tuple[tuple[float, float], tuple[float, float]]) -> ClassShown:
    boxes = sum(one.boxes.values())
    above = [right for score, right, _ in one.looks if score >= show]
    own = sum(above) / len(above) if above else 0.0
    found = sum(above) / boxes if boxes else 0.0
    return ClassShown(
        show=show,
        precision=round(own, 3),
        found=round(found, 3),
        boxes=boxes,
        looks=len(above),
        dependable=boxes >= BOXES and len(above) >= LOOKS and found >= FOUND and own >= DEPENDABLE,
        area=shape[0],
        aspect=shape[1],
    )


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
