"""Whether a rule holds for an object, and if not, what refused it first and by how much.

One function decides, :func:`refusal`, for the engine and for ``edgecam events why`` alike.
"""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct

from edgecam.rules.areas import CameraAreas
from edgecam.rules.objects import Obj
from edgecam.rules.schedule import Schedule
from edgecam.rules.spec import Rule, RuleSet
from edgecam.rules.story import Now, Story
from edgecam.rules.words import ANY, MOTION, Word


class Refusal(NamedTuple):
    """What refused first: ``step``, how much there was (``have``) and how much was needed (``need``)."""

    step: str
    have: float = 0.0
    need: float = 0.0


class Clause(Struct, eq=False):
    """One word of one rule, with its zone's number (-1: everywhere) or its line's (-1: none)."""

    rule: Rule
    word: Word
    schedule: Schedule
    zone: int = -1
    line: int = -1

    @property
    def by_count(self) -> bool:
        """Whether it is about how many there are, not about single objects."""
        return self.rule.count > 1

    @property
    def on_motion(self) -> bool:
        """Whether it waits for movement."""
        return self.word.what == MOTION

    def cares(self, label: str) -> bool:
        """Whether objects of this label are what it waits for."""
        return self.word.what in (ANY, label)


class RuleState(Struct, eq=False):
    """What a rule is doing: what it tells, by object's key (0: no single object), and when it last began."""

    stories: dict[int, Story]
    last_ns: int | None = None


def clauses_of(rules: RuleSet) -> tuple[Clause, ...]:
    """Every word of every rule."""
    zones = {zone.name: n for n, zone in enumerate(rules.zones)}
    lines = {line.name: n for n, line in enumerate(rules.lines)}
    found = []
    for rule in rules.rules:
        schedule = Schedule(rule.days, rule.hours, f"rule '{rule.name}'")
        for word in rule.words:
            # a zone of another camera is none of this one: the rule says nothing of this one
            if (word.zone and word.zone not in zones) or (word.line and word.line not in lines):
                continue
            found.append(Clause(rule, word, schedule, zones.get(word.zone, -1), lines.get(word.line, -1)))
    return tuple(found)


def cooling(clause: Clause, state: RuleState, now: Now) -> Refusal | None:
    """Whether the rule still pauses after its last event."""
    cooldown = clause.rule.cooldown
    if cooldown and state.last_ns is not None and now.ns - state.last_ns < cooldown * 1e9:
        return Refusal("cooldown", (now.ns - state.last_ns) / 1e9, cooldown)
    return None


def refusal(clause: Clause, obj: Obj, areas: CameraAreas, state: RuleState, now: Now) -> Refusal | None:
    """What first refuses to tell of ``obj`` in a clause about objects in areas; None: nothing does."""
    rule, word = clause.rule, clause.word
    if not clause.cares(obj.label):
        return Refusal("class")
    if obj.masked:
        return Refusal("mask")
    if not obj.confirmed:
        return Refusal("sightings", obj.sightings, obj.needed)
    if not clause.schedule.holds(now.ms):
        return Refusal("schedule")
    if obj.score < word.score:
        return Refusal("score", obj.score, word.score)
    if clause.zone >= 0:
        refused = _in_zone(clause, obj, areas, now)
        if refused is not None:
            return refused
    if rule.stationary == "moving" and obj.resting:
        return Refusal("resting")
    if rule.stationary == "resting" and not obj.resting:
        return Refusal("moving")
    return cooling(clause, state, now)


def _in_zone(clause: Clause, obj: Obj, areas: CameraAreas, now: Now) -> Refusal | None:
    number = clause.zone
    zone, bit = areas.zones[number], 1 << number
    if zone.use == "motion":
        return Refusal("zone use")
    if not areas.cares(obj.label) & bit:
        return Refusal("zone class")
    if not obj.inside & bit:
        if zone.score > obj.score:
            return Refusal("zone score", obj.score, zone.score)
        share = areas.share(obj)
        if not zone.min_size <= share <= zone.max_size:
            return Refusal("zone size", share, zone.min_size if share < zone.min_size else zone.max_size)
        times = obj.pending.get(number, (0, 0))[0]
        if times:
            return Refusal("inertia", times, zone.inertia)
        return Refusal("zone", areas.inside_px(number, obj) / areas.size_wh[1])
    need_s = max(zone.loitering, clause.rule.loitering)
    stayed_ns = now.ns - obj.entered_ns[number]
    if stayed_ns < round(need_s * 1e9):
        return Refusal("loitering", stayed_ns / 1e9, need_s)
    return None


def line_refusal(
    clause: Clause, obj: Obj, direction: str | None, state: RuleState, areas: CameraAreas, now: Now
) -> Refusal | None:
    """What first refuses to tell that ``obj`` crossed the clause's line; direction None: it did not cross."""
    if not clause.cares(obj.label):
        return Refusal("class")
    if not areas.counts_at(clause.line, obj.label):
        return Refusal("line class")
    if obj.masked:
        return Refusal("mask")
    if not obj.confirmed:
        return Refusal("sightings", obj.sightings, obj.needed)
    if not clause.schedule.holds(now.ms):
        return Refusal("schedule")
    if obj.top_score < clause.word.score:
        return Refusal("score", obj.top_score, clause.word.score)
    if obj.top_score < areas.lines[clause.line].score:
        return Refusal("line score", obj.top_score, areas.lines[clause.line].score)
    if direction is None:
        return Refusal("line", abs(areas.side_px(clause.line, obj)) / areas.size_wh[1])
    if direction not in clause.word.directions:
        return Refusal("direction")
    return cooling(clause, state, now)
