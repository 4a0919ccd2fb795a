"""Has a track been seen often and surely enough to be shown?

A detector of this size always has doubtful boxes in single frames. A track gathers evidence: a running
log-odds of its scores against its class's threshold (the score from which on that class is right often
enough, see :mod:`edgecam.inference.models.shown`), which fades with a half-life, so that it speaks of the
last seconds. It is *tentative* until the evidence is there, *confirmed* from then on (at once where a single
sighting is right often enough, by its score and its class), and *stationary* once it has stood still for
long. A confirmed track may be seen weakly (somebody turns round) and stays.

From the first sighting that passes its threshold on, a single picture would show the thing. A track that is
still young and free of doubts then needs little more than to be seen again, be it somewhat weaker: a thing
whose scores hover at their threshold is shown within a quarter of a second. One that was seen below it for
seconds has to do better.

What speaks against a track: frames in which it is not seen (it flickers), another class at the same place, a
size or shape that its class does not have, a box of its class that is shown inside it or around it, and
riding: it lies on another object and moves only as that one does (a print on a shirt, the texture of a
bonnet).
"""

from __future__ import annotations

import math

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from edgecam.core.families import PERSON, THING
from edgecam.core.types import CONFIRMED, STATIONARY, TENTATIVE
from edgecam.tracking.tracks import areas, intersections

# Measured on recordings with known contents (benchmarks/trust.py).
#: A sighting this share above its threshold is worth one unit of evidence.
UNIT = 0.25
#: What one sighting is worth at most, and at least.
MOST, LEAST = 2.0, -0.5
#: At this rate each sighting counts whole; faster ones see the same picture again, and count less.
RATE_HZ = 15.0
WEIGHT_LEAST, WEIGHT_MOST = 0.25, 2.0
#: Evidence loses half of itself in this time.
HALF_S = 1.0
#: Confirmed from this evidence on, after so many sightings; tentative again below the other.
ENOUGH, SIGHTINGS, LOST = 0.5, 2, -0.6
#: For so long after a sighting that passes, sightings down to this share of the threshold (which may start a
#: track) support it, and what was weak before is forgiven: as long as the track is younger than that.
SUPPORT, SUPPORT_NS, YOUNG_NS = 0.85, 500_000_000, 2_000_000_000
#: Evidence stays in this range, so that what was seen for an hour may still be lost within seconds.
FLOOR, CEILING = -1.0, 6.0
#: A confirmed track may be seen down to this share of its threshold for this long without a strong sighting.
STAY, STAY_NS = 0.7, 5_000_000_000
#: What a frame costs in which a tentative track is not seen.
MISSED = 0.5
#: A sighting of another class than the track's is worth this share, if it is worth anything.
OTHER_CLASS = 0.5
#: The threshold of a track that lies on another object is higher by this share, and by the second one if that
#: object has moved and the track with it.
ON_ANOTHER, RIDING = 0.1, 0.35
#: The same for a track that lies on another of its own class by :data:`DOUBLED` of its box, or around
#: :data:`AROUND` of that one's: a second box on one thing, or somebody behind or before somebody.
SECOND, DOUBLED, AROUND = 0.15, 0.6, 0.85
#: What has moved from where it was first seen by this share of its size is no texture of the background: for
#: people, vehicles and animals the threshold is then lower by the second share.
WALKED, MOVES = 0.5, 0.15
#: Lying on another: so much of its box is inside, and it is no larger than this share of that one.
INSIDE, SMALLER = 0.9, 0.6
#: An object has moved, and a rider has stayed on it: in sizes of the carrier (the root of its area).
MOVED, STAYED = 0.2, 0.1
#: Stationary: no edge has moved by more than this share of the box's size for so long.
STILL, STILL_NS = 0.15, 10_000_000_000
#: Before any time there is.
LONG_AGO = -(1 << 62)


class Rider(Struct):
    """Where a track lay on another when it was first seen there."""

    carrier: int
    carrier_at: tuple[float, float]
    offset: tuple[float, float]
    free: bool = False


class Evidence:
    """Parallel arrays over tracks, beside those of :class:`edgecam.tracking.identities.SortTracker`."""

    def __init__(self) -> None:
        self.value = np.empty(0)
        self.state = np.empty(0, np.uint8)
        self._anchor = np.empty((0, 4))
        self._anchor_ns = np.empty(0, np.int64)
        self._doubt = np.empty(0)
        self._sure = np.empty(0, bool)
        self._since_ns = np.empty(0, np.int64)
        self._passed_ns = np.empty(0, np.int64)
        self._born = np.empty((0, 2))
        self._weight = 1.0
        self._riders: dict[int, Rider] = {}

    def add(
        self,
        ratio: NDArray[np.float32],
        xyxy: NDArray[np.float32],
        at_ns: int,
        sure: NDArray[np.bool_],
    ) -> None:
        """Append tracks seen for the first time. ratio: (K,) scores in parts of their thresholds. sure: (K,)
        whether that sighting is enough."""
        count = len(ratio)
        first = ((ratio - 1.0) / UNIT).clip(LEAST, MOST)
        self.value = np.concatenate([self.value, first])
        self.state = np.concatenate([self.state, np.full(count, TENTATIVE, np.uint8)])
        self._anchor = np.concatenate([self._anchor, xyxy])
        self._anchor_ns = np.concatenate([self._anchor_ns, np.full(count, at_ns, np.int64)])
        self._doubt = np.concatenate([self._doubt, np.zeros(count)])
        self._sure = np.concatenate([self._sure, sure])
        self._since_ns = np.concatenate([self._since_ns, np.full(count, at_ns, np.int64)])
        self._passed_ns = np.concatenate([self._passed_ns, np.where(ratio >= 1.0, at_ns, LONG_AGO)])
        self._born = np.concatenate([self._born, (xyxy[:, :2] + xyxy[:, 2:]) / 2])

    def keep(self, mask: NDArray[np.bool_]) -> None:
        """Forget the tracks where ``mask`` (T,) is False."""
        self.value, self.state, self._doubt = self.value[mask], self.state[mask], self._doubt[mask]
        self._sure, self._since_ns = self._sure[mask], self._since_ns[mask]
        self._passed_ns = self._passed_ns[mask]
        self._anchor, self._anchor_ns = self._anchor[mask], self._anchor_ns[mask]
        self._born = self._born[mask]

    def fade(self, gap_s: float) -> None:
        """``gap_s`` seconds have passed."""
        self.value *= 0.5 ** (gap_s / HALF_S)
        self._sure[:] = False
        self._weight = min(max(gap_s * RATE_HZ, WEIGHT_LEAST), WEIGHT_MOST)

    def restart(self, rows: NDArray[np.intp]) -> None:
        """Tracks ``rows`` begin anew with what they are seen as in this frame."""
        self.value[rows] = 0.0

    def saw(
        self,
        rows: NDArray[np.intp],
        ratio: NDArray[np.float32],
        same_class: NDArray[np.bool_],
        plausible: NDArray[np.bool_] | None,
        sure: NDArray[np.bool_],
        at_ns: int,
    ) -> None:
        """Tracks ``rows`` were seen: scores in parts of the thresholds of the classes they were seen as.

        sure: whether that is enough, for a track of that class. plausible: whether things of their classes
        come in such boxes; None: all do.
        """
        self._sure[rows] = sure & same_class
        tentative = self.state[rows] == TENTATIVE
        zero = self._doubt[rows] + STAY
        if np.count_nonzero(tentative):
            young = at_ns - self._since_ns[rows] <= YOUNG_NS
            supported = young & (at_ns - self._passed_ns[rows] <= SUPPORT_NS)
            supported &= same_class & (self._doubt[rows] <= 0.0)
            zero += np.where(tentative, np.where(supported, SUPPORT, 1.0) - STAY, 0.0)
            passes = rows[young & (ratio >= 1.0)]
            self.value[passes] = np.maximum(self.value[passes], 0.0)
            self._passed_ns[passes] = at_ns
        worth = np.minimum(np.maximum((ratio - zero) / UNIT, LEAST), MOST)
        if np.count_nonzero(same_class) < len(rows):
            worth = np.where(same_class | (worth <= 0.0), worth, OTHER_CLASS * worth)
        if plausible is not None and np.count_nonzero(plausible) < len(rows):
            worth[~plausible] = LEAST
            self._sure[rows[~plausible]] = False
        self.value[rows] = np.minimum(np.maximum(self.value[rows] + worth * self._weight, FLOOR), CEILING)

    def missed(self, rows: NDArray[np.intp]) -> None:
        """Tracks ``rows`` were not seen in this frame."""
        tentative = rows[self.state[rows] == TENTATIVE]
        if len(tentative):
            self.value[tentative] = np.maximum(self.value[tentative] - MISSED * self._weight, FLOOR)
            self._passed_ns[tentative] = LONG_AGO

    def judge(
        self,
        at_ns: int,
        hits: NDArray[np.int32],
        strong_ns: NDArray[np.int64],
        strong: NDArray[np.bool_],
        seen: NDArray[np.bool_],
        xyxy: NDArray[np.float64],
    ) -> None:
        """Bring :attr:`state` up to date.

        strong: whether the last strong sighting passes its threshold. seen: whether this frame has any.
        """
        shown = self.state != TENTATIVE
        count = np.count_nonzero(shown)
        if count:
            # what stands still may be hidden for longer: the tracker forgets it in time
            stale = (at_ns - strong_ns > STAY_NS) & ((self.state != STATIONARY) | seen)
            gone = shown & ((self.value <= LOST) | stale | ~strong)
            if np.count_nonzero(gone):
                self.state[gone] = TENTATIVE
                # strength that was gathered against the lower bar of a confirmed track does not count twice
                self.value[gone] = np.minimum(self.value[gone], 0.0)
        if count < len(shown):
            enough = (self.value >= ENOUGH) & (hits >= SIGHTINGS)
            new = ~shown & (enough | (self._sure & (self._doubt <= 0.0))) & strong
            if np.count_nonzero(new):
                self.state[new] = CONFIRMED
                self._doubt[new] = 0.0
        size = np.sqrt(np.maximum(areas(xyxy), 1.0))
        moved = np.maximum.reduce(np.abs(xyxy - self._anchor), axis=1) > STILL * size
        if np.count_nonzero(moved):
            self._anchor[moved] = xyxy[moved]
            self._anchor_ns[moved] = at_ns
        still = (at_ns - self._anchor_ns >= STILL_NS) & (self.state != TENTATIVE)
        parked = self.state == STATIONARY
        if np.count_nonzero(still != parked):
            self.state[parked] = CONFIRMED
            self.state[still] = STATIONARY

    def doubt_riders(
        self,
        ids: NDArray[np.int32],
        class_id: NDArray[np.int32],
        family: NDArray[np.uint8],
        xyxy: NDArray[np.float64],
    ) -> None:
        """Raise the bar for tentative tracks that lie on a confirmed one, most if they move as it does.

        People on something else are left out: they sit in cars. All (T,) or (T, 4): track numbers, classes,
        families of the classes, boxes.
        """
        rows = (self.state == TENTATIVE).nonzero()[0]
        if not len(rows):
            self._riders.clear()
            return
        sure = (self.state != TENTATIVE).nonzero()[0]
        area = np.maximum(areas(xyxy), 1.0)
        box = xyxy[rows]
        way = np.maximum.reduce(np.abs((box[:, :2] + box[:, 2:]) / 2 - self._born[rows]), axis=1)
        walks = (way > WALKED * np.sqrt(area[rows])) & (family[rows] != THING)
        self._doubt[rows] = np.where(walks, -MOVES, 0.0)
        if not len(sure):
            self._riders.clear()
            return
        own = area[rows][:, None]
        common = intersections(box, xyxy[sure])
        share = common / own
        near = (share >= DOUBLED) | (common >= AROUND * area[sure])
        riders: dict[int, Rider] = {}
        if np.count_nonzero(near):
            same = class_id[rows][:, None] == class_id[sure]
            second = np.logical_or.reduce(near & same, axis=1)
            self._doubt[rows[second]] = SECOND
            on = (share >= INSIDE) & ~same & (own <= SMALLER * area[sure])
            on &= (family[rows] != PERSON)[:, None]
            for i in np.logical_or.reduce(on, axis=1).nonzero()[0].tolist():
                row, carrier = int(rows[i]), int(sure[on[i].argmax()])
                track = int(ids[row])
                riders[track], doubt = self._ride(
                    track, int(ids[carrier]), xyxy[row].tolist(), xyxy[carrier].tolist()
                )
                self._doubt[row] = max(doubt, float(self._doubt[row]))
        self._riders = riders

    def _ride(self, track: int, carrier: int, box: list[float], under: list[float]) -> tuple[Rider, float]:
        middle = (under[0] + under[2]) / 2, (under[1] + under[3]) / 2
        offset = (box[0] + box[2]) / 2 - middle[0], (box[1] + box[3]) / 2 - middle[1]
        before = self._riders.get(track)
        if before is not None and before.carrier == carrier and before.free:
            return before, 0.0
        if before is None or before.carrier != carrier:
            return Rider(carrier, middle, offset), ON_ANOTHER
        size = math.sqrt(max((under[2] - under[0]) * (under[3] - under[1]), 1.0))
        if _way(offset, before.offset) / size > STAYED:  # it moves on its own
            return Rider(carrier, middle, offset, free=True), 0.0
        carried = _way(middle, before.carrier_at) / size > MOVED
        return before, RIDING if carried else ON_ANOTHER


def _way(a: tuple[float, float], b: tuple[float, float]) -> float:
    return max(abs(a[0] - b[0]), abs(a[1] - b[1]))
