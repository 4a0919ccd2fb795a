"""Match detections with tracks: strong detections first, then weak ones with the tracks that are left."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgecam.core.types import STATIONARY, TENTATIVE, Detections
from edgecam.tracking.assign import assign
from edgecam.tracking.tracks import Tracks, widened_iou

#: Least affinity (IoU of widened boxes, halved where the classes differ) of a pair, by pass.
STRONG_AFFINITY, WEAK_AFFINITY = 0.15, 0.3
#: Boxes are widened by a share of their size: a base, plus what an object may move per second while unseen.
WIDEN, WIDEN_NEW_PER_S, WIDEN_KNOWN_PER_S, WIDEN_MOST = 0.1, 1.5, 0.5, 0.5
#: After this many sightings a track's speed is used, and it is shown through short gaps.
SETTLED = 3
#: A tentative track's affinities are multiplied by this, so that a confirmed track gets a detection first:
#: the tentative one may be a second box on the same object.
NEWCOMER = 0.7
#: A stationary track that was unseen is matched only with a detection where it stood (IoU).
SAME_PLACE = 0.5


def match(
    tracks: Tracks,
    xyxy: NDArray[np.float64],
    state: NDArray[np.uint8] | None,
    found: Detections,
    strong: NDArray[np.bool_],
    at_ns: int,
    coast_ns: int,
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.bool_]]:
    """Matches as (rows of ``tracks``, columns of ``found``, whether the detection is strong).

    xyxy: (T, 4) where the tracks are expected. state: (T,) as :mod:`edgecam.tracking.evidence` judges them,
    or None. strong: (D,) bool. coast_ns: a stationary track that is unseen for longer is matched only where
    it stood.
    """
    nothing = np.empty(0, np.intp)
    if not len(found) or not len(tracks.track_id):
        return nothing, nothing, np.empty(0, bool)
    affinity = _affinity(tracks, xyxy, state, found, at_ns, coast_ns)
    surely, weakly = strong.nonzero()[0], (~strong).nonzero()[0]
    rows, columns = nothing, nothing
    if len(surely):
        rows, right = assign(affinity[:, surely], STRONG_AFFINITY)
        columns = surely[right]
    sure = np.ones(len(rows), bool)
    if len(weakly) and len(rows) < len(affinity):
        left = np.ones(len(affinity), bool)
        left[rows] = False
        open_rows = left.nonzero()[0]
        more, right = assign(affinity[open_rows[:, None], weakly], WEAK_AFFINITY)
        rows, columns = np.concatenate([rows, open_rows[more]]), np.concatenate([columns, weakly[right]])
        sure = np.concatenate([sure, np.zeros(len(more), bool)])
    return rows, columns, sure


def _affinity(
    tracks: Tracks,
    xyxy: NDArray[np.float64],
    state: NDArray[np.uint8] | None,
    found: Detections,
    at_ns: int,
    coast_ns: int,
) -> NDArray[np.float32]:
    """(T, D): how well each of ``found`` fits each track."""
    gap_s = (at_ns - tracks.seen_ns) / 1e9
    pace = np.where(tracks.hits >= SETTLED, WIDEN_KNOWN_PER_S, WIDEN_NEW_PER_S)
    widen = np.minimum(WIDEN + pace * gap_s, WIDEN_MOST)
    affinity = widened_iou(xyxy, found.xyxy, widen)
    other = tracks.class_id[:, None] != found.class_id
    affinity *= np.where(other, np.float32(0.5), np.float32(1.0))
    if state is not None:
        affinity *= np.where(state == TENTATIVE, np.float32(NEWCOMER), np.float32(1.0))[:, None]
        parked = state == STATIONARY
        if np.count_nonzero(parked):  # a person who passes in front of a parked car is not the car
            affinity[parked[:, None] & other & (affinity < SAME_PLACE / 2)] = 0.0
            parked &= gap_s * 1e9 > coast_ns
            affinity[parked[:, None] & (other | (affinity < SAME_PLACE))] = 0.0
    return affinity
