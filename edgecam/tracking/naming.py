"""A track's label: votes over its life. A track that is not shown yet may still change its label freely."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgecam.core.families import THING
from edgecam.core.types import TENTATIVE
from edgecam.tracking.tracks import Tracks

#: Votes for a label lose half their weight in this time; a label changes at most once in this time.
VOTE_S = 1.0
#: With evidence a longer part of the track's life decides: votes halve in this time.
VOTE_HALF_S = 4.0
#: Another label replaces the current one only if its votes weigh more than this many times as much.
VOTE_MARGIN = 1.2


def vote(tracks: Tracks, at_ns: int, state: NDArray[np.uint8] | None) -> None:
    """Give each track the label with the most votes, if it may change yet. state: (T,) or None."""
    if not len(tracks.track_id):
        return
    rows = np.arange(len(tracks.track_id))
    best = tracks.votes.argmax(axis=1)
    clear = tracks.votes[rows, best] > VOTE_MARGIN * tracks.votes[rows, tracks.class_id]
    if not np.count_nonzero(clear):
        return
    turn = clear & (at_ns - tracks.voted_ns >= VOTE_S * 1e9)
    if state is not None:
        turn |= clear & (state == TENTATIVE)
    tracks.class_id[turn] = best[turn]
    tracks.voted_ns[turn] = at_ns


def renamed(
    tracks: Tracks,
    state: NDArray[np.uint8],
    rows: NDArray[np.intp],
    class_id: NDArray[np.int32],
    passing: NDArray[np.bool_],
    enough: NDArray[np.bool_],
    limits: NDArray[np.float32],
) -> NDArray[np.intp]:
    """Tracks ``rows`` were seen as ``class_id``; some of the tentative ones take that class as their label at
    once: if the sighting is ``enough`` by itself, or if it is ``passing`` its threshold and no sighting of
    their own label was.

    The latter start again with the new label; they are what is returned. limits: (C,) thresholds.
    """
    other = (tracks.class_id[rows] != class_id) & (state[rows] == TENTATIVE) & passing
    if not np.count_nonzero(other):
        return rows[:0]
    rows, class_id, enough = rows[other], class_id[other], enough[other]
    strong = tracks.strong_class[rows]
    proven = (strong == tracks.class_id[rows]) & (tracks.score[rows] >= limits[strong])
    takes = enough | ~proven
    these, names = rows[takes], class_id[takes]
    tracks.class_id[these] = names
    tracks.votes[these, names] = tracks.votes[these].max(axis=1)
    anew: NDArray[np.intp] = rows[takes & ~enough]
    tracks.hits[anew] = 1
    return anew


def as_kin(
    ratio: NDArray[np.float32],
    score: NDArray[np.float32],
    seen_as: NDArray[np.int32],
    called: NDArray[np.int32],
    family: NDArray[np.uint8],
    limits: NDArray[np.float32],
) -> NDArray[np.float32]:
    """``ratio`` (K,), taken against the lower threshold of the two classes where a vehicle was seen as
    another vehicle (a van: now car, now bus), or an animal as another animal: whether there is one does not
    depend on which it is. family: (C,) of the classes."""
    kin = (seen_as != called) & (family[seen_as] == family[called]) & (family[called] != THING)
    if not np.count_nonzero(kin):
        return ratio
    other = score / np.maximum(limits[called], np.float32(0.01))
    made: NDArray[np.float32] = np.where(kin, np.maximum(ratio, other), ratio)
    return made
