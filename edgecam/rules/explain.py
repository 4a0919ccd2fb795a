"""Why a rule told, or did not tell, of each object in one frame: what refused first, and by how much."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone

from edgecam.rules.conditions import Clause, Refusal, cooling, line_refusal, refusal
from edgecam.rules.engine import RuleEngine
from edgecam.rules.objects import Obj


@dataclass(frozen=True, slots=True)
class Reason:
    """What one rule says of one object (track_id None: of a number of objects, or of movement).

    told: it tells. step: what refused (``score``, ``zone``, ``loitering`` …), "" if told. have, need: the
    figures. text: for people.
    """

    track_id: int | None
    label: str
    rule: str
    word: str
    told: bool
    step: str
    have: float
    need: float
    text: str


def explain(engine: RuleEngine, at_ms: int) -> Iterator[Reason]:
    """What every rule says of every object that was seen in the engine's last frame (wall time ``at_ms``)."""
    areas, now = engine.camera_areas, engine.now
    if areas is None:
        return
    here = [obj for obj in engine.objects.all.values() if obj.seen_ns == now.ns]
    for clause in engine.user.clauses:
        state = engine.user.states[clause.rule.name]
        if clause.on_motion or (clause.by_count and clause.line < 0):
            yield _of_number(engine, clause)
            continue
        for obj in here:
            told = obj.key in state.stories
            if told:
                found = None
            elif clause.line >= 0:
                direction = obj.crossed.get(clause.line)
                found = line_refusal(clause, obj, direction, state, areas, now)
                told = direction in clause.word.directions and found in (None, cooling(clause, state, now))
                found = None if told else found
            else:
                found = refusal(clause, obj, areas, state, now)
            text = "told" if found is None else _sentence(clause, obj, found, engine, at_ms)
            step, have, need = ("", 0.0, 0.0) if found is None else found
            yield Reason(
                obj.number,
                obj.label,
                clause.rule.name,
                clause.word.text,
                found is None,
                step,
                have,
                need,
                text,
            )


def _of_number(engine: RuleEngine, clause: Clause) -> Reason:
    rule, word, state = clause.rule, clause.word, engine.user.states[clause.rule.name]
    where = f" in zone {word.zone}" if word.zone else ""
    if clause.on_motion:
        have, need = float(engine.moving(word.zone)), 1.0
        text = f"nothing moves{where}"
    else:
        have, need = float(engine.number(clause.zone, word.what)), float(rule.count)
        text = f"{have:.0f} of {need:.0f} {word.what}{where}"
    told = 0 in state.stories
    step = "" if told else "motion" if clause.on_motion else "count"
    if not told and have >= need:
        pause = cooling(clause, state, engine.now)
        step, text = ("cooldown", _pause(pause)) if pause else ("schedule", "not at this time")
    return Reason(None, word.what, rule.name, word.text, told, step, have, need, "told" if told else text)


def _sentence(clause: Clause, obj: Obj, found: Refusal, engine: RuleEngine, at_ms: int) -> str:
    rule, word = clause.rule, clause.word
    step, have, need = found
    most = "at least" if have < need else "at most"
    zone = f"zone {word.zone}"
    if step == "schedule":
        local = datetime.fromtimestamp(at_ms // 1000, timezone.utc).astimezone()
        when = ", ".join((*rule.days, *rule.hours))
        return f"it was {local:%a %H:%M}; the rule holds {when}"
    if step == "cooldown":
        return _pause(found)
    if step == "mask":
        names = [z.name for n, z in enumerate(engine.rules.zones) if z.use == "mask" and obj.inside >> n & 1]
        return f"behind the mask {', '.join(names)}"
    sentences = {
        "class": f"it is a {obj.label}; the rule waits for {word.what}",
        "sightings": f"seen {have:.0f} of {need:.0f} times",
        "score": f"score {have:.2f} of {need:.2f}",
        "zone class": f"{zone} does not count a {obj.label}",
        "line class": f"line {word.line} does not count a {obj.label}",
        "line score": f"score {have:.2f} of {need:.2f} that line {word.line} asks for",
        "zone use": f"{zone} is for movement; no object counts in it",
        "zone score": f"score {have:.2f} of {need:.2f} that {zone} asks for",
        "zone size": f"it covers {have:.2%} of the picture; {zone} wants {most} {need:.2%}",
        "zone": f"outside {zone} by {max(0.0, -have):.1%} of the picture's height",
        "inertia": f"in {zone} for {have:.0f} of {need:.0f} sightings",
        "loitering": f"in {zone} for {have:.1f} s of {need:g} s",
        "resting": "it stands still; the rule waits for what moves",
        "moving": "it moves; the rule waits for what stands still",
        "line": f"it has not crossed line {word.line}, {have:.1%} of the picture's height away",
        "direction": f"it crossed line {word.line} the other way",
    }
    return sentences[step]


def _pause(found: Refusal) -> str:
    return f"told {found.have:.1f} s ago; the rule pauses for {found.need:g} s"
