"""Identities between frames: predict, associate strong detections, then weak ones, vote on labels.

After SORT (Bewley et al. 2016) with ByteTrack's second pass over weak detections (Zhang et al. 2022) and
C-BIoU's widened boxes for fast objects at low rates (Yang et al. 2023). Works in time, not frames, so at any
rate. Why not a library: docs/adr/0003-tracker.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgecam.core.types import Detections
from edgecam.tracking.assign import assign
from edgecam.tracking.prediction import Motion

#: Least affinity (IoU of widened boxes, halved where the classes differ) of a pair, by pass.
STRONG_AFFINITY, WEAK_AFFINITY = 0.15, 0.3
#: Boxes are widened by a part of their size: a base, plus what an object may move per second unseen.
WIDEN, WIDEN_NEW_PER_S, WIDEN_KNOWN_PER_S, WIDEN_MOST = 0.1, 1.5, 0.5, 0.5
#: Sightings after which a track's speed is used and it is shown through short gaps.
SETTLED = 3
#: Votes for a label lose half their weight in this time; a label changes at most once in it.
VOTE_S = 1.0
#: Another label must have so much more weight.
VOTE_MARGIN = 1.2
#: An unseen track loses its speed with this time constant.
SLOW_S = 0.4
#: A weak detection's edges are so much less exact.
WEAK_DOUBT = 2.0
#: A box that rests is shown where it is until it is off by so much of its size (the root of its area): about
#: twice what the filter leaves of a detector's noise (benchmarks/stable_boxes.py, frozen frames).
REST_PLAY = 0.015
#: An unseen track that overlaps a seen one so much (IoU) is that one, or hides behind it: it is not shown.
HIDDEN_IOU = 0.5


def widened_iou(
    a: NDArray[np.floating], b: NDArray[np.floating], widen: NDArray[np.floating]
) -> NDArray[np.float32]:
    """(T, D) IoU of boxes ``a`` (T, 4) and ``b`` (D, 4), both widened by ``widen`` (T,) × their own size."""
    grow = widen[:, None, None]
    a_size, b_size = a[:, None, 2:] - a[:, None, :2], b[None, :, 2:] - b[None, :, :2]
    a_more, b_more = a_size * grow, b_size * grow
    low = np.maximum(a[:, None, :2] - a_more, b[None, :, :2] - b_more)
    high = np.minimum(a[:, None, 2:] + a_more, b[None, :, 2:] + b_more)
    inter = np.maximum(high - low, 0).prod(axis=2)
    # Both grow by the same factor per side, so their areas do by its square.
    area = (a_size.prod(axis=2) + b_size.prod(axis=2)) * (1 + 2 * widen[:, None]) ** 2
    iou: NDArray[np.float32] = (inter / np.maximum(area - inter, 1e-9)).astype(np.float32)
    return iou


def _in_order(found: Detections) -> Detections:
    """One order for equal input, whatever order it came in: ids must not depend on it."""
    if len(found) < 2:
        return found
    xyxy = found.xyxy
    keys = (xyxy[:, 3], xyxy[:, 2], xyxy[:, 1], xyxy[:, 0], found.class_id, -found.score)
    return found.select(np.lexsort(keys))


@dataclass(slots=True)
class _Tracks:
    """Parallel arrays over tracks, beside the motion's own."""

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
    def new(cls, ids: NDArray[np.int32], found: Detections, at_ns: int, classes: int) -> _Tracks:
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

    def keep(self, mask: NDArray[np.bool_]) -> None:
        for name in self.__slots__:
            setattr(self, name, getattr(self, name)[mask])

    def extend(self, more: _Tracks) -> None:
        for name in self.__slots__:
            setattr(self, name, np.concatenate([getattr(self, name), getattr(more, name)]))


class SortTracker:
    """Implements :class:`edgecam.core.ports.Tracker`. One thread at a time.

    strong: (C,) scores, or a function that gives them, from which on a detection may start a track; None: all
    do. Weaker detections keep known objects shown for ``hold_s`` after they were last strong.
    keep_s: a track unseen for longer is forgotten. coast_s: a settled track is shown so long while unseen, at
    its predicted place (0: never), so that boxes do not flicker.
    size_wh: of the picture, to which boxes are clipped; where it is not given (or too small), how far
    detections ever reached stands for it.
    """

    def __init__(
        self,
        strong: NDArray[np.float32] | Callable[[], NDArray[np.float32]] | None = None,
        *,
        keep_s: float = 1.0,
        coast_s: float = 0.3,
        hold_s: float = 1.0,
        size_wh: tuple[int, int] = (0, 0),
    ) -> None:
        self._strong = strong
        self._keep_ns, self._coast_ns, self._hold_ns = (int(s * 1e9) for s in (keep_s, coast_s, hold_s))
        self._size_wh = size_wh
        self._next_id = 1
        self.reset()

    def reset(self) -> None:
        """Forget all tracks; ids go on counting."""
        self._tracks: _Tracks | None = None
        self._motion = Motion()
        self._labels: tuple[str, ...] = ()
        self._last_ns = 0
        self._reach = np.asarray(self._size_wh, np.float32)

    def update(self, detections: Detections, at_ns: int) -> Detections:
        """The tracked detections of the frame captured at ``at_ns``, best first.

        Boxes are smoothed; labels are the track's; ``velocity`` is zero where uncertain; ``score`` is that of
        the last strong sighting, so that none is below its threshold. Time that runs backwards, a gap longer
        than ``keep_s`` or other labels forget all tracks.
        """
        gap_ns = at_ns - self._last_ns
        if self._tracks is None or gap_ns < 0 or gap_ns > self._keep_ns or detections.labels != self._labels:
            self.reset()
            self._labels = detections.labels
            none = np.empty(0, np.int32)
            self._tracks = _Tracks.new(none, Detections.empty(), at_ns, max(1, len(self._labels)))
            gap_ns = 0
        self._last_ns = at_ns
        tracks, motion = self._tracks, self._motion
        found = _in_order(detections)
        if len(found):  # the detector clips to the picture: nothing was ever seen beyond it
            self._reach = np.maximum(self._reach, found.xyxy[:, 2:].max(axis=0))
        motion.predict(gap_ns / 1e9)
        tracks.votes *= np.float32(0.5 ** (gap_ns / 1e9 / VOTE_S))
        limits = self._strong() if callable(self._strong) else self._strong
        if limits is None:
            limits = np.zeros(tracks.votes.shape[1], np.float32)
        strong = found.score >= limits[found.class_id]
        unseen = np.ones(len(tracks.track_id), bool)
        loose = np.ones(len(found), bool)
        for candidates, least in ((strong, STRONG_AFFINITY), (~strong, WEAK_AFFINITY)):
            self._associate(found, candidates & loose, unseen, loose, at_ns, least)
        missing = unseen.nonzero()[0]
        motion.slow(missing, float(np.exp(-gap_ns / 1e9 / SLOW_S)))
        if (loose & strong).any():
            fresh = found.select(loose & strong)
            ids = np.arange(self._next_id, self._next_id + len(fresh), dtype=np.int32)
            self._next_id += len(fresh)
            motion.add(fresh.xyxy)
            tracks.extend(_Tracks.new(ids, fresh, at_ns, tracks.votes.shape[1]))
        age_ns = at_ns - tracks.seen_ns
        # A track seen once or twice may be a ghost: it gets no second chance beyond the shown gap.
        alive = age_ns <= np.where(tracks.hits >= SETTLED, self._keep_ns, self._keep_ns // 4)
        if not alive.all():
            tracks.keep(alive)
            motion.keep(alive)
        self._vote(at_ns)
        return self._visible(at_ns, limits)

    def _associate(
        self,
        found: Detections,
        candidates: NDArray[np.bool_],
        unseen: NDArray[np.bool_],
        loose: NDArray[np.bool_],
        at_ns: int,
        least: float,
    ) -> None:
        """Match ``candidates`` with tracks still ``unseen``; both masks are updated in place."""
        tracks = self._tracks
        columns = candidates.nonzero()[0]
        rows = unseen.nonzero()[0]
        if tracks is None or not len(columns) or not len(rows):
            return
        gap_s = (at_ns - tracks.seen_ns[rows]) / 1e9
        pace = np.where(tracks.hits[rows] >= SETTLED, WIDEN_KNOWN_PER_S, WIDEN_NEW_PER_S)
        widen = np.minimum(WIDEN + pace * gap_s, WIDEN_MOST)
        affinity = widened_iou(self._motion.xyxy[rows], found.xyxy[columns], widen)
        affinity[tracks.class_id[rows][:, None] != found.class_id[columns]] *= 0.5
        left, right = assign(affinity, least)
        rows, columns = rows[left], columns[right]
        unseen[rows] = False
        loose[columns] = False
        doubt = np.full(len(rows), 1.0 if least == STRONG_AFFINITY else WEAK_DOUBT, np.float32)
        self._motion.correct(rows, found.xyxy[columns], doubt)
        tracks.votes[rows, found.class_id[columns]] += found.score[columns]
        tracks.hits[rows] += 1
        tracks.seen_ns[rows] = at_ns
        if least == STRONG_AFFINITY:
            tracks.score[rows] = found.score[columns]
            tracks.strong_class[rows] = found.class_id[columns]
            tracks.strong_ns[rows] = at_ns

    def _vote(self, at_ns: int) -> None:
        tracks = self._tracks
        if tracks is None or not len(tracks.track_id):
            return
        rows = np.arange(len(tracks.track_id))
        best = tracks.votes.argmax(axis=1)
        clear = tracks.votes[rows, best] > VOTE_MARGIN * tracks.votes[rows, tracks.class_id]
        turn = clear & (at_ns - tracks.voted_ns >= VOTE_S * 1e9)
        tracks.class_id[turn] = best[turn]
        tracks.voted_ns[turn] = at_ns

    def _visible(self, at_ns: int, limits: NDArray[np.float32]) -> Detections:
        tracks = self._tracks
        if tracks is None:
            return Detections.empty(self._labels)
        velocity = np.where(tracks.hits[:, None] >= SETTLED, self._motion.believed_velocity(), 0)
        xyxy = self._rested(velocity).astype(np.float32)
        np.clip(xyxy.reshape(-1, 2, 2), 0, self._reach, out=xyxy.reshape(-1, 2, 2))
        seen = tracks.seen_ns == at_ns
        coasting = ~seen & (at_ns - tracks.seen_ns <= self._coast_ns) & (tracks.hits >= SETTLED)
        if coasting.any() and seen.any():
            overlap = widened_iou(xyxy[coasting], xyxy[seen], np.zeros(coasting.sum()))
            coasting[np.flatnonzero(coasting)[(overlap > HIDDEN_IOU).any(axis=1)]] = False
        # Thresholds and classes that the user has just changed hold at once, for old tracks as well.
        wanted = (tracks.score >= limits[tracks.strong_class]) & np.isfinite(limits[tracks.class_id])
        wanted &= at_ns - tracks.strong_ns <= self._hold_ns
        wanted &= (xyxy[:, 2] > xyxy[:, 0]) & (xyxy[:, 3] > xyxy[:, 1])
        shown = ((seen | coasting) & wanted).nonzero()[0]
        shown = shown[np.lexsort((tracks.track_id[shown], -tracks.score[shown]))]
        return Detections(
            xyxy[shown],
            tracks.score[shown],
            tracks.class_id[shown],
            self._labels,
            tracks.track_id[shown],
            velocity[shown],
        )

    def _rested(self, velocity: NDArray[np.floating]) -> NDArray[np.float64]:
        """(T, 4) boxes to show: where the filter has them, but a resting box's edges only follow what is more
        than :data:`REST_PLAY`, so that they stand still."""
        tracks, now = self._tracks, self._motion.xyxy
        if tracks is None:
            return now
        area = np.abs(np.prod(now[:, 2:] - now[:, :2], axis=1))  # predicted edges may have passed one another
        play = np.where(velocity.any(axis=1), 0.0, REST_PLAY * np.sqrt(area))
        away = now - tracks.shown
        tracks.shown = tracks.shown + away - np.clip(away, -play[:, None], play[:, None])
        return tracks.shown
