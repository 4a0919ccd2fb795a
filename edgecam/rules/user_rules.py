"""What the user's own rules tell of one camera: which of them hold, since when, and of what."""

from __future__ import annotations

from collections.abc import Sequence, Set

from edgecam.core.areas import Areas, Told
from edgecam.core.events import Event
from edgecam.rules.areas import CameraAreas
from edgecam.rules.conditions import Clause, RuleState, clauses_of, line_refusal, refusal
from edgecam.rules.objects import Obj
from edgecam.rules.spec import RuleSet
from edgecam.rules.story import Now, Story
from edgecam.rules.tally import judge


class UserRules:
    """Asked by :class:`edgecam.rules.engine.RuleEngine`, frame by frame. One thread.

    clauses: every word of every rule. states: what each rule is doing, by its name. by_number: the clauses
    about how many there are, and about movement.
    """

    def __init__(self, rules: RuleSet) -> None:
        self.clauses = clauses_of(rules)
        self.states = {clause.rule.name: RuleState({}) for clause in self.clauses}
        self.by_number = [c for c in self.clauses if c.line < 0 and (c.by_count or c.on_motion)]
        self._recorded = frozenset(rule.name for rule in rules.rules if rule.record)
        self._pictured = frozenset(rule.name for rule in rules.rules if rule.snapshot)
        self._by_label: dict[str, tuple[tuple[Clause, RuleState, int], ...]] = {}
        self._telling: dict[int, int] = {}  # objects, and how many rules tell of them

    def of_object(self, obj: Obj, areas: CameraAreas, now: Now, events: list[Event]) -> None:
        """What the rules about single objects say of one that is seen."""
        wanted = self._by_label.get(obj.label)
        if wanted is None:
            wanted = self._by_label[obj.label] = tuple(
                (c, self.states[c.rule.name], 0 if c.zone < 0 else 1 << c.zone)
                for c in self.clauses
                if c.cares(obj.label) and c.line < 0 and not c.by_count and not c.on_motion
            )
        holding: set[str] = set()
        inside = obj.inside
        for clause, state, bit in wanted:
            if bit and not inside & bit:
                continue
            rule = clause.rule
            if obj.key in state.stories:
                # a car that has parked moves no more, however long it was told of
                if rule.stationary == "any" or (rule.stationary == "resting") == obj.resting:
                    holding.add(rule.name)
            elif refusal(clause, obj, areas, state, now) is None:
                state.last_ns = now.ns
                story = Story("object", rule.name, now.ns, now.ms, (obj.key, obj.track_id), obj)
                state.stories[obj.key] = story
                self._telling[obj.key] = self._telling.get(obj.key, 0) + 1
                holding.add(rule.name)
                events.append(story.tell("new", now, areas.names_of(obj.present)))
        if not self._telling.get(obj.key):
            return
        for name in dict.fromkeys(clause.rule.name for clause, _, _ in wanted):
            lasting = self.states[name].stories.get(obj.key)
            if lasting is None:
                continue
            if name not in holding or obj.masked:
                del self.states[name].stories[obj.key]
                self._telling[obj.key] -= 1
                events.append(lasting.tell("end", now, areas.names_of(obj.present), end_ns=now.ns))
            elif lasting.better(now):
                events.append(lasting.tell("update", now, areas.names_of(obj.present)))

    def of_crossing(self, obj: Obj, line: int, direction: str, areas: CameraAreas, now: Now) -> list[str]:
        """The rules that tell of this object's crossing of a line, by name."""
        names: list[str] = []
        for clause in self.clauses:
            state = self.states[clause.rule.name]
            if clause.line == line and line_refusal(clause, obj, direction, state, areas, now) is None:
                state.last_ns = now.ns
                if clause.rule.name not in names:
                    names.append(clause.rule.name)
        return names

    def of_number(self, clause: Clause, count: int, now: Now) -> Event | None:
        """What one clause of ``by_number`` says of its number now; 1 for what moves."""
        needed = 1 if clause.on_motion else clause.rule.count
        return judge(clause, self.states[clause.rule.name], now, count, needed)

    def forget(self, obj: Obj, now: Now, events: list[Event]) -> None:
        """End what was told of an object that is gone, at the time when it was last seen."""
        for state in self.states.values():
            ended = state.stories.pop(obj.key, None)
            if ended is not None:
                events.append(ended.tell("end", now, end_ns=obj.seen_ns))
        self._telling.pop(obj.key, None)

    def end(self, now: Now) -> list[Event]:
        """The ends of all that is still told."""
        events: list[Event] = []
        for state in self.states.values():
            events += [story.tell("end", now, end_ns=now.ns) for story in state.stories.values()]
            state.stories.clear()
        return events

    def told(self, events: Sequence[Event], crossed: Set[str], areas: Areas) -> Told:
        """A frame's events with the rules that hold in it. crossed: those that told of a crossing."""
        holding = tuple(name for name, state in self.states.items() if state.stories or name in crossed)
        if not holding:
            return Told(tuple(events), areas=areas)
        record = tuple(name for name in holding if name in self._recorded)
        snapshot = tuple(name for name in holding if name in self._pictured)
        return Told(tuple(events), holding, record, snapshot, areas)
