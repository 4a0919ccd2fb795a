"""The data that a tracker keeps of each object, as parallel arrays, and how boxes are compared."""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from edgecam.core.types import Detections

#: A resting box is shown where it was until it is off by this much of its size (the root of its area). That
#: is about twice what the filter leaves of a detector's noise (benchmarks/stable_boxes.py, frozen frames).
REST_PLAY = 0.015


def areas(xyxy: NDArray[np.floating]) -> NDArray[np.floating]:
    """(T,) areas of boxes (T, 4). It works by columns, which for a few boxes is much faster than a product
    over an axis."""
    made: NDArray[np.floating] = (xyxy[:, 2] - xyxy[:, 0]) * (xyxy[:, 3] - xyxy[:, 1])
    return made


def intersections(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.floating]:
    """(T, D) areas that boxes ``a`` (T, 4) and ``b`` (D, 4) have in common."""
    a_low, a_high = a.T.reshape(2, 2, -1, 1)
    b_low, b_high = b.T.reshape(2, 2, 1, -1)
    side = np.minimum(a_high, b_high)
    side -= np.maximum(a_low, b_low)
    np.maximum(side, 0, out=side)
    common: NDArray[np.floating] = side[0] * side[1]
    return common


def widened_iou(
    a: NDArray[np.floating], b: NDArray[np.floating], widen: NDArray[np.floating]
) -> NDArray[np.float32]:
    """(T, D) IoU of boxes ``a`` (T, 4) and ``b`` (D, 4), both widened by ``widen`` (T,) × their own size."""
    # sides first: (2, T or 1, 1 or D), so that few calls do for both
    a_low, a_high = a.T.reshape(2, 2, -1, 1)
    b_low, b_high = b.T.reshape(2, 2, 1, -1)
    grow = widen[:, None]
    a_size, b_size = a_high - a_low, b_high - b_low
    a_more, b_more = a_size * grow, b_size * grow
    top = np.minimum(a_high + a_more, b_high + b_more)
    top -= np.maximum(a_low - a_more, b_low - b_more)
    np.maximum(top, 0, out=top)
    inter = top[0] * top[1]
    # Both grow by the same factor per side, so their areas do by its square.
    area = (a_size[0] * a_size[1] + b_size[0] * b_size[1]) * (1 + 2 * grow) ** 2
    iou: NDArray[np.float32] = (inter / np.maximum(area - inter, 1e-9)).astype(np.float32)
    return iou


def covered_share(boxes: NDArray[np.float32], over: NDArray[np.float32]) -> NDArray[np.floating]:
    """(T,) the share of each of ``boxes`` (T, 4) that is covered by the box of ``over`` (D ≥ 1, 4) that
    covers most of it."""
    share: NDArray[np.floating] = intersections(boxes, over).max(axis=1) / np.maximum(areas(boxes), 1e-9)
    return share


def in_order(found: Detections) -> Detections:
    """Sort equal input into the same order, whatever order it came in: ids must not depend on it."""
    score = found.score
    if len(found) < 2 or np.count_nonzero(score[1:] < score[:-1]) == len(found) - 1:
        return found
    xyxy = found.xyxy
    keys = (xyxy[:, 3], xyxy[:, 2], xyxy[:, 1], xyxy[:, 0], found.class_id, -score)
    return found.select(np.lexsort(keys))


class Tracks(Struct):
    """Parallel arrays over tracks, beside those of the motion."""

    track_id: NDArray[np.int32]
    class_id: NDArray[np.int32]
    votes: NDArray[np.float32]
    score: NDArray[np.float32]
    strong_class: NDArray[np.int32]
    strong_ns: NDArray[np.int64]
    hits: NDArray[np.int32]
    seen_ns: NDArray[np.int64]
    voted_ns: NDArray[np.int64]
    shown: NDArray[np.float64]

    @classmethod
    def new(cls, ids: NDArray[np.int32], found: Detections, at_ns: int, classes: int) -> Tracks:
        """Tracks that begin with ``found`` at ``at_ns``; ``classes`` is how many labels there are."""
        count = len(found)
        votes = np.zeros((count, classes), np.float32)
        votes[np.arange(count), found.class_id] = found.score
        times = np.full(count, at_ns, np.int64)
        once = np.ones(count, np.int32)
        ids_of_class, again = found.class_id.copy(), found.class_id.copy()
        return cls(
            ids, ids_of_class, votes, found.score.copy(), again, times, once, times.copy(), times.copy(),
            found.xyxy.astype(np.float64),
        )  # fmt: skip

    def rest(self, now: NDArray[np.float64], velocity: NDArray[np.floating]) -> NDArray[np.float64]:
        """(T, 4) boxes to show: the filter's boxes ``now``, except that the edges of a resting box follow
        only what exceeds :data:`REST_PLAY`, so that they stand still."""
        area = np.abs(areas(now))  # predicted edges may have passed one another
        play = np.where(np.logical_or.reduce(velocity, axis=1), 0.0, REST_PLAY * np.sqrt(area))[:, None]
        away = now - self.shown
        self.shown = self.shown + away - np.minimum(np.maximum(away, -play), play)
        return self.shown

    def keep(self, mask: NDArray[np.bool_]) -> None:
        """Forget the tracks where ``mask`` (T,) is False."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name)[mask])

    def extend(self, more: Tracks) -> None:
        """Append ``more``."""
        for name in self.__struct_fields__:
            setattr(self, name, np.concatenate([getattr(self, name), getattr(more, name)]))
