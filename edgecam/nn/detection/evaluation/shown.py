"""Choose each class's display threshold: the score at which a wanted precision is reached on people's boxes.

A class rests on few boxes. So the probability that a detection is right is fitted for its whole family
(people, vehicles, animals, things): one line in the logit of the score, plus an offset for each class that is
shrunk towards 0 according to how much classes differ. The threshold keeps a margin of the fit's standard
error, and no collection of pictures counts for more than :data:`PER_SOURCE` detections of a class.

Five hundred portraits of birds say little about birds in a yard. Some classes were judged almost only on
pictures that were gathered because they show the class (``Judged.in_scenes`` is false). Such a class has
little influence on the estimate for its family. Its false detections in such collections get a higher weight
(:func:`~edgecam.nn.detection.evaluation.judged.elsewhere`), because its family also has false detections in
pictures without the class. Its estimate also includes the error with which one collection predicts another
(:data:`SPREAD`).
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

#: The precision that thresholds are chosen for, and the number of standard errors by which the estimate must
#: exceed it: a class that was judged on few pictures needs a higher estimate.
TARGET, ERRORS = 0.80, 1.0
#: How much classes of a family differ, as a standard deviation of the logit. Of the values from 0.1 to 2,
#: this one predicts left-out detections of the shipped detector best (five folds).
OFFSET = 0.25
#: A class with fewer detections than this above its threshold gets no lower threshold than a class of its
#: family that was never judged.
OWN_WORD = 100
#: How far a collection's precision is from what the other collections predict, as a standard deviation of the
#: logit. Of the values from 0.05 to 1.3, this one is the likeliest for the shipped detector (43 pairs of
#: class and collection, each left out once).
SPREAD = 0.8
#: A class that was also judged on training pictures must reach a precision that is higher by this much.
#: Measured on VOC: of the animals that pan-mobilenet-v1-320 finds with a score of at least 0.4 to 0.6, 8 to
#: 10 points more are right in training pictures; of the people, one or two points more.
OPTIMISM = 0.08
#: The same for people. They are common everywhere, and the detector is hardly better on training pictures: of
#: the people that it finds with a score of at least 0.5 to 0.6, the same share is right on val, and one to
#: three points less in the pictures that were held out.
OPTIMISM_OF_PEOPLE = 0.02
#: Training pictures lower a threshold no further than to the score at which a detection is right with this
#: probability. In a video a doubtful object keeps its score for seconds, and no detections with higher scores
#: make up for it.
EVEN = 0.5
#: The detections of a class in one collection together weigh at most as much as this many.
PER_SOURCE = 60.0
#: Only detections with at least this score are fitted.
FROM = 0.2
#: One sighting is enough to show a track from the score on at which this precision is reached.
SURE = 0.90
#: Thresholds stay in this range.
LOWEST, HIGHEST = 0.3, 0.9
#: A class is on by default from this number of boxes and of detections, this recall and this precision on.
BOXES, LOOKS, FOUND, DEPENDABLE = 25, 12, 0.2, 0.80
#: Limits on size and shape: these quantiles of people's boxes, widened by the factor. A class needs at least
#: this many boxes to get limits.
QUANTILES, WIDENED, SHAPES = (0.002, 0.998), 1.6, 30


@dataclass(frozen=True)
class _Fit:
    """The fitted probability that a detection of a family is right: its logit is intercept + slope ·
    logit(score) + the class's own offset. classes (C,): the family's class ids. weights: (2 + C,),
    covariance: (2 + C, 2 + C). logits, counts: (N,) each fitted detection's score and weight."""

    classes: NDArray[np.intp]
    weights: NDArray[np.float64]
    covariance: NDArray[np.float64]
    logits: NDArray[np.float64]
    counts: NDArray[np.float64]

    def precision(self, row: int | None, at: NDArray[np.float64], spread: float) -> NDArray[np.float64]:
        """(G,) precision of all detections with at least each score in ``at`` (G,), best first: a cautious
        estimate, lowered by :data:`ERRORS` standard errors.

        row: index into ``classes``; None means another class of the family, which was never judged. spread: a
        further standard error (of the logit). The scores of the family's detections serve as the distribution
        of scores.
        """
        z = np.concatenate([self.logits, _logit(at)])
        weight = np.concatenate([self.counts, np.full(len(at), 1e-3)])
        right = self.likely(row, z, spread)
        above = z[None, :] >= _logit(at)[:, None] - 1e-9
        share: NDArray[np.float64] = (above @ (weight * right)) / (above @ weight)
        return share

    def likely(self, row: int | None, z: NDArray[np.float64], spread: float) -> NDArray[np.float64]:
        """(N,) probability that a detection whose score has the logit ``z`` (N,) is right, estimated as
        cautiously as in :meth:`precision`."""
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
    """Logistic regression by Newton's method, with offsets shrunk towards 0; None if there is no detection.
    astray: the weight of a false detection in a collection that was gathered for its class, if that class was
    not judged in scenes."""
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
    # a class that was judged on few collections may deviate further, so it influences its family less
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
    # a higher weight for false detections must not make the estimate look more certain: use the plain counts
    sure = design.T @ ((count_of * likely * (1 - likely))[:, None] * design) + drawn
    return _Fit(classes, weights, np.linalg.inv(sure), z, weight)


def _lowest(share: NDArray[np.float64], grid: NDArray[np.float64], target: float) -> float:
    """The lowest score of ``grid`` (best first) down to which ``share`` stays at or above ``target``."""
    below = (share < target).nonzero()[0]
    at = len(grid) if not len(below) else int(below[0])
    return float(grid[max(0, at - 1)])


def scores(
    judged: Sequence[Judged],
    labels: tuple[str, ...],
    target: float = TARGET,
    trained: Collection[int] = (),
) -> NDArray[np.float64]:
    """(C,) the threshold of each class: the lowest score at which it may be shown. target: the wanted
    precision. trained: classes that were judged on training pictures too, see
    :func:`~edgecam.nn.detection.evaluation.judged.with_trained`."""
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
    """The thresholds ``show`` (C,), lowered for ``classes`` (of one family) where training pictures allow it.
    together: detections in held-out and training pictures, see
    :func:`~edgecam.nn.detection.evaluation.judged.together`. No threshold is raised. See
    :data:`OPTIMISM_OF_PEOPLE` and :data:`EVEN`."""
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


def rows(
    judged: Sequence[Judged],
    labels: tuple[str, ...],
    show: NDArray[np.float64],
    sure: NDArray[np.float64],
    shapes: Mapping[int, tuple[tuple[float, float], tuple[float, float]]],
    raised: Collection[int] = (),
) -> dict[str, ClassShown]:
    """The rows of the table of thresholds, by label. show, sure: (C,) from :func:`scores`, ``sure`` for the
    precision :data:`SURE`. shapes: per class (area, aspect), see :func:`shape_limits`. raised: the classes
    that other pictures raised."""
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
    """Per class the limits ((least, greatest) area, (least, greatest) aspect); a class with too few boxes has
    none. boxes: per class (width, height, aspect); width and height as shares of the picture's, aspect =
    width / height in pixels. Areas are shares of the picture's area."""
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
