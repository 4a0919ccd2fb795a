"""Objects that stay the same while their track numbers do not: what counts must not count twice.

A tracker loses an object behind a pillar and gives it a new number, or swaps the numbers of two that pass one
another. Here a number is believed while the box it comes with is where its object can be; else the object
nearest to that box takes it. Plain Python: some objects per frame cost less so than as arrays.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from msgspec import Struct, field

from edgecam.rules.geometry import Point

#: An object that is not seen is kept for so long, one that rested for longer (somebody stands before it).
KEEP_NS, KEEP_RESTING_NS = 2_000_000_000, 10_000_000_000
#: One that was not seen often enough yet is kept for less, so that stray boxes do not add up to an object.
KEEP_NEW_NS = 400_000_000
#: A box is its object's if its middle is within this share of its size (root of its area) of the expected
#: place, plus so much per second unseen, at most so much.
REACH, REACH_PER_S, REACH_MOST = 0.3, 0.8, 1.2
#: A box so near to where its object was, in its size, is its own without further reckoning.
NEAR = 0.15
#: A number keeps its object unless another one is so many times nearer.
LOYALTY = 3.0
#: An unseen object moves on for at most this long.
PREDICT_S = 0.6
#: An object rests once its middle stayed within this share of its size for this long.
REST_SHARE, REST_NS = 0.1, 10_000_000_000
#: Sightings before an object is one, where no evidence says so: a false box rarely comes three times.
SIGHTINGS = 3
#: Points of a path that are kept; beyond, every other one is left out.
PATH_POINTS = 100


class Seen(NamedTuple):
    """One detection of a frame. Box in pixels.

    resting: whether the evidence for the object says that it stands still; None where there is no evidence.
    """

    track_id: int
    label: str
    score: float
    x1: float
    y1: float
    x2: float
    y2: float
    resting: bool | None = None


class Obj(Struct, eq=False):
    """One object. ``inside`` and ``present`` are bits of zones: where it is, and where it counts by now.

    track_id: the first number it had; number: the present one; ids: all. foot_before: at the sighting before.
    clear_px: how far from ``checked_at`` its foot may go without passing any line.
    """

    key: int
    track_id: int
    number: int
    ids: list[int]
    label: str
    first_ns: int
    first_ms: int
    seen_ns: int
    box: tuple[float, float, float, float]
    middle: Point
    foot: Point
    size: float
    score: float
    top_score: float
    sightings: int = 0
    needed: int = SIGHTINGS
    speed_px: Point = (0.0, 0.0)
    resting: bool = False
    rest_at: Point = (0.0, 0.0)
    rest_ns: int = 0
    inside: int = 0
    present: int = 0
    masked: bool = False
    pending: dict[int, tuple[int, int]] = field(default_factory=dict)
    entered_ns: dict[int, int] = field(default_factory=dict)
    entered: list[str] = field(default_factory=list)
    foot_before: Point = (0.0, 0.0)
    checked_at: Point = (0.0, 0.0)
    clear_px: float = 0.0
    sides: dict[int, Side] = field(default_factory=dict)
    crossed: dict[int, str] = field(default_factory=dict)
    ground: list[tuple[int, Point]] = field(default_factory=list)
    speed: float | None = None
    path: list[tuple[float, float, float]] = field(default_factory=list)
    path_step: int = 1

    @property
    def confirmed(self) -> bool:
        """Seen often enough to be told of."""
        return self.sightings >= self.needed

    @property
    def kept_ns(self) -> int:
        """How long it is kept unseen."""
        if not self.confirmed:
            return KEEP_NEW_NS
        return KEEP_RESTING_NS if self.resting else KEEP_NS

    def leave_areas(self) -> None:
        """Forget zones and lines, since the rules have others now."""
        self.inside = self.present = 0
        self.masked = False
        self.pending.clear()
        self.sides.clear()
        self.clear_px = 0.0
        self.crossed.clear()
        self.ground.clear()

    def expected(self, at_ns: int) -> Point:
        """Where the middle of its box is expected."""
        ahead = min((at_ns - self.seen_ns) / 1e9, PREDICT_S)
        return self.middle[0] + self.speed_px[0] * ahead, self.middle[1] + self.speed_px[1] * ahead

    def take(self, seen: Seen, at_ns: int) -> None:
        """Take in a sighting."""
        x1, y1, x2, y2 = seen.x1, seen.y1, seen.x2, seen.y2
        middle = ((x1 + x2) / 2, (y1 + y2) / 2)
        passed_s = (at_ns - self.seen_ns) / 1e9
        if passed_s > 0:
            vx, vy = (middle[0] - self.middle[0]) / passed_s, (middle[1] - self.middle[1]) / passed_s
            self.speed_px = (self.speed_px[0] + vx) / 2, (self.speed_px[1] + vy) / 2
        self.box = (x1, y1, x2, y2)
        self.foot_before = self.foot
        self.middle, self.foot = middle, (middle[0], y2)
        self.size = math.sqrt(max(1.0, (x2 - x1) * (y2 - y1)))
        self.label, self.score, self.seen_ns = seen.label, seen.score, at_ns
        self.number = seen.track_id
        self.top_score = max(self.top_score, seen.score)
        self.sightings += 1
        if seen.resting is not None:
            self.resting, self.needed = seen.resting, 1
        elif math.dist(middle, self.rest_at) > REST_SHARE * self.size:
            self.rest_at, self.rest_ns, self.resting = middle, at_ns, False
        else:
            self.resting = at_ns - self.rest_ns >= REST_NS


class Side(Struct):
    """On which side of a line an object is known to be: -1 or 1.

    turned: it was seen on the other side since, first at turned_ns, turned_ms,
    and ``passes`` through the line there. times: how often it was seen well beyond, under one ``number``.
    """

    side: int
    turned: bool = False
    turned_ns: int = 0
    turned_ms: int = 0
    passes: bool = False
    times: int = 0
    number: int = 0


class Objects:
    """The objects of one camera. One thread."""

    def __init__(self) -> None:
        self.all: dict[int, Obj] = {}
        self._by_id: dict[int, Obj] = {}
        self._next = 1

    def clear(self) -> list[Obj]:
        """Forget all objects; returns those there were."""
        gone = list(self.all.values())
        self.all.clear()
        self._by_id.clear()
        return gone

    def update(self, seen: Sequence[Seen], at_ns: int, at_ms: int) -> tuple[list[Obj], list[Obj]]:
        """The objects seen now, in the order of ``seen``, and those that are gone for good."""
        found: list[Obj | None] = [None] * len(seen)
        taken: dict[int, int] = {}
        doubtful: list[int] = []
        for i, one in enumerate(seen):
            obj = self._by_id.get(one.track_id)
            if obj is None or not self._plausible(obj, one, at_ns):
                doubtful.append(i)
            elif obj.key in taken:
                other = taken[obj.key]
                loser = i if _away(obj, seen[other], at_ns) <= _away(obj, one, at_ns) else other
                doubtful.append(loser)
                found[other] = None
                taken[obj.key] = other if loser == i else i
                found[taken[obj.key]] = obj
            else:
                found[i] = obj
                taken[obj.key] = i
        if doubtful:
            self._settle(doubtful, found, taken, seen, at_ns, at_ms)
        now: list[Obj] = []
        for one, same in zip(seen, found, strict=True):
            assert same is not None
            if self._by_id.get(one.track_id) is not same:
                self._by_id[one.track_id] = same
                if one.track_id not in same.ids:
                    same.ids.append(one.track_id)
            same.take(one, at_ns)
            now.append(same)
        gone: list[Obj] = []
        if len(now) < len(self.all):
            gone = [o for o in self.all.values() if at_ns - o.seen_ns > o.kept_ns]
            for old in gone:
                del self.all[old.key]
                for number in old.ids:
                    if self._by_id.get(number) is old:
                        del self._by_id[number]
        return now, gone

    def _plausible(self, obj: Obj, one: Seen, at_ns: int) -> bool:
        x, y = obj.middle
        if abs((one.x1 + one.x2) / 2 - x) + abs((one.y1 + one.y2) / 2 - y) < NEAR * obj.size:
            return True
        unseen_s = (at_ns - obj.seen_ns) / 1e9
        return _away(obj, one, at_ns) <= min(REACH_MOST, REACH + REACH_PER_S * unseen_s)

    def _settle(
        self,
        doubtful: list[int],
        found: list[Obj | None],
        taken: dict[int, int],
        seen: Sequence[Seen],
        at_ns: int,
        at_ms: int,
    ) -> None:
        """Give boxes whose number is new, or is not where its object can be, to the nearest free objects."""
        free = [obj for obj in self.all.values() if obj.key not in taken]
        pairs: list[tuple[float, int, int, Obj]] = []
        for i in sorted(doubtful):
            own = self._by_id.get(seen[i].track_id)
            for obj in free:
                if obj is own:
                    pairs.append((_away(obj, seen[i], at_ns) / LOYALTY, i, obj.key, obj))
                elif obj.label == seen[i].label and self._plausible(obj, seen[i], at_ns):
                    pairs.append((_away(obj, seen[i], at_ns), i, obj.key, obj))
        for _, i, key, obj in sorted(pairs, key=lambda pair: pair[:3]):
            if found[i] is None and key not in taken:
                found[i] = obj
                taken[key] = i
        for i in doubtful:
            if found[i] is None:
                found[i] = self._new(seen[i], at_ns, at_ms)

    def _new(self, one: Seen, at_ns: int, at_ms: int) -> Obj:
        middle = ((one.x1 + one.x2) / 2, (one.y1 + one.y2) / 2)
        obj = Obj(
            self._next, one.track_id, one.track_id, [one.track_id], one.label, at_ns, at_ms, at_ns,
            (one.x1, one.y1, one.x2, one.y2), middle, (middle[0], one.y2), 1.0, one.score, one.score,
            rest_at=middle, rest_ns=at_ns,
        )  # fmt: skip
        self._next += 1
        self.all[obj.key] = obj
        return obj


def _away(obj: Obj, one: Seen, at_ns: int) -> float:
    """How far a box's middle is from where the object should be, in sizes of the two."""
    x, y = obj.expected(at_ns)
    size = math.sqrt(max(1.0, (one.x2 - one.x1) * (one.y2 - one.y1)))
    return math.hypot((one.x1 + one.x2) / 2 - x, (one.y1 + one.y2) / 2 - y) / max(1.0, (size + obj.size) / 2)
