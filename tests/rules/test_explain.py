"""Why a rule told of an object or did not: each thing that can refuse, on a scene of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from rules_world import SIZE_WH, Walker, frames
from test_rules import DOOR, NOON_MS, VISIT

from edgecam.rules.engine import RuleEngine
from edgecam.rules.explain import Reason, explain
from edgecam.rules.motion import MotionGrid
from edgecam.rules.reading import build

GATE = "gate=0,0.6 1,0.6"
#: Comes at 6 s, when the visitor has been told of, and stays in the zone.
SECOND = Walker(((6.0, 0.2, 0.8), (20.0, 0.25, 0.8)))


def door(**more: Any) -> dict[str, Any]:
    return {"name": "door", "points": [[0, 0.6], [1, 0.6], [1, 1], [0, 1]], **more}


def gate(**more: Any) -> dict[str, Any]:
    return {"name": "gate", "points": [[0, 0.6], [1, 0.6]], **more}


def asked(
    rule: dict[str, Any],
    at_s: float,
    *,
    zones: Sequence[Any] = (DOOR,),
    lines: Sequence[Any] = (GATE,),
    walkers: Sequence[Walker] = (VISIT,),
    track: int = 1,
    score: float = 0.8,
) -> Reason:
    """What the rule says of the track at that second."""
    engine = RuleEngine("front", build(zones, lines, [{"name": "r", "on": "person@door"} | rule]))
    for at_ns, seen in frames(list(walkers), at_s):
        now = [one._replace(score=score) for one in seen]
        engine.observe(at_ns, NOON_MS + at_ns // 1_000_000, SIZE_WH, now)
    (reason,) = [r for r in explain(engine, NOON_MS + round(at_s * 1000)) if r.track_id in (track, None)]
    return reason


PARKED = Walker(((0, 0.5, 0.8), (20, 0.5, 0.8)))

# the visitor comes in at 2 s, stands at 0.2 below the zone's edge from 4 s to 12 s, and goes out at 14 s
CASES: list[tuple[dict[str, Any], float, dict[str, Any], str, str]] = [
    ({"on": "car@door"}, 8, {}, "class", "it is a person; the rule waits for car"),
    ({}, 8, {"zones": [DOOR, {**door(name="flag"), "use": "mask"}]}, "mask", "behind the mask flag"),
    ({}, 0.15, {}, "sightings", "seen 2 of 3 times"),
    ({"days": "mon"}, 8, {}, "schedule", "the rule holds mon"),
    ({"hours": "20:00-21:00"}, 8, {}, "schedule", "the rule holds 20:00-21:00"),
    ({"on": "person@door:0.9"}, 8, {}, "score", "score 0.80 of 0.90"),
    ({}, 8, {"zones": [door(use="motion")]}, "zone use", "zone door is for movement"),
    ({}, 8, {"zones": [door(classes=["car"])]}, "zone class", "zone door does not count a person"),
    ({}, 8, {"zones": [door(score=0.95)]}, "zone score", "score 0.80 of 0.95 that zone door asks for"),
    ({}, 8, {"zones": [door(min_size=0.5)]}, "zone size", "it covers 1.41% of the picture"),
    ({}, 8, {"zones": [door(max_size=0.01)]}, "zone size", "zone door wants at most 1.00%"),
    ({}, 1, {}, "zone", "outside zone door by 10"),
    ({}, 4, {"zones": [door(inertia=40)]}, "inertia", "of 40 sightings"),
    ({}, 4, {"zones": [door(loitering=3)]}, "loitering", "in zone door for 1.9 s of 3 s"),
    ({"loitering": "5s"}, 4, {}, "loitering", "in zone door for 1.9 s of 5 s"),
    ({"stationary": "moving"}, 16, {"walkers": [PARKED]}, "resting", "it stands"),
    ({"stationary": "resting"}, 8, {}, "moving", "it moves; the rule waits for what stands still"),
    ({"cooldown": 60}, 8, {"walkers": [VISIT, SECOND], "track": 2}, "cooldown", "the rule pauses for 60 s"),
    ({"on": "car>gate"}, 8, {}, "class", "it is a person"),
    ({"on": "person>gate"}, 8, {"lines": [gate(classes=["car"])]}, "line class", "does not count a person"),
    ({"on": "person>gate"}, 0.15, {}, "sightings", "seen 2 of 3 times"),
    ({"on": "person>gate", "days": "mon"}, 8, {}, "schedule", "the rule holds mon"),
    ({"on": "person>gate:0.9"}, 8, {}, "score", "score 0.80 of 0.90"),
    ({"on": "person>gate"}, 8, {"lines": [gate(score=0.9)]}, "line score", "0.80 of 0.90 that line gate"),
    ({"on": "person>gate"}, 1, {}, "line", "it has not crossed line gate, 10."),
    ({"on": "person<gate"}, 8, {}, "direction", "it crossed line gate the other way"),
    ({"count": 2}, 8, {}, "count", "1 of 2 person in zone door"),
    ({"count": 2, "days": "mon"}, 9, {"walkers": [VISIT, SECOND]}, "schedule", "not at this time"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "at_s", "scene", "step", "said"), CASES, ids=[f"{c[3]}-{n}" for n, c in enumerate(CASES)]
)
def test_what_refuses_is_named_with_its_margin(
    rule: dict[str, Any], at_s: float, scene: dict[str, Any], step: str, said: str
) -> None:
    reason = asked(rule, at_s, **scene)
    assert (reason.told, reason.step) == (False, step), reason
    assert said in reason.text


@pytest.mark.parametrize(
    ("rule", "at_s"),
    [
        ({}, 8),
        ({"loitering": "5s"}, 8),
        ({"on": "person>gate"}, 8),
        ({"on": "person<>gate", "cooldown": 60}, 8),
    ],
)
def test_what_is_told_is_said_to_be(rule: dict[str, Any], at_s: float) -> None:
    reason = asked(rule, at_s)
    assert (reason.told, reason.step, reason.text) == (True, "", "told")


def test_every_refusal_that_there_is_has_its_scene() -> None:
    """The steps are those of the code; a new one needs a sentence and a scene."""
    import inspect
    import re

    from edgecam.rules import conditions, explain

    known = set(re.findall(r'Refusal\(\s*"([a-z ]+)"', inspect.getsource(conditions)))
    known |= set(re.findall(r'"(motion|count)"', inspect.getsource(explain)))
    assert known == {case[3] for case in CASES} | {"motion"}


def test_a_number_and_a_movement_say_what_they_lack() -> None:
    rules = build(["yard=0,0 1,0 1,1 0,1"], [], [{"name": "r", "on": "motion@yard", "cooldown": 60}])
    engine, grid = RuleEngine("front", rules), MotionGrid()
    ground = np.random.default_rng(0).integers(60, 90, (360, 640, 3), np.uint8)
    said = []
    for index in range(220):
        image = ground.copy()
        if 30 <= index < 50 or index >= 160:
            x = 100 + 4 * (index % 100)
            image[150:220, x : x + 40] = 220
        at_ns = index * 66_666_667
        engine.observe(at_ns, NOON_MS, (640, 360), (), grid.look(image))
        if index in (29, 49, 140, 219):
            (reason,) = explain(engine, NOON_MS)
            said.append((reason.told, reason.step, reason.text))
    assert [(told, step) for told, step, _ in said] == [
        (False, "motion"),
        (True, ""),
        (False, "motion"),
        (False, "cooldown"),
    ]
    assert said[0][2] == "nothing moves in zone yard" and "the rule pauses for 60 s" in said[3][2]
