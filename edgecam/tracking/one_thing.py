"""Boxes of different classes on one thing become one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgecam.core.families import PERSON, family_codes
from edgecam.core.types import Classification, Detections
from edgecam.tracking.tracks import Tracks, areas, intersections

#: Two boxes of one family (a cup and a bowl, a dog and a cat) that agree so well (IoU) are one thing; of
#: different families they must agree better, since people sit in cars and on horses.
SAME_FAMILY_IOU, OTHER_FAMILY_IOU = 0.55, 0.75

#: An alternative has at least this share of the votes of a track's own label.
ALTERNATIVE_SHARE = 0.25

Losers = tuple[NDArray[np.intp], NDArray[np.int32], NDArray[np.float32]]


def one_per_thing(found: Detections) -> tuple[Detections, Losers | None]:
    """``found`` without the boxes that a better-scored one of another class covers.

    Also (which of those kept, class, score) of each that was left out; None where none was. ``found`` is
    sorted, best first.
    """
    count = len(found)
    if count < 2:
        return found, None
    clash = found.class_id[:, None] != found.class_id
    if not np.count_nonzero(clash):
        return found, None
    common, area = intersections(found.xyxy, found.xyxy), areas(found.xyxy)
    share = common / np.maximum(area[:, None] + area - common, 1e-9)
    clash &= share > SAME_FAMILY_IOU
    if not np.count_nonzero(clash):
        return found, None
    family = family_codes(found.labels)[found.class_id]
    # there is one class of person, so that two boxes of that family are two people
    alike = (family[:, None] == family) & (family != PERSON)
    place = np.arange(count)
    clash &= (alike | (share > OTHER_FAMILY_IOU)) & (place[:, None] < place)  # a row puts out later columns
    if not np.count_nonzero(clash):
        return found, None
    winner: dict[int, int] = {}  # of each that is left out
    for row, beaten in np.argwhere(clash).tolist():
        if row not in winner:
            winner.setdefault(beaten, row)
    alive = np.ones(count, bool)
    gone = sorted(winner)
    alive[gone] = False
    place = np.cumsum(alive) - 1
    by = [winner[one] for one in gone]
    return found.select(alive), (place[by], found.class_id[gone], found.score[gone])


def vote_for(
    votes: NDArray[np.float32], losers: Losers, rows: NDArray[np.intp], columns: NDArray[np.intp]
) -> None:
    """Add what the left-out boxes say to the votes (T, C) of the tracks that were seen as their winners.

    rows, columns: which track was seen as which of the boxes that were kept.
    """
    winner, class_id, score = losers
    track = dict(zip(columns.tolist(), rows.tolist(), strict=True))
    for by, other, value in zip(winner.tolist(), class_id.tolist(), score, strict=True):
        if by in track:
            votes[track[by], other] += value


def alternatives(
    tracks: Tracks, shown: NDArray[np.intp], labels: tuple[str, ...], wanted: NDArray[np.bool_]
) -> tuple[tuple[Classification, ...], ...] | None:
    """What else the tracks ``shown`` were taken for, best first; None where there is nothing at all.

    Their scores are the track's, in proportion to the votes. wanted: (C,) classes that are looked for.
    """
    if not len(shown):
        return None
    votes, rows = tracks.votes[shown], np.arange(len(shown))
    share = votes / np.maximum(votes[rows, tracks.class_id[shown]], 1e-6)[:, None]
    share[rows, tracks.class_id[shown]] = 0
    others = (share >= ALTERNATIVE_SHARE) & wanted
    if not np.count_nonzero(others):
        return None
    made = []
    for i in rows.tolist():
        best = sorted(others[i].nonzero()[0].tolist(), key=lambda c: -share[i, c])
        score = float(tracks.score[shown[i]])
        made.append(tuple(Classification(labels[c], c, score * min(float(share[i, c]), 1.0)) for c in best))
    return tuple(made)
