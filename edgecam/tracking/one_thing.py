"""Merge boxes of different classes on one object into one."""

from __future__ import annotations

from bisect import bisect_left
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from edgecam.core.families import PERSON, family_codes
from edgecam.core.types import Classification, Detections
from edgecam.tracking.tracks import Tracks

#: Two boxes of one family (a cup and a bowl, a dog and a cat) with at least the first IoU are one object.
#: Boxes of different families must agree better (the second IoU), since people sit in cars and on horses.
SAME_FAMILY_IOU, OTHER_FAMILY_IOU = 0.55, 0.75

#: An alternative has at least this share of the votes of the track's own label.
ALTERNATIVE_SHARE = 0.25

Losers = tuple[list[int], list[int], NDArray[np.float32]]


def one_per_thing(found: Detections) -> tuple[Detections, Losers | None]:
    """``found`` without the boxes that a box of another class with a better score covers.

    Also returns, for each box that was left out, (the index of the kept box, class, score); None if there is
    none. ``found`` is sorted, best first.
    """
    count = len(found)
    if count < 2:
        return found, None
    winner: dict[int, int] = {}  # of each that is left out
    for row, beaten in _pairs(found):
        if row not in winner:
            winner.setdefault(beaten, row)
    if not winner:
        return found, None
    gone = sorted(winner)
    alive = np.ones(count, bool)
    alive[gone] = False
    by = [winner[one] - bisect_left(gone, winner[one]) for one in gone]  # where it stands among those kept
    return found.select(alive), (by, found.class_id[gone].tolist(), found.score[gone])


def _pairs(found: Detections) -> list[tuple[int, int]]:
    """(better, worse) indices of boxes of different classes on one object, in order."""
    kinds, boxes = found.class_id.tolist(), found.xyxy.tolist()
    family = family_codes(found.labels)[found.class_id].tolist()
    order = sorted(range(len(boxes)), key=lambda number: float(boxes[number][0]))
    pairs = []
    for place, i in enumerate(order, 1):
        x1, y1, x2, y2 = boxes[i]
        for j in islice(order, place, None):
            left, top, right, bottom = boxes[j]
            if left >= x2:
                break
            if kinds[i] == kinds[j] or top >= y2 or bottom <= y1:
                continue
            common = (min(x2, right) - left) * (min(y2, bottom) - max(y1, top))
            # there is only one class of person, so two boxes of that family are two people
            least = SAME_FAMILY_IOU if family[i] == family[j] != PERSON else OTHER_FAMILY_IOU
            if common > least * ((x2 - x1) * (y2 - y1) + (right - left) * (bottom - top) - common):
                pairs.append((min(i, j), max(i, j)))
    return sorted(pairs)


def vote_for(
    votes: NDArray[np.float32], losers: Losers, rows: NDArray[np.intp], columns: NDArray[np.intp]
) -> None:
    """Add the boxes that were left out to the votes (T, C) of the tracks that were seen as the kept boxes.

    rows, columns: track ``rows[i]`` was seen as kept box ``columns[i]``.
    """
    winner, class_id, score = losers
    track = dict(zip(columns.tolist(), rows.tolist(), strict=True))
    for by, other, value in zip(winner, class_id, score, strict=True):
        if by in track:
            votes[track[by], other] += value


def alternatives(
    tracks: Tracks, shown: NDArray[np.intp], labels: tuple[str, ...], wanted: NDArray[np.bool_]
) -> tuple[tuple[Classification, ...], ...] | None:
    """The other classes that the tracks ``shown`` were taken for, best first; None if no track has any.

    Their scores are the track's score, in proportion to the votes. wanted: (C,) classes that are looked for.
    """
    if not len(shown):
        return None
    votes, called, every = tracks.votes[shown], tracks.class_id[shown], np.arange(len(shown))
    own = votes[every, called]
    others = votes >= (ALTERNATIVE_SHARE * own)[:, None]
    if np.count_nonzero(others) == len(shown):  # only their own
        return None
    others &= wanted
    others[every, called] = False
    if not np.count_nonzero(others):
        return None
    share = votes / np.maximum(own, 1e-6)[:, None]
    made = []
    for i in range(len(shown)):
        best = sorted(others[i].nonzero()[0].tolist(), key=lambda c: -share[i, c])
        score = float(tracks.score[shown[i]])
        made.append(tuple(Classification(labels[c], c, score * min(float(share[i, c]), 1.0)) for c in best))
    return tuple(made)
