"""Events that are not about a single object: counts in zones, movement, and the rules about either."""

from __future__ import annotations

from collections.abc import Sequence

from edgecam.core.events import Event
from edgecam.rules.conditions import Clause, RuleState, cooling
from edgecam.rules.motion import MotionArea
from edgecam.rules.spec import RuleSet
from edgecam.rules.story import Now, Story


class Occupancy:
    """How many objects of each label are in each zone, by the zone's number; tells when that changes."""

    def __init__(self, rules: RuleSet) -> None:
        self._names = tuple(zone.name for zone in rules.zones)
        self._numbers: dict[tuple[int, str], int] = {}
        self._stories: dict[tuple[int, str], Story] = {}
        self._changed: dict[tuple[int, str], None] = {}

    def add(self, zone: int, label: str, more: int) -> None:
        """So many more objects (or fewer) of a label are in a zone."""
        counter = (zone, label)
        self._numbers[counter] = self._numbers.get(counter, 0) + more
        self._changed[counter] = None

    def number(self, zone: int, what: str) -> int:
        """How many of a label, or of ``any``, are in a zone."""
        return sum(n for (z, label), n in self._numbers.items() if z == zone and what in ("any", label))

    def counts(self, zone: int) -> tuple[tuple[str, int], ...]:
        """Labels and how many of each, none zero."""
        return tuple(sorted((label, n) for (z, label), n in self._numbers.items() if z == zone and n))

    def tell(self, now: Now) -> list[Event]:
        """The events of what changed since the last call."""
        events: list[Event] = []
        for counter in self._changed:
            (number, label), count, story = counter, self._numbers[counter], self._stories.get(counter)
            name = self._names[number]
            if story is None:
                if count:
                    story = Story("occupancy", "", now.ns, now.ms, (name, label), label=label, zones=(name,))
                    story.counts = {label: count}
                    self._stories[counter] = story
                    events.append(story.tell("new", now))
            elif not count:
                story.counts = {label: 0}
                del self._stories[counter]
                events.append(story.tell("end", now, end_ns=now.ns))
            elif story.counts[label] != count:
                story.counts = {label: count}
                events.append(story.tell("update", now))
        self._changed.clear()
        return events

    def end(self, now: Now) -> list[Event]:
        """The ends of all that still lasts."""
        stories = list(self._stories.values())
        self._stories.clear()
        return [story.tell("end", now, end_ns=now.ns) for story in stories]


class Movements:
    """Which areas something moves in: zones of that use, and what rules name ("": anywhere)."""

    def __init__(self, rules: RuleSet, clauses: Sequence[Clause]) -> None:
        points = {zone.name: zone.points for zone in rules.zones}
        watched = {zone.name for zone in rules.zones if zone.use == "motion"}
        watched |= {clause.word.zone for clause in clauses if clause.on_motion}
        self._areas = {name: MotionArea(points.get(name, ())) for name in sorted(watched)}
        self._stories: dict[str, Story] = {}

    def moving(self, name: str) -> bool:
        """Whether something moves in an area."""
        return name in self._areas and self._areas[name].moving

    def feed(self, moved: int, now: Now) -> list[Event]:
        """Look at the next motion grid; what began or ended."""
        events: list[Event] = []
        for name, area in self._areas.items():
            was = area.moving
            area.feed(moved, now.ns)
            if area.moving == was:
                continue
            if area.moving:
                zones = (name,) if name else ()
                story = self._stories[name] = Story("motion", "", now.ns, now.ms, zones, zones=zones)
                events.append(story.tell("new", now))
            else:
                events.append(self._stories.pop(name).tell("end", now, end_ns=now.ns))
        return events

    def end(self, now: Now) -> list[Event]:
        """The ends of all that still lasts."""
        stories = list(self._stories.values())
        self._stories.clear()
        return [story.tell("end", now, end_ns=now.ns) for story in stories]


def judge(clause: Clause, state: RuleState, now: Now, count: int, needed: int) -> Event | None:
    """The event, if any, of a rule about a number (how many; whether anything moves), now ``count``."""
    story = state.stories.get(0)
    if count < needed:
        if story is None:
            return None
        del state.stories[0]
        return story.tell("end", now, end_ns=now.ns)
    if story is not None or not clause.schedule.holds(now.ms) or cooling(clause, state, now) is not None:
        return None
    word, motion = clause.word, clause.on_motion
    state.last_ns = now.ns
    story = Story(
        "motion" if motion else "occupancy", clause.rule.name, now.ns, now.ms, (word.zone, word.what),
        label=None if motion else word.what, zones=(word.zone,) if word.zone else (),
        counts={} if motion else {word.what: count},
    )  # fmt: skip
    state.stories[0] = story
    return story.tell("new", now)
