"""Identities across frames: predict, match strong detections and then weak ones, vote on labels.

After SORT (Bewley et al. 2016), with ByteTrack's second pass over weak detections (Zhang et al. 2022) and
C-BIoU's widened boxes for fast objects at low frame rates (Yang et al. 2023). It measures time and not
frames, so it works at any frame rate. Why it is no library: docs/adr/0003-tracker.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edgecam.core.families import family_codes
from edgecam.core.types import STATIONARY, TENTATIVE, Detections
from edgecam.tracking.association import SETTLED, match
from edgecam.tracking.evidence import Evidence
from edgecam.tracking.naming import VOTE_HALF_S, VOTE_S, as_kin, renamed, vote
from edgecam.tracking.one_thing import alternatives, one_per_thing, vote_for
from edgecam.tracking.prediction import Motion
from edgecam.tracking.shapes import ShapeLimits
from edgecam.tracking.tracks import Tracks, covered_share, in_order, widened_iou

#: The speed of an unseen track decays with this time constant.
SLOW_S = 0.4
#: The noise of a weak detection's edges is higher by this factor.
WEAK_DOUBT = 2.0
#: With evidence, a detection with at least this share of its threshold starts a (tentative) track.
START_SHARE = 0.85
#: A stationary track is hidden, and not gone, while something else covers this share of it.
COVERED = 0.3
#: A stationary track unseen for longer is forgotten: somebody may stand before a parked car this long.
KEEP_STATIONARY_NS = 30_000_000_000
#: An unseen track that overlaps a seen one by this IoU is that one, or hidden by it: it is not shown.
HIDDEN_IOU = 0.5


class SortTracker:
    """Implements :class:`edgecam.core.ports.Tracker`. One thread at a time.

    strong: (C,) scores, or a function that returns them: a detection with at least its class's score may
    start a track; None: all may. Weaker detections keep known objects shown for ``hold_s`` after their last
    strong one.
    keep_s: a track that is unseen for longer is forgotten. coast_s: for this long, a settled track is shown
    at its predicted place while unseen (0: never), so that boxes do not flicker.
    size_wh: the size of the picture, to which boxes are clipped. If it is not given (or too small), the
    farthest extent of all detections so far replaces it.
    evidence: judge each track by :class:`edgecam.tracking.evidence.Evidence`, with the ``strong`` scores as
    thresholds. Detections then get a ``state``, boxes of several classes on one object become one with
    ``alternatives``, and stationary objects are kept through occlusion.
    shapes: limits on size and shape; a box outside them speaks against its track. sure: returns (C,) scores
    from which on a single sighting is enough evidence; None: none is.
    """

    def __init__(
        self,
        strong: NDArray[np.float32] | Callable[[], NDArray[np.float32]] | None = None,
        *,
        keep_s: float = 1.0,
        coast_s: float = 0.3,
        hold_s: float = 1.0,
        size_wh: tuple[int, int] = (0, 0),
        evidence: bool = False,
        shapes: ShapeLimits | None = None,
        sure: Callable[[], NDArray[np.float32]] | None = None,
    ) -> None:
        self._strong = strong
        self._keep_ns, self._coast_ns, self._hold_ns = (int(s * 1e9) for s in (keep_s, coast_s, hold_s))
        self._size_wh = size_wh
        self._next_id = 1
        self._judging, self._shapes, self._sure = evidence, shapes, sure
        self.reset()
        #: After an interruption, which may go on, no single picture is enough evidence.
        self._interrupted = False

    def reset(self) -> None:
        """Forget all tracks; ids continue to count up."""
        self._tracks: Tracks | None = None
        self._motion = Motion()
        self._evidence = Evidence() if self._judging else None
        self._labels: tuple[str, ...] = ()
        self._last_ns = 0
        self._interrupted = True
        self._reach = np.asarray(self._size_wh, np.float32)

    def update(self, detections: Detections, at_ns: int) -> Detections:
        """The tracked detections of the frame captured at ``at_ns``, best first.

        Boxes are smoothed; labels are the track's; ``velocity`` is zero where it is uncertain; ``score`` is
        that of the last strong sighting, so that none is below its threshold. All tracks are forgotten if
        time runs backwards, after a gap longer than ``keep_s``, or if the labels change.
        """
        gap_ns = at_ns - self._last_ns
        if self._tracks is None or gap_ns < 0 or gap_ns > self._keep_ns or detections.labels != self._labels:
            if self._tracks is not None:
                self.reset()
            self._labels = detections.labels
            none = np.empty(0, np.int32)
            self._tracks = Tracks.new(none, Detections.empty(), at_ns, max(1, len(self._labels)))
            gap_ns = 0
        self._last_ns = at_ns
        tracks, motion = self._tracks, self._motion
        found, losers = in_order(detections), None
        if self._evidence is not None:
            found, losers = one_per_thing(found)
            self._evidence.fade(gap_ns / 1e9)
        if len(found):  # the detector clips boxes to the picture, so nothing was ever seen beyond it
            self._reach = np.maximum(self._reach, np.maximum.reduce(found.xyxy[:, 2:], axis=0))
        motion.predict(gap_ns / 1e9)
        half_s = VOTE_HALF_S if self._judging else VOTE_S
        tracks.votes *= np.float32(0.5 ** (gap_ns / 1e9 / half_s))
        limits = self._limits(tracks.votes.shape[1])
        own = limits[found.class_id]
        ratio = found.score / np.maximum(own, np.float32(0.01)) if self._judging else None
        strong = found.score >= own
        state = None if self._evidence is None else self._evidence.state
        rows, columns, sure = match(tracks, motion.xyxy, state, found, strong, at_ns, self._coast_ns)
        if len(rows):
            self._saw(found, ratio, rows, columns, sure, at_ns, limits)
        if losers is not None:
            vote_for(tracks.votes, losers, rows, columns)
        unseen = np.ones(len(tracks.track_id), bool)
        unseen[rows] = False
        missing = unseen.nonzero()[0]
        if len(missing):
            motion.slow(missing, math.exp(-gap_ns / 1e9 / SLOW_S))
        begin = strong.copy() if ratio is None else ratio >= START_SHARE
        begin[columns] = False
        if np.count_nonzero(begin):
            fresh = found.select(begin)
            ids = np.arange(self._next_id, self._next_id + len(fresh), dtype=np.int32)
            self._next_id += len(fresh)
            motion.add(fresh.xyxy)
            tracks.extend(Tracks.new(ids, fresh, at_ns, tracks.votes.shape[1]))
            if self._evidence is not None and ratio is not None:
                enough = self._enough(fresh.class_id, fresh.score)
                if self._shapes is not None and np.count_nonzero(enough):
                    enough &= self._shapes.plausible(fresh.class_id, fresh.xyxy, self._reach)
                self._evidence.add(ratio[begin], fresh.xyxy, at_ns, enough)
        if len(missing):
            self._forget(missing, at_ns)
        vote(tracks, at_ns, None if self._evidence is None else self._evidence.state)
        self._interrupted = False
        return self._visible(at_ns, limits)

    def single(self, detections: Detections) -> Detections:
        """See :class:`edgecam.core.ports.Tracker`: all detections that reach their thresholds, best first.
        Forgets all tracks; ids continue to count up."""
        self.reset()
        limits = self._limits(len(detections.labels))
        found = in_order(detections.select(detections.score >= limits[detections.class_id]))
        ids = np.arange(self._next_id, self._next_id + len(found), dtype=np.int32)
        self._next_id += len(found)
        return replace(found, track_id=ids, velocity=np.zeros((len(found), 4), np.float32))

    def _limits(self, classes: int) -> NDArray[np.float32]:
        limits = self._strong() if callable(self._strong) else self._strong
        return np.zeros(max(1, classes), np.float32) if limits is None else limits

    def _enough(self, class_id: NDArray[np.int32], score: NDArray[np.float32]) -> NDArray[np.bool_]:
        """(K,) bool: which sightings have a score that makes a second sighting unnecessary."""
        if self._sure is None or self._interrupted:
            return np.zeros(len(score), bool)
        enough: NDArray[np.bool_] = score >= self._sure()[class_id]
        return enough

    def _forget(self, missing: NDArray[np.intp], at_ns: int) -> None:
        """Of the tracks ``missing`` from this frame, drop those that have been unseen for too long."""
        tracks, evidence = self._tracks, self._evidence
        if tracks is None:
            return
        # A track seen once or twice may be a ghost: it gets no second chance beyond the shown gap.
        patience = np.where(tracks.hits >= SETTLED, self._keep_ns, self._keep_ns // 4)
        if evidence is not None:
            evidence.missed(missing)
            patience[evidence.state == STATIONARY] = KEEP_STATIONARY_NS
        alive = at_ns - tracks.seen_ns <= patience
        if np.count_nonzero(alive) < len(alive):
            tracks.keep(alive)
            self._motion.keep(alive)
            if evidence is not None:
                evidence.keep(alive)

    def _saw(
        self,
        found: Detections,
        ratio: NDArray[np.float32] | None,
        rows: NDArray[np.intp],
        columns: NDArray[np.intp],
        sure: NDArray[np.bool_],
        at_ns: int,
        limits: NDArray[np.float32],
    ) -> None:
        """Tracks ``rows`` were seen as ``columns`` of ``found``."""
        tracks = self._tracks
        if tracks is None:
            return
        xyxy, class_id, score = found.xyxy[columns], found.class_id[columns], found.score[columns]
        self._motion.correct(rows, xyxy, np.where(sure, np.float32(1.0), np.float32(WEAK_DOUBT)))
        tracks.votes[rows, class_id] += score
        tracks.hits[rows] += 1
        tracks.seen_ns[rows] = at_ns
        if self._evidence is not None and ratio is not None:
            plausible = None if self._shapes is None else self._shapes.plausible(class_id, xyxy, self._reach)
            enough, worth = self._enough(class_id, score), ratio[columns]
            same = tracks.class_id[rows] == class_id
            if np.count_nonzero(same) < len(rows):
                state = self._evidence.state
                anew = renamed(tracks, state, rows, class_id, worth >= 1.0, enough, limits)
                self._evidence.restart(anew)
                called = tracks.class_id[rows]
                worth = as_kin(worth, score, class_id, called, family_codes(self._labels), limits)
                same = called == class_id
            self._evidence.saw(rows, worth, same, plausible, enough, at_ns)
        strong = rows[sure]
        tracks.score[strong] = score[sure]
        tracks.strong_class[strong] = class_id[sure]
        tracks.strong_ns[strong] = at_ns

    def _visible(self, at_ns: int, limits: NDArray[np.float32]) -> Detections:
        tracks = self._tracks
        if tracks is None:
            return Detections.empty(self._labels)
        settled = tracks.hits >= SETTLED
        velocity = np.where(settled[:, None], self._motion.believed_velocity(), np.float32(0))
        xyxy = tracks.rest(self._motion.xyxy, velocity).astype(np.float32)
        corners = xyxy.reshape(-1, 2, 2)
        np.minimum(np.maximum(corners, 0, out=corners), self._reach, out=corners)
        seen = tracks.seen_ns == at_ns
        coasting = ~seen & (at_ns - tracks.seen_ns <= self._coast_ns) & settled
        if np.count_nonzero(coasting) and np.count_nonzero(seen):
            overlap = widened_iou(xyxy[coasting], xyxy[seen], np.zeros(coasting.sum()))
            coasting[np.flatnonzero(coasting)[(overlap > HIDDEN_IOU).any(axis=1)]] = False
        # Thresholds and classes that the user has just changed hold at once, for old tracks as well.
        looked_for = np.isfinite(limits)
        asked = looked_for[tracks.class_id]
        passes = (tracks.score >= limits[tracks.strong_class]) & asked
        evidence = self._evidence
        if evidence is None:
            wanted = passes & (at_ns - tracks.strong_ns <= self._hold_ns)
        else:
            families = family_codes(self._labels)[tracks.class_id]
            evidence.doubt(tracks.track_id, tracks.class_id, families, tracks.shown, self._reach, at_ns)
            evidence.judge(at_ns, tracks.hits, tracks.strong_ns, passes, seen, tracks.shown)
            wanted = (evidence.state != TENTATIVE) | (seen & asked)
            coasting |= self._covered(xyxy, seen)
        wanted &= (xyxy[:, 2] > xyxy[:, 0]) & (xyxy[:, 3] > xyxy[:, 1])
        shown = ((seen | coasting) & wanted).nonzero()[0]
        if len(shown) > 1:
            shown = shown[np.lexsort((tracks.track_id[shown], -tracks.score[shown]))]
        return Detections(
            xyxy[shown],
            tracks.score[shown],
            tracks.class_id[shown],
            self._labels,
            tracks.track_id[shown],
            velocity[shown],
            None if evidence is None else evidence.state[shown],
            None if evidence is None else alternatives(tracks, shown, self._labels, looked_for),
        )

    def _covered(self, xyxy: NDArray[np.float32], seen: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """(T,) bool: stationary objects that are not seen because a seen object stands in front of them."""
        evidence = self._evidence
        hidden = np.zeros(len(seen), bool)
        if evidence is not None:
            parked = ((evidence.state == STATIONARY) & ~seen).nonzero()[0]
            if len(parked) and np.count_nonzero(seen):
                hidden[parked] = covered_share(xyxy[parked], xyxy[seen]) >= COVERED
        return hidden
