"""At which score a class may be shown: its threshold at a precision, on people's boxes.

A class rests on few boxes. So how likely a detection is right is fitted for its whole family (people,
vehicles, animals, things): one line in the logit of the score, and an offset of each class that is drawn
towards 0 by how much classes differ. The threshold keeps a margin by the fit's standard error, and no one
collection of pictures may speak with more than :data:`PER_SOURCE` detections.

Five hundred portraits of birds say little about birds in a yard. A class that was judged nearly only where it
was to be found (``Judged.in_scenes``) does not speak for its family; its false detections in such collections
weigh more, by how many more there are of its family in pictures without the class (``elsewhere``); and its
estimate has the error with which one collection foretells another (:data:`SPREAD`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgecam.core.families import family_codes
from edgecam.inference.models.shown import ClassShown
from edgecam.nn.detection.evaluation.judged import Judged, elsewhere

#: Precision that thresholds are chosen for, and by how many standard errors the estimate must be above it: a
#: class that was judged on few pictures has to be surer.
TARGET, ERRORS = 0.80, 1.0
#: How much classes of a family differ, as a standard deviation of the logit: of 0.1 to 2, what predicts
#: left-out detections of the shipped detector best (five folds).
OFFSET = 0.25
#: A class of which fewer detections were judged is shown no earlier than one of which nothing is known.
OWN_WORD = 100
#: How far a collection's precision is from what the others foretell, as a standard deviation of the logit: of
#: 0.05 to 1.3, the likeliest for the shipped detector (43 pairs of class and collection, each left out once).
SPREAD = 0.8
#: A class that was judged on pictures that were trained on too has to be more precise there by what was
#: measured on VOC: of the animals that pan-mobilenet-v1-320 finds from a score of 0.4 to 0.6 on, 8 to 10
#: points more are right in pictures that it was trained on; of the people one or two.
OPTIMISM = 0.08
#: People are many everywhere, and the detector is hardly better at those that it was trained on: of what it
#: finds from 0.5 to 0.6 on, as much is right on val as there, and one to three points less in the pictures
#: that were held out.
OPTIMISM_OF_PEOPLE = 0.02
#: Pictures that were trained on lower a score no further than to where a detection of just that score is
#: right this often: in a film a doubtful thing keeps its score for seconds, and no surer ones make up for it.
EVEN = 0.5
#: Detections (and boxes) of one collection weigh at most as much as so many.
PER_SOURCE = 60.0
#: Detections from this score on are fitted.
FROM = 0.2
#: A single sighting is enough to show a track from that score on from which so many are right.
SURE = 0.90
#: Thresholds stay in this range.
LOWEST, HIGHEST = 0.3, 0.9
#: A thing is on by default from so many boxes, detections, share found and precision on.
BOXES, LOOKS, FOUND, DEPENDABLE = 25, 12, 0.2, 0.80
#: Limits on size and shape: these quantiles of people's boxes, widened by the factor; from so many boxes on.
QUANTILES, WIDENED, SHAPES = (0.002, 0.998), 1.6, 30


@dataclass(frozen=True)
class _Fit:
    """How likely a detection of a family is right: logit of that = intercept + slope · logit(score) + the
    class's own offset. weights: (2 + C,), covariance: (2 + C, 2 + C), over ``classes`` (C,)."""

    classes: NDArray[np.intp]
    weights: NDArray[np.float64]
    covariance: NDArray[np.float64]
    logits: NDArray[np.float64]
    counts: NDArray[np.float64]

    def precision(self, row: int | None, at: NDArray[np.float64], spread: float) -> NDArray[np.float64]:
        """(G,) share that is right from each score in ``at`` (best first) on, by a careful estimate.

        row: of ``classes``; None is another one of the family, of which nothing is known. spread: a further
        standard error. The family's detections say how scores are spread.
        """
        z = np.concatenate([self.logits, _logit(at)])
        weight = np.concatenate([self.counts, np.full(len(at), 1e-3)])
        right = self.likely(row, z, spread)
        above = z[None, :] >= _logit(at)[:, None] - 1e-9
        share: NDArray[np.float64] = (above @ (weight * right)) / (above @ weight)
        return share

    def likely(self, row: int | None, z: NDArray[np.float64], spread: float) -> NDArray[np.float64]:
        """(N,) how likely a detection is right whose score has the logit ``z`` (N,), as carefully."""
        design = np.zeros((len(z), len(self.weights)))
        design[:, 0], design[:, 1] = 1.0, z
        if row is not None:
            design[:, 2 + row] = 1.0
        variance = np.einsum("ij,jk,ik->i", design, self.covariance, design)
        error = np.sqrt(variance + (OFFSET**2 if row is None else 0.0) + spread**2)
        right: NDArray[np.float64] = 1.0 / (1.0 + np.exp(ERRORS * error - design @ self.weights))
        return right


def _logit(score: NDArray[np.float64]) -> NDArray[np.float64]:
    kept = np.clip(score, 1e-4, 1 - 1e-4)
    made: NDArray[np.float64] = np.log(kept / (1 - kept))
    return made


def _fit(judged: Sequence[Judged], classes: NDArray[np.intp], astray: float = 1.0) -> _Fit | None:
    """Logistic regression by Newton's method, the offsets drawn towards 0; None without a detection.

    astray: what a false detection weighs in a collection that was gathered for its class, where that was not
    judged in scenes.
    """
    found: list[tuple[int, float, float, float, float]] = []
    for row, c in enumerate(classes.tolist()):
        looks = [look for look in judged[c].looks if look[0] >= FROM]
        count: dict[str, int] = defaultdict(int)
        for score, _, source in looks:
            count[source] += score >= LOWEST
        more = {src: 1.0 if judged[c].in_scenes() or not judged[c].gathered(src) else astray for src in count}
        found += [
            (row, s, float(r), min(1.0, PER_SOURCE / max(1, count[src])), 1.0 if r else more[src])
            for s, r, src in looks
        ]
    if not found:
        return None
    table = np.array(found)
    own, z, right, count_of = table[:, 0].astype(np.intp), _logit(table[:, 1]), table[:, 2], table[:, 3]
    weight = count_of * table[:, 4]
    design = np.zeros((len(table), 2 + len(classes)))
    design[:, 0], design[:, 1] = 1.0, z
    design[np.arange(len(table)), 2 + own] = 1.0
    # what one collection says of a class is no word on the family
    apart = [0.0 if judged[c].in_scenes() else SPREAD for c in classes.tolist()]
    drawn = np.diag([0.01, 0.01, *[1 / (OFFSET**2 + s**2) for s in apart]])
    weights = np.zeros(design.shape[1])
    for _ in range(100):
        likely = 1.0 / (1.0 + np.exp(-design @ weights))
        slope = design.T @ (weight * (right - likely)) - drawn @ weights
        bend = design.T @ ((weight * likely * (1 - likely))[:, None] * design) + drawn
        step = np.linalg.solve(bend, slope)
        weights += step / max(1.0, float(np.abs(step).max()))
        if np.abs(step).max() < 1e-9:
            break
    # a detection that weighs more than once says no more than once how sure one may be
    sure = design.T @ ((count_of * likely * (1 - likely))[:, None] * design) + drawn
    return _Fit(classes, weights, np.linalg.inv(sure), z, weight)


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
    were trained on, see :func:`~edgecam.nn.detection.evaluation.judged.with_trained`."""
    family = family_codes(labels)
    grid = np.round(np.arange(HIGHEST, LOWEST - 1e-9, -0.005), 3)
    shown = np.full(len(labels), HIGHEST)  # of families that nobody has judged
    for code in sorted(set(family.tolist())):
        members = (family == code).nonzero()[0]
        fit = _fit(judged, members, elsewhere([judged[c] for c in members]))
        if fit is None:
            continue
        for row, c in enumerate(members.tolist()):
            wanted = min(target + OPTIMISM * (c in trained), 0.95)
            spread = 0.0 if judged[c].in_scenes() else SPREAD
            shown[c] = _lowest(fit.precision(row, grid, spread), grid, wanted)
            if sum(score >= shown[c] for score, _, _ in judged[c].looks) < OWN_WORD:
                shown[c] = max(shown[c], _lowest(fit.precision(None, grid, spread), grid, wanted))
    return shown


def lowered(
    show: NDArray[np.float64], together: Sequence[Judged], classes: Collection[int], target: float = TARGET
) -> NDArray[np.float64]:
    """``show`` (C,), for ``classes`` of one family lower where pictures that were trained on, ``together``
    with those that were held out, say so; see :data:`OPTIMISM_OF_PEOPLE` and :data:`EVEN`."""
    grid = np.round(np.arange(HIGHEST, LOWEST - 1e-9, -0.005), 3)
    members = np.array(sorted(classes), np.intp)
    made: NDArray[np.float64] = show.copy()
    fit = _fit(together, members)
    if fit is None:
        return made
    for row, c in enumerate(members.tolist()):
        spread = 0.0 if together[c].in_scenes() else SPREAD
        wanted = min(target + OPTIMISM_OF_PEOPLE, 0.95)
        enough = _lowest(fit.precision(row, grid, spread), grid, wanted)
        even = _lowest(fit.likely(row, _logit(grid), spread), grid, EVEN + OPTIMISM_OF_PEOPLE)
        made[c] = min(made[c], max(enough, even))
    return made


def contradicted(
    show: NDArray[np.float64], judged: Sequence[Judged], target: float = TARGET
) -> tuple[NDArray[np.float64], frozenset[int]]:
    """``show`` (C,), raised where pictures that it was not chosen on say otherwise; and of which classes.

    judged: those pictures. A class of which fewer than ``target`` are right there is shown from where they
    are, or from where none is left. Of such a class they are no measure any more.
    """
    raised, those = show.copy(), set()
    for c, one in enumerate(judged):
        while above := [right for score, right, _ in one.looks if score >= raised[c]]:
            if sum(above) >= target * len(above) or raised[c] >= HIGHEST:
                break
            raised[c] = round(raised[c] + 0.005, 3)
            those.add(c)
    return raised, frozenset(those)


def rows(
    judged: Sequence[Judged],
    labels: tuple[str, ...],
    show: NDArray[np.float64],
    sure: NDArray[np.float64],
    shapes: Mapping[int, tuple[tuple[float, float], tuple[float, float]]],
    raised: Collection[int] = (),
) -> dict[str, ClassShown]:
    """The table's rows. show, sure: (C,) of :func:`scores`, the latter for :data:`SURE`. shapes: (area,
    aspect), see :func:`shape_limits`. raised: see :func:`contradicted`."""
    anything = ((0.0, 1.0), (0.0, 1e6))
    return {
        label: _row(one, float(show[c]), float(sure[c]), shapes.get(c, anything), c in raised)
        for c, (label, one) in enumerate(zip(labels, judged, strict=True))
    }


def _row(
    one: Judged,
    show: float,
    sure: float,
    shape: tuple[tuple[float, float], tuple[float, float]],
    on_val: bool,
) -> ClassShown:
    boxes = sum(one.boxes.values())
    above = [right for score, right, _ in one.looks if score >= show]
    own = sum(above) / len(above) if above else 0.0
    found = sum(above) / boxes if boxes else 0.0
    return ClassShown(
        show=show,
        sure=max(show, sure) if sure < HIGHEST else 1.0,
        on_val=on_val,
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
