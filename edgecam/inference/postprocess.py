"""From a model's boxes and scores to detections: one comparison over all scores, then only what passed it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

#: At most so many candidates enter suppression, best first; a busy street gives about 300 at a score of 0.3.
MAX_CANDIDATES = 400
#: Candidates are compared with all others in blocks of so many: most later ones are gone before their turn
#: comes, and 64 × 400 pairs take 0.3 MB where all at once would take 3.
BLOCK = 64
#: Two boxes that agree so well are one object whatever their classes say: a dog is not a cat as well.
CROSS_CLASS_IOU = 0.85


@dataclass(frozen=True, slots=True, eq=False)
class Thresholds:
    """What counts, by class. Immutable, so that a window may replace it while a worker reads it.

    score: (C,) float32; infinite for classes that are switched off.
    cross_iou: see :func:`suppress`; 1 keeps several classes on one box.
    """

    score: NDArray[np.float32]
    nms_iou: float
    max_detections: int
    cross_iou: float = CROSS_CLASS_IOU
    lowest: np.float32 = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "lowest", np.float32(self.score.min(initial=np.inf)))


def suppress(
    boxes: NDArray[np.float32],
    class_id: NDArray[np.int32],
    iou: float,
    limit: int,
    cross_iou: float = 1.0,
) -> NDArray[np.intp]:
    """Greedy, class-aware non-maximum suppression.

    boxes: (K, 4) xyxy in any unit, sorted best first. class_id: (K,). Returns positions kept, best first, at
    most ``limit``. A box goes if its IoU with a better one is above ``iou`` and the class the same, or above
    ``cross_iou`` whatever the class.
    """
    count = len(boxes)
    if count < 2:
        return np.arange(min(count, limit))
    sides = np.ascontiguousarray(boxes.T)
    area = (sides[2] - sides[0]) * (sides[3] - sides[1])
    alive = np.ones(count, bool)
    kept: list[int] = []
    for start in range(0, count, BLOCK):
        rows = start + alive[start : start + BLOCK].nonzero()[0]
        if not len(rows):
            continue
        share = _shares(sides, area, rows, start)
        clash = share > iou / (1 + iou)
        clash &= class_id[rows, None] == class_id[start:]
        if cross_iou < 1.0:
            clash |= share > cross_iou / (1 + cross_iou)
        free = np.logical_not(clash, out=clash)
        rest = alive[start:]
        for position, row in enumerate(rows.tolist()):
            if alive[row]:
                kept.append(row)
                if len(kept) == limit:
                    return np.asarray(kept, np.intp)
                rest &= free[position]
    return np.asarray(kept, np.intp)


def _shares(
    sides: NDArray[np.float32], area: NDArray[np.float32], rows: NDArray[np.intp], start: int
) -> NDArray[np.float32]:
    """(R, K - start) intersections of ``rows`` with all from ``start`` on, in parts of their areas' sum.

    inter / union > t is inter / (sum of areas) > t / (1 + t), which saves an array.
    """
    x1, y1, x2, y2 = sides[:, rows, None]
    right = sides[:, start:]
    share: NDArray[np.float32] = np.minimum(x2, right[2])
    share -= np.maximum(x1, right[0])
    np.maximum(share, 0, out=share)
    height = np.minimum(y2, right[3])
    height -= np.maximum(y1, right[1])
    np.maximum(height, 0, out=height)
    share *= height
    np.add(area[rows, None], area[start:], out=height)
    share /= height
    return share


def select(
    boxes: NDArray[np.float32], scores: NDArray[np.float32], limits: Thresholds
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int32]]:
    """(xyxy (K, 4), score (K,), class_id (K,)) of what is there, best first; boxes keep their unit.

    boxes: (N, 4) xyxy. scores: (N, C). An anchor may give several classes. Boxes that are not finite or have
    no area are dropped.
    """
    # One pass against the lowest threshold (three times as fast as against a row of them), then each its own.
    flat = scores.reshape(-1)
    hits = (flat >= limits.lowest).nonzero()[0]
    score = flat[hits]
    anchor, class_id = np.divmod(hits, scores.shape[1])
    order = (score >= limits.score[class_id]).nonzero()[0]
    order = order[np.argsort(-score[order], kind="stable")[:MAX_CANDIDATES]]
    anchor, class_id, score = anchor[order], class_id[order], score[order]
    chosen = boxes[anchor]
    # NaN fails the comparison, infinite sides fail isfinite
    good = (chosen[:, 2] > chosen[:, 0]) & (chosen[:, 3] > chosen[:, 1])
    good &= np.logical_and.reduce(np.isfinite(chosen), axis=1)
    if np.count_nonzero(good) < len(good):
        chosen, score, class_id = chosen[good], score[good], class_id[good]
    classes = class_id.astype(np.int32)
    keep = suppress(chosen, classes, limits.nms_iou, limits.max_detections, limits.cross_iou)
    return chosen[keep], score[keep], classes[keep]
