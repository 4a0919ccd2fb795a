"""Results of one camera in, events out: objects, zones, lines, occupancy, motion, and the user's own rules.

Pure: no clock but the frames', no chance, and nothing is read but the result; so a recording's sidecar
makes the same events again, byte for byte.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgecam.core.areas import Areas, LineState, Told, ZoneState
from edgecam.core.events import Event
from edgecam.core.types import STATIONARY, Result
from edgecam.rules.areas import CameraAreas
from edgecam.rules.conditions import Clause
from edgecam.rules.objects import PATH_POINTS, Obj, Objects, Seen
from edgecam.rules.spec import RuleSet
from edgecam.rules.story import Now, Story
from edgecam.rules.tally import Movements, Occupancy
from edgecam.rules.user_rules import UserRules

#: A point is added to an object's path when its foot moved by this share of the picture.
PATH_STEP = 0.02


class RuleEngine:
    """Implements :class:`edgecam.core.ports.Rule` for one camera. One thread.

    camera: the name its events carry. rules: what concerns this camera (:meth:`RuleSet.of`).
    """

    def __init__(self, camera: str, rules: RuleSet) -> None:
        self.camera = camera
        self.objects = Objects()
        self._counts: dict[str, dict[str, int]] = {}
        self._set(rules)
        self.now = Now(0, 0, (0, 0), camera, self._version)
        self._stories: dict[int, Story] = {}
        self._zone_stories: dict[tuple[int, int], Story] = {}
        self._areas: Areas | None = None
        self.camera_areas: CameraAreas | None = None

    def _set(self, rules: RuleSet) -> None:
        self.rules, self._version = rules, rules.version
        self.user = UserRules(rules)
        self.occupancy = Occupancy(rules)
        self._movements = Movements(rules, self.user.clauses)

    def feed(self, result: Result) -> Sequence[Event]:
        """What happened in this frame, in order."""
        return self.watch(result).events

    def watch(self, result: Result) -> Told:
        """What happened, which rules hold, and how many are where.

        Numbers are taken as JSON keeps them (pixels to 0.1, scores to 0.001), so that a replay sees the same.
        """
        frame, found = result.frame, result.detections
        at_ms = result.wall_ms or frame.timeline_ns // 1_000_000
        if frame.file is not None or found.track_id is None or not len(found):
            return self.observe(frame.timeline_ns, at_ms, frame.size_wh, (), result.moved)
        boxes = np.round(found.xyxy.astype(np.float64), 1).tolist()
        labels, state = found.labels, found.state
        # where there is no evidence, JSON says confirmed, and so must this
        resting = [False] * len(found) if state is None else (state == STATIONARY).tolist()
        seen = [
            Seen(number, labels[kind], round(score, 3), x1, y1, x2, y2, still)
            for number, kind, score, (x1, y1, x2, y2), still in zip(
                found.track_id.tolist(),
                found.class_id.tolist(),
                found.score.tolist(),
                boxes,
                resting,
                strict=True,
            )
        ]
        return self.observe(frame.timeline_ns, at_ms, frame.size_wh, seen, result.moved)

    def observe(
        self, at_ns: int, at_ms: int, size_wh: tuple[int, int], seen: Sequence[Seen], moved: str = ""
    ) -> Told:
        """As ``feed``, of plain values. at_ns: on the frame's timeline; at_ms: wall time; moved: the grid."""
        events: list[Event] = []
        if at_ns < self.now.ns:  # a file that begins again: another story
            events += self.end()
        now = self.now = Now(at_ns, at_ms, size_wh, self.camera, self._version)
        if self.camera_areas is None or self.camera_areas.size_wh != size_wh:
            self.camera_areas = CameraAreas(self.rules, size_wh)
        here, gone = self.objects.update(seen, at_ns, at_ms)
        crossed: set[str] = set()
        for obj in gone:
            self._close(obj, now, events, crossed)
        for obj in here:
            self._follow(obj, now, events, crossed)
        tallied = self.occupancy.tell(now)
        if moved:
            tallied += self._movements.feed(int(moved, 16), now)
        if tallied:
            self._areas = None
            events += tallied
        for clause in self.user.by_number:
            found = self.user.of_number(clause, self._number_of(clause), now)
            if found is not None:
                events.append(found)
        return self.user.told(events, crossed, self.areas())

    def end(self) -> Sequence[Event]:
        """The ends of all that still lasts, at the last frame's time."""
        events: list[Event] = []
        for obj in self.objects.clear():
            self._close(obj, self.now, events, set())
        events += self.occupancy.tell(self.now)
        return events + self._end_rules()

    def change(self, rules: RuleSet) -> Sequence[Event]:
        """Take over new rules; the end events of the old ones. Objects, and counts of equal lines, stay."""
        now = self.now
        events = [s.tell("end", now, end_ns=now.ns) for s in self._zone_stories.values()]
        self._zone_stories.clear()
        events += self.occupancy.end(now)
        events += self._end_rules()
        same = {line.name for line in rules.lines if line in self.rules.lines}
        self._counts = {name: counts for name, counts in self._counts.items() if name in same}
        self._set(rules)
        self.camera_areas = self._areas = None
        for obj in self.objects.all.values():
            obj.leave_areas()
        return events

    def _end_rules(self) -> list[Event]:
        """The ends of what the user's rules and the movements still tell."""
        return self.user.end(self.now) + self._movements.end(self.now)

    # -- one object

    def _follow(self, obj: Obj, now: Now, events: list[Event], crossed: set[str]) -> None:
        areas = self.camera_areas
        assert areas is not None
        before = obj.present
        _walk(obj, now)
        if areas.zones:
            areas.locate(obj, now.ns)
            if areas.gauges:
                areas.gauge(obj, now.ns)
        story = self._stories.get(obj.key)
        changed = obj.present != before
        if story is None:
            if obj.confirmed and not obj.masked:
                story = Story("object", "", obj.first_ns, obj.first_ms, (obj.key, obj.track_id), obj)
                self._stories[obj.key] = story
                events.append(story.tell("new", now, areas.names_of(obj.present)))
        elif changed or story.better(now) or story.told_resting != obj.resting:
            events.append(story.tell("update", now, areas.names_of(obj.present)))
        if changed:
            self._move_zones(obj, before, now, events)
        if areas.lines:
            for found in areas.crossings(obj, now.ns, now.ms):
                self._cross(obj, found, now, events, crossed)
        if self.user.clauses:
            self.user.of_object(obj, areas, now, events)

    def _close(self, obj: Obj, now: Now, events: list[Event], crossed: set[str]) -> None:
        """End what was told of an object that is gone, at the time when it was last seen."""
        areas = self.camera_areas
        if areas is None:
            return
        for found in areas.last_crossings(obj):
            self._cross(obj, found, now, events, crossed)
        self.user.forget(obj, now, events)
        before, obj.present = obj.present, 0
        self._move_zones(obj, before, now, events, obj.seen_ns)
        story = self._stories.pop(obj.key, None)
        if story is not None:
            events.append(story.tell("end", now, end_ns=obj.seen_ns))

    def _move_zones(
        self, obj: Obj, before: int, now: Now, events: list[Event], at_ns: int | None = None
    ) -> None:
        areas = self.camera_areas
        assert areas is not None
        for number, name in enumerate(areas.names):
            bit = 1 << number
            if not (before ^ obj.present) & bit:
                continue
            if obj.present & bit:
                entered_ns = obj.entered_ns[number]
                entered_ms = now.ms - round((now.ns - entered_ns) / 1e6)
                story = Story("zone", "", entered_ns, entered_ms, (name, obj.key, obj.track_id), obj)
                self._zone_stories[obj.key, number] = story
                events.append(story.tell("new", now, (name,)))
                story.label = obj.label
                self.occupancy.add(number, obj.label, 1)
            else:
                ended = self._zone_stories.pop((obj.key, number), None)
                if ended is None:
                    continue
                events.append(ended.tell("end", now, (name,), end_ns=now.ns if at_ns is None else at_ns))
                self.occupancy.add(number, ended.label or "", -1)

    def _cross(
        self, obj: Obj, found: tuple[int, str, int, int], now: Now, events: list[Event], crossed: set[str]
    ) -> None:
        areas = self.camera_areas
        assert areas is not None
        number, direction, at_ns, at_ms = found
        name = areas.lines[number].name
        counts = self._counts.setdefault(name, {"in": 0, "out": 0})
        counts[direction] += 1
        self._areas = None
        obj.crossed[number] = direction
        told = self.user.of_crossing(obj, number, direction, areas, now)
        for rule in ("", *told):
            about = (name, direction, obj.key, obj.track_id)
            story = Story(
                "line", rule, at_ns, at_ms, about, obj, line=name, direction=direction, counts=counts
            )
            # a crossing is one moment: one event, which begins and ends at once
            events.append(story.tell("new", now, areas.names_of(obj.present), end_ns=at_ns))
        crossed.update(told)

    def number(self, zone: int, what: str) -> int:
        """How many objects of a class (or ``any``) are in a zone by number, or, for -1, in the picture."""
        if zone >= 0:
            return self.occupancy.number(zone, what)
        return sum(
            o.confirmed and not o.masked and what in ("any", o.label) for o in self.objects.all.values()
        )

    def _number_of(self, clause: Clause) -> int:
        if clause.on_motion:
            return int(self._movements.moving(clause.word.zone))
        return self.number(clause.zone, clause.word.what)

    def moving(self, zone: str) -> bool:
        """Whether something moves in a zone, or anywhere ("")."""
        return self._movements.moving(zone)

    def areas(self) -> Areas:
        """The areas and their counts, as they stand."""
        if self._areas is None:
            zones = []
            for number, zone in enumerate(self.rules.zones):
                counts = self.occupancy.counts(number)
                active = bool(counts) or self._movements.moving(zone.name)
                zones.append(ZoneState(zone.name, zone.points, zone.use, counts, active))
            lines = []
            for line in self.rules.lines:
                counted = self._counts.get(line.name, {})
                ends = (line.points[0], line.points[1])
                lines.append(LineState(line.name, ends, counted.get("in", 0), counted.get("out", 0)))
            self._areas = Areas(tuple(zones), tuple(lines))
        return self._areas


def _walk(obj: Obj, now: Now) -> None:
    """Add the object's foot to its path, if it moved."""
    width, height = now.size_wh
    x, y, path, step = obj.foot[0] / width, obj.foot[1] / height, obj.path, PATH_STEP * obj.path_step
    if path and abs(x - path[-1][1]) < step and abs(y - path[-1][2]) < step:
        return
    path.append((round((now.ns - obj.first_ns) / 1e9, 2), round(x, 4), round(y, 4)))
    if len(path) >= PATH_POINTS:
        del path[1::2]
        obj.path_step *= 2
