"""One camera's zones and lines at one picture size, and what objects do there: enter, stay, leave, cross."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from edgecam.core.areas import Areas, LineState, ZoneState
from edgecam.rules.geometry import Line, Plane, Zones
from edgecam.rules.objects import Obj, Side
from edgecam.rules.spec import RuleSet

#: A line is crossed once the foot is beyond it by this share of the picture's height or of the box's height,
#: whichever is more, in so many sightings.
LINE_MARGIN, LINE_BOX_MARGIN, LINE_SIGHTINGS = 0.008, 0.04, 2
#: Speed is that over the last second; before that much time it is not known.
SPEED_NS, SPEED_LEAST_NS = 1_000_000_000, 400_000_000


class CameraAreas:
    """Geometry, and the state that :class:`Obj` keeps of it. Zones are known by number and by bit."""

    def __init__(self, rules: RuleSet, size_wh: tuple[int, int]) -> None:
        self.zones, self.lines = rules.zones, rules.lines
        self.size_wh = size_wh
        self.names = tuple(zone.name for zone in rules.zones)
        self._map = Zones([zone.points for zone in rules.zones], size_wh)
        self._lines = [Line(line.points[0], line.points[1], size_wh) for line in rules.lines]
        self._planes = {
            n: Plane(z.points, z.real, size_wh) for n, z in enumerate(self.zones) if z.real is not None
        }
        self._masks = sum(1 << n for n, zone in enumerate(self.zones) if zone.use == "mask")
        self._picky = [n for n, z in enumerate(self.zones) if z.score > 0 or z.min_size > 0 or z.max_size < 1]
        self._loitering = [round(zone.loitering * 1e9) for zone in self.zones]
        self._caring: dict[str, int] = {}

    def names_of(self, bits: int) -> tuple[str, ...]:
        """The zones of some bits, in the order in which they are set."""
        return tuple(name for n, name in enumerate(self.names) if bits >> n & 1)

    def cares(self, label: str) -> int:
        """The zones in which objects of this label count, as bits."""
        found = self._caring.get(label)
        if found is None:
            found = self._caring[label] = sum(
                1 << n
                for n, zone in enumerate(self.zones)
                if zone.use != "motion" and (not zone.classes or label in zone.classes)
            )
        return found

    def locate(self, obj: Obj, at_ns: int) -> None:
        """Bring ``inside``, ``masked`` and ``present`` up to date with where the object was just seen."""
        hit = self._map.holding(obj.foot, obj.inside) & self.cares(obj.label)
        for number in self._picky:
            bit = 1 << number
            if hit & bit and not obj.inside & bit and not self.fits(number, obj):
                hit ^= bit
        if hit & self._masks:
            hit &= self._masks
        changed = hit ^ obj.inside
        if changed or obj.pending:
            self._turn(obj, hit, changed, at_ns)
        obj.masked = bool(obj.inside & self._masks)
        if obj.inside == obj.present:
            return
        obj.present &= obj.inside
        if obj.confirmed and not obj.masked:
            waiting = obj.inside & ~obj.present
            for number in _numbers(waiting):
                if at_ns - obj.entered_ns[number] >= self._loitering[number]:
                    obj.present |= 1 << number
                    name = self.names[number]
                    if name not in obj.entered:
                        obj.entered.append(name)

    def fits(self, number: int, obj: Obj) -> bool:
        """Whether the object's score and size are what the zone asks for."""
        zone = self.zones[number]
        return obj.score >= zone.score and zone.min_size <= self.share(obj) <= zone.max_size

    def share(self, obj: Obj) -> float:
        """The object's size as a share of the picture's area."""
        x1, y1, x2, y2 = obj.box
        return (x2 - x1) * (y2 - y1) / (self.size_wh[0] * self.size_wh[1])

    def _turn(self, obj: Obj, hit: int, changed: int, at_ns: int) -> None:
        pending = obj.pending
        for number in _numbers(changed):
            times, since_ns = pending.get(number, (0, at_ns))
            zone, bit = self.zones[number], 1 << number
            if times + 1 < (1 if zone.use == "mask" else zone.inertia):
                pending[number] = (times + 1, since_ns)
                continue
            pending.pop(number, None)
            obj.inside ^= bit
            if hit & bit:
                obj.entered_ns[number] = since_ns
        for number in [n for n in pending if not changed >> n & 1]:
            del pending[number]

    def inside_px(self, number: int, obj: Obj) -> float:
        """How far inside a zone the object's foot is, pixels; negative outside."""
        return self._map.inside_px(number, obj.foot)

    def side_px(self, number: int, obj: Obj) -> float:
        """How far beyond a line the object's foot is, pixels; positive on its ``in`` side."""
        return self._lines[number].side_px(obj.foot)

    def counts_at(self, number: int, label: str) -> bool:
        """Whether objects of this label count at a line."""
        classes = self.lines[number].classes
        return not classes or label in classes

    def crossings(self, obj: Obj, at_ns: int, at_ms: int) -> Sequence[tuple[int, str, int, int]]:
        """Lines that the object has now crossed: number, direction, and when its foot passed (ns, ms)."""
        foot = obj.foot
        moved_x, moved_y = foot[0] - obj.checked_at[0], foot[1] - obj.checked_at[1]
        if moved_x * moved_x + moved_y * moved_y < obj.clear_px * obj.clear_px:
            return ()  # no line is so near
        found: list[tuple[int, str, int, int]] = []
        margin = max(LINE_MARGIN * self.size_wh[1], LINE_BOX_MARGIN * (obj.box[3] - obj.box[1]))
        clear = math.inf
        for number, line in enumerate(self._lines):
            away = line.side_px(foot)
            side = 1 if away > 0 else -1
            state = obj.sides.get(number)
            if state is None:
                obj.sides[number] = Side(side)
            elif side == state.side:
                state.times, state.turned = 0, False
            else:
                clear = 0.0
                if not state.turned:
                    state.turned, state.turned_ns, state.turned_ms = True, at_ns, at_ms
                    state.passes = line.passes(obj.foot_before, foot)
                if abs(away) < margin:
                    continue
                # a stray box taken for this object has another number, and rarely comes twice
                state.times = state.times + 1 if state.number == obj.number else 1
                state.number = obj.number
                if state.times >= LINE_SIGHTINGS and obj.confirmed:
                    if self._crossed(number, state, obj):
                        found.append((number, _way(side), state.turned_ns, state.turned_ms))
                    obj.sides[number] = Side(side)
            clear = min(clear, abs(away))
        obj.checked_at, obj.clear_px = foot, clear
        return found

    def last_crossings(self, obj: Obj) -> list[tuple[int, str, int, int]]:
        """Lines that an object which is gone had passed in its last sighting: it left the picture there."""
        found = []
        for number, state in obj.sides.items():
            if state.times and obj.confirmed and self._crossed(number, state, obj):
                found.append((number, _way(-state.side), state.turned_ns, state.turned_ms))
        return found

    def _crossed(self, number: int, state: Side, obj: Obj) -> bool:
        fits = obj.score >= self.lines[number].score or obj.top_score >= self.lines[number].score
        return state.passes and not obj.masked and fits and self.counts_at(number, obj.label)

    def gauge(self, obj: Obj, at_ns: int) -> None:
        """Bring the object's speed up to date, if it is in a zone whose real size is known."""
        plane = next((p for n, p in self._planes.items() if obj.inside >> n & 1), None)
        here = None if plane is None else plane.metres(obj.foot)
        if here is None:
            obj.ground.clear()
            return
        ground = obj.ground
        ground.append((at_ns, here))
        while at_ns - ground[0][0] > SPEED_NS:
            del ground[0]
        passed_ns = at_ns - ground[0][0]
        if passed_ns >= SPEED_LEAST_NS:
            obj.speed = 0.0 if obj.resting else math.dist(here, ground[0][1]) / (passed_ns / 1e9)

    @property
    def gauges(self) -> bool:
        """Whether any zone's real size is known."""
        return bool(self._planes)


def areas_of(rules: RuleSet) -> Areas:
    """The areas of one camera before anything was counted."""
    zones = tuple(ZoneState(zone.name, zone.points, zone.use) for zone in rules.zones)
    lines = tuple(LineState(line.name, (line.points[0], line.points[1])) for line in rules.lines)
    return Areas(zones, lines)


def _way(side: int) -> str:
    return "in" if side > 0 else "out"


def _numbers(bits: int) -> Iterator[int]:
    while bits:
        bit = bits & -bits
        bits ^= bit
        yield bit.bit_length() - 1
