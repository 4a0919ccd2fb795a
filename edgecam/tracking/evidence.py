"""Has a track been seen often and surely enough to be shown?

A small detector always has doubtful boxes in single frames. So a track gathers evidence: a running log-odds
of its scores against its class's threshold (the score from which on that class is right often enough, see
:mod:`edgecam.inference.models.shown`), which fades with a half-life. A track is *tentative* until it has
enough evidence, then *confirmed* (at once where, for its score and class, a single sighting is right often
enough), and *stationary* once it has stood still for long. A confirmed track may be seen weakly (somebody
turns round) and stays confirmed.

From the first sighting that passes the threshold on, a still picture would show the object. So a young track
with no doubts against it then only needs to be seen again, even somewhat weaker: scores that hover at the
threshold are shown within a quarter of a second. A track seen below it for seconds needs more.

What speaks against a track: frames in which it is not seen (it flickers); another class at the same place; a
size or shape that its class does not have; a shown box of its class inside it or around it; the picture's
edge, if it is an animal (it may be somebody's head); and riding, which means that it lies on another object
and moves only with it (a print on a shirt, the texture of a bonnet).
"""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from edgecam.core.families import ANIMAL, PERSON, THING
from edgecam.core.types import CONFIRMED, STATIONARY, TENTATIVE
from edgecam.tracking.plain_boxes import (
    Box,
    Point,
    apart,
    area_of,
    common_area,
    cut_by_edge,
    edges_apart,
    middle_of,
    size_of,
)

# Measured on recordings with known contents (benchmarks/trust.py).
#: A sighting with a score this share above its threshold is worth one unit of evidence.
UNIT = 0.25
#: The most and the least that one sighting is worth.
MOST, LEAST = 2.0, -0.5
#: At this rate each sighting counts whole. At a higher rate sightings repeat the same view and count less.
RATE_HZ = 15.0
WEIGHT_LEAST, WEIGHT_MOST = 0.25, 2.0
#: Evidence halves in this time.
HALF_S = 1.0
#: Confirmed from this evidence and this many sightings on; tentative again at the last value or below.
ENOUGH, SIGHTINGS, LOST = 0.5, 2, -0.6
#: For this time after a sighting that passes, sightings down to this share (one may start a track) support
#: the track, and earlier weak ones are forgiven; both only while it is younger than the last value.
SUPPORT, SUPPORT_NS, YOUNG_NS = 0.85, 500_000_000, 2_000_000_000
#: Evidence stays in this range, so that what was seen for an hour can still be lost within seconds.
FLOOR, CEILING = -1.0, 6.0
#: A confirmed track stays with sightings down to this share of its threshold, this long after a strong one.
STAY, STAY_NS = 0.7, 5_000_000_000
#: What a tentative track loses in each frame in which it is not seen.
MISSED = 0.5
#: A sighting of another class than the track's is worth this share, if its worth is positive.
OTHER_CLASS = 0.5
#: The threshold of a track that lies on another object is higher by the first share, or by the second if that
#: object has moved and the track has moved with it.
ON_ANOTHER, RIDING = 0.1, 0.35
#: The same for a second box: at least :data:`DOUBLED` of it lies on another track of its class, or it covers
#: at least :data:`AROUND` of that one. It may be the same object, or somebody behind or in front of it.
SECOND, DOUBLED, AROUND = 0.3, 0.6, 0.85
#: The same for an animal that the picture's edge cuts, wherever it goes: it may be the head of somebody who
#: comes in.
CUT = 0.15
#: A track that has moved by the first share of its size from where it was first seen is no background
#: texture: for people, vehicles and animals its threshold is then lower by the second share.
WALKED, MOVES = 0.5, 0.15
#: A box lies on another with this share of it inside, if its area is at most the second share of that one's.
INSIDE, SMALLER = 0.9, 0.6
#: A carrier has moved from the first distance on; a rider has stayed on it up to the second. Both are in
#: sizes of the carrier (the root of its area).
MOVED, STAYED = 0.2, 0.1
#: Stationary: no edge has moved by more than this share of the box's size for this long.
STILL, STILL_NS = 0.15, 10_000_000_000
#: Earlier than any timestamp.
LONG_AGO = -(1 << 62)


class Rider(Struct):
    """Where a track lay on another when it was first seen there."""

    carrier: int
    carrier_at: Point
    offset: Point
    free: bool = False


class Gathered(Struct):
    """What is known about one track.

    value: evidence. sure: whether this frame's sighting is enough by itself. anchor: xyxy where it has stood
    since ``anchor_ns``. born: its centre when it was first seen, at ``since_ns``. passed_ns: when it last
    passed its threshold. doubt: the share by which its threshold is raised.
    """

    value: float
    sure: bool
    anchor: Box
    anchor_ns: int
    born: Point
    since_ns: int
    passed_ns: int
    state: int = TENTATIVE
    doubt: float = 0.0

    def supported(self, at_ns: int) -> bool:
        """Whether sightings somewhat below the threshold support it now."""
        young = at_ns - self.since_ns <= YOUNG_NS
        return young and at_ns - self.passed_ns <= SUPPORT_NS and self.doubt <= 0.0


class Evidence:
    """One list over the tracks, parallel to :class:`~edgecam.tracking.identities.SortTracker`'s arrays.

    It uses plain numbers, one track after the other: a picture has few tracks, for which NumPy's calls would
    take several times as long.
    """

    def __init__(self) -> None:
        self._tracks: list[Gathered] = []
        #: (T,) TENTATIVE, CONFIRMED or STATIONARY, as last judged.
        self.state = np.empty(0, np.uint8)
        self._weight = 1.0
        self._riders: dict[int, Rider] = {}

    def add(
        self,
        ratio: NDArray[np.float32],
        xyxy: NDArray[np.float32],
        at_ns: int,
        sure: NDArray[np.bool_],
    ) -> None:
        """Append tracks that are seen for the first time. ratio: (K,) scores as shares of their thresholds.
        sure: (K,) whether that sighting is enough by itself."""
        for share, box, enough in zip(ratio.tolist(), xyxy.tolist(), sure.tolist(), strict=True):
            worth = min(max((share - 1.0) / UNIT, LEAST), MOST)
            passed_ns = at_ns if share >= 1.0 else LONG_AGO
            self._tracks.append(Gathered(worth, enough, box, at_ns, middle_of(box), at_ns, passed_ns))
        self.state = np.concatenate([self.state, np.full(len(ratio), TENTATIVE, np.uint8)])

    def keep(self, mask: NDArray[np.bool_]) -> None:
        """Forget the tracks where ``mask`` (T,) is False."""
        self._tracks = [one for one, kept in zip(self._tracks, mask.tolist(), strict=True) if kept]
        self.state = self.state[mask]

    def fade(self, gap_s: float) -> None:
        """Let the evidence fade by ``gap_s`` seconds."""
        left = 0.5 ** (gap_s / HALF_S)
        for one in self._tracks:
            one.value *= left
            one.sure = False
        self._weight = min(max(gap_s * RATE_HZ, WEIGHT_LEAST), WEIGHT_MOST)

    def restart(self, rows: NDArray[np.intp]) -> None:
        """Tracks ``rows`` start again, with this frame's sighting as their first."""
        for row in rows.tolist():
            self._tracks[row].value = 0.0

    def saw(
        self,
        rows: NDArray[np.intp],
        ratio: NDArray[np.float32],
        same_class: NDArray[np.bool_],
        plausible: NDArray[np.bool_] | None,
        sure: NDArray[np.bool_],
        at_ns: int,
    ) -> None:
        """Tracks ``rows`` were seen. ratio: (K,) scores as shares of the thresholds of the classes seen.

        sure: whether the sighting is enough for a track of that class. plausible: whether objects of that
        class have such boxes; None: all do.
        """
        fits = [True] * len(rows) if plausible is None else plausible.tolist()
        sightings = zip(rows.tolist(), ratio.tolist(), same_class.tolist(), fits, sure.tolist(), strict=True)
        for row, share, same, fit, enough in sightings:
            one = self._tracks[row]
            one.sure = enough and same and fit
            threshold = STAY
            if one.state == TENTATIVE:
                threshold = SUPPORT if same and one.supported(at_ns) else 1.0
                if share >= 1.0 and at_ns - one.since_ns <= YOUNG_NS:
                    one.value = max(one.value, 0.0)
                    one.passed_ns = at_ns
            worth = min(max((share - one.doubt - threshold) / UNIT, LEAST), MOST) if fit else LEAST
            if not same and worth > 0.0:
                worth *= OTHER_CLASS
            one.value = min(max(one.value + worth * self._weight, FLOOR), CEILING)

    def missed(self, rows: NDArray[np.intp]) -> None:
        """Tracks ``rows`` were not seen in this frame."""
        for row in rows.tolist():
            one = self._tracks[row]
            if one.state == TENTATIVE:
                one.value = max(one.value - MISSED * self._weight, FLOOR)
                one.passed_ns = LONG_AGO

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

        strong: whether the last strong sighting passes its threshold. seen: whether this frame shows the
        track.
        """
        columns = (hits.tolist(), strong_ns.tolist(), strong.tolist(), seen.tolist(), xyxy.tolist())
        for one, count, last_ns, passes, now, box in zip(self._tracks, *columns, strict=True):
            if one.state == TENTATIVE:
                enough = (one.value >= ENOUGH and count >= SIGHTINGS) or (one.sure and one.doubt <= 0.0)
                if enough and passes:
                    one.state, one.doubt = CONFIRMED, 0.0
            else:
                # a stationary object may be hidden for longer; the tracker forgets it in time
                stale = at_ns - last_ns > STAY_NS and (one.state != STATIONARY or now)
                if one.value <= LOST or stale or not passes:
                    one.state = TENTATIVE
                    # evidence against the lower bar of a confirmed track does not count twice
                    one.value = min(one.value, 0.0)
            if edges_apart(box, one.anchor) > STILL * size_of(box):
                one.anchor, one.anchor_ns = box, at_ns
            if one.state != TENTATIVE:
                one.state = STATIONARY if at_ns - one.anchor_ns >= STILL_NS else CONFIRMED
        self.state = np.array([one.state for one in self._tracks], np.uint8)

    def doubt(
        self,
        ids: NDArray[np.int32],
        class_id: NDArray[np.int32],
        family: NDArray[np.uint8],
        xyxy: NDArray[np.float64],
        size_wh: NDArray[np.float32],
        at_ns: int,
    ) -> None:
        """Raise the threshold of tentative tracks that lie on a confirmed one, most if they move with it, and
        of animals that the picture's edge cuts.

        People on another object are left out: they sit in cars. All arrays are (T,) or (T, 4): track numbers,
        classes, families of the classes, boxes; size_wh: of the picture.
        """
        riders: dict[int, Rider] = {}
        if any(one.state == TENTATIVE for one in self._tracks):
            kinds, families, boxes = class_id.tolist(), family.tolist(), xyxy.tolist()
            width, height = size_wh.tolist()
            sure = [row for row, one in enumerate(self._tracks) if one.state != TENTATIVE]
            for row, one in enumerate(self._tracks):
                if one.state != TENTATIVE:
                    continue
                box = boxes[row]
                walks = families[row] != THING and apart(middle_of(box), one.born) > WALKED * size_of(box)
                one.doubt = -MOVES if walks else 0.0
                if families[row] == ANIMAL and cut_by_edge(box, width, height):
                    one.doubt = CUT
                carrier = None
                own = area_of(box)
                for other in sure:
                    under = boxes[other]
                    if under[0] >= box[2] or under[2] <= box[0]:  # most of a crowd
                        continue
                    common, area = common_area(box, under), area_of(under)
                    if kinds[other] == kinds[row]:
                        if common >= DOUBLED * own or common >= AROUND * area:
                            one.doubt = SECOND
                    elif carrier is None and common >= INSIDE * own and own <= SMALLER * area:
                        carrier = other
                if carrier is not None and families[row] != PERSON:
                    track = int(ids[row])
                    riders[track], doubt = self._ride(track, int(ids[carrier]), box, boxes[carrier])
                    one.doubt = max(doubt, one.doubt)
                if (
                    one.since_ns == at_ns
                ):  # its first sighting was counted before anything was known of doubts
                    one.value = max(one.value - max(one.doubt, 0.0) / UNIT, LEAST)
        self._riders = riders

    def _ride(self, track: int, carrier: int, box: Box, under: Box) -> tuple[Rider, float]:
        at, own = middle_of(under), middle_of(box)
        offset = own[0] - at[0], own[1] - at[1]
        before = self._riders.get(track)
        if before is not None and before.carrier == carrier and before.free:
            return before, 0.0
        if before is None or before.carrier != carrier:
            return Rider(carrier, at, offset), ON_ANOTHER
        size = size_of(under)
        if apart(offset, before.offset) / size > STAYED:  # it moves on its own
            return Rider(carrier, at, offset, free=True), 0.0
        carried = apart(at, before.carrier_at) / size > MOVED
        return before, RIDING if carried else ON_ANOTHER
