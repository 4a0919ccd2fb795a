"""What the user's rules tell, and when; the same results always give the same bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from rules_world import SIZE_WH, Spoiled, Walker, crossing_street, frames

from edgecam.core.events import Event
from edgecam.rules.engine import RuleEngine
from edgecam.rules.motion import MotionGrid
from edgecam.rules.objects import Seen
from edgecam.rules.reading import build

# a Friday, 20 November 2026, 12:00 UTC
NOON_MS = 1_795_176_000_000
CLEAN = Spoiled()
DOOR = "door=0,0.6 1,0.6 1,1 0,1"
#: Walks into the zone at 2 s, stands there from 4 s to 12 s, and is out at 14 s.
VISIT = Walker(((0.0, 0.5, 0.4), (4.0, 0.5, 0.8), (12.0, 0.5, 0.8), (16.0, 0.5, 0.4)))


def play(
    rule: dict[str, Any] | None,
    walkers: Sequence[Walker] = (VISIT,),
    seconds: float = 22.0,
    zones: Sequence[Any] = (DOOR,),
    *,
    at_ms: int = NOON_MS,
    spoiled: Spoiled = CLEAN,
    score: float = 0.8,
) -> list[Event]:
    rules = build(zones=zones, lines=["gate=0,0.6 1,0.6"], rules=[rule] if rule else [])
    engine = RuleEngine("front", rules)
    found: list[Event] = []
    for at_ns, seen in frames(list(walkers), seconds, spoiled):
        seen = [one._replace(score=score) for one in seen]
        found += engine.observe(at_ns, at_ms + at_ns // 1_000_000, SIZE_WH, seen).events
    return found + list(engine.end())


def of_rule(events: Sequence[Event]) -> list[tuple[str, float]]:
    return [(e.type, round(e.time - NOON_MS / 1000, 1)) for e in events if e.rule and e.type != "update"]


def test_a_visit_is_told_from_its_beginning_to_its_end() -> None:
    events = play({"name": "at-door", "on": "person@door"})
    assert of_rule(events) == [("new", pytest.approx(2.2, abs=0.3)), ("end", pytest.approx(14.3, abs=0.3))]  # type: ignore[comparison-overlap]
    first = next(e for e in events if e.rule and e.type == "new")
    last = next(e for e in events if e.rule and e.type == "end")
    assert first.id == last.id
    assert (first.kind, first.label, first.zones, first.track_id) == ("object", "person", ("door",), 1)
    assert last.end_time == pytest.approx(NOON_MS / 1000 + 14.2, abs=0.3)
    whole = [e for e in events if e.kind == "object" and not e.rule]
    assert [whole[0].type, whole[-1].type] == ["new", "end"]
    assert whole[-1].entered_zones == ("door",)
    assert 10 <= len(whole[-1].path) <= 100
    assert whole[-1].path[0] == (0.0, 0.5, pytest.approx(0.4, abs=0.01))  # type: ignore[comparison-overlap]


def test_the_same_results_give_the_same_bytes() -> None:
    def lines() -> list[str]:
        walkers, _, _, seconds = crossing_street(12)
        spoiled = Spoiled(0.1, 0.01, 0.01, 0.2, 2.0, 0.7)
        rule = {"name": "r", "on": ["person@door", "person>gate"], "cooldown": 3}
        return [e.to_json() for e in play(rule, walkers, seconds, spoiled=spoiled)]

    first = lines()
    assert len(first) > 50
    assert first == lines()
    keys = [Event.from_json(line) for line in first if '"new"' in line]
    assert len({e.id for e in keys}) == len(keys)


@pytest.mark.parametrize(
    ("change", "hits"),
    [
        ({}, 1),
        ({"on": "person@door:0.9"}, 0),
        ({"on": "car@door"}, 0),
        ({"on": "any@door"}, 1),
        ({"loitering": "8s"}, 1),
        ({"loitering": "20s"}, 0),
        ({"days": ["fri"]}, 1),
        ({"days": "mon-thu,sat-sun"}, 0),
        ({"count": 2}, 0),
        ({"stationary": "resting"}, 0),
        ({"on": "person>gate"}, 1),
        ({"on": "person<gate"}, 1),
        ({"on": "person<>gate"}, 2),
        ({"on": "person<>gate", "cooldown": "1m"}, 1),
        ({"on": "person>gate:0.95"}, 0),
    ],
)
def test_every_condition_of_a_rule(change: dict[str, Any], hits: int) -> None:
    events = play({"name": "r", "on": "person@door"} | change)
    assert len([e for e in events if e.rule == "r" and e.type == "new"]) == hits


def test_hours_are_those_of_the_boards_own_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    rule = {"name": "night", "on": "person@door", "hours": "22:00-06:00", "days": "thu"}
    for zone, expected in (
        ("UTC", False),
        ("America/Los_Angeles", True),
    ):  # there it is 4 in the morning, Friday
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        assert bool(of_rule(play(rule))) is expected
    monkeypatch.undo()
    time.tzset()


def test_a_zones_own_conditions_and_a_mask() -> None:
    def visits(**more: Any) -> int:
        zone = {"name": "door", "points": [[0, 0.6], [1, 0.6], [1, 1], [0, 1]]} | more
        return len([e for e in play(None, zones=[zone]) if e.kind == "zone" and e.type == "new"])

    assert visits() == 1
    assert visits(classes=["car"]) == 0
    assert visits(score=0.9) == 0
    assert visits(min_size=0.5) == 0
    assert visits(loitering="9s") == 1
    assert visits(loitering="30s") == 0
    # never here: what is behind the mask is no object at all
    mask = {"name": "tree", "use": "mask", "points": "0,0 1,0 1,1 0,1"}
    assert play({"name": "r", "on": "person"}, zones=[DOOR, mask]) == []


def test_counts_of_several_and_their_end() -> None:
    other = Walker(((6.0, 0.2, 0.8), (10.0, 0.3, 0.8)))
    events = play({"name": "two", "on": "person@door", "count": 2}, [VISIT, other])
    told = [(e.type, e.kind, dict(e.counts or {})) for e in events if e.rule]
    assert told == [("new", "occupancy", {"person": 2}), ("end", "occupancy", {"person": 2})]


def test_what_parks_is_stationary_and_may_be_left_out() -> None:
    parked = Walker(((0.0, 0.5, 0.8), (60.0, 0.5, 0.8)), "car")
    events = play({"name": "r", "on": "car@door"}, [parked], 40.0)
    assert any(e.stationary for e in events if e.kind == "object" and e.type == "update")
    # a rule for what rests begins once it does
    events = play({"name": "r", "on": "car@door", "stationary": "resting"}, [parked], 40.0)
    assert of_rule(events)[0] == ("new", pytest.approx(10.0, abs=0.5))  # type: ignore[comparison-overlap]
    # and one for what moves ends then, or it would record a parked car for hours
    events = play({"name": "r", "on": "car@door", "stationary": "moving"}, [parked], 40.0)
    assert of_rule(events)[1] == ("end", pytest.approx(10.0, abs=0.5))  # type: ignore[comparison-overlap]


def test_speed_where_the_ground_is_measured() -> None:
    """The zone is 10 m by 20 m, seen straight from above: half the picture's height in 4 s is 2.5 m/s."""
    ground = {"name": "road", "points": "0,0 1,0 1,1 0,1", "real": [10, 20]}
    events = play(None, [Walker(((0.0, 0.5, 0.3), (4.0, 0.5, 0.8)))], 5.0, zones=[ground])
    last = [e for e in events if e.kind == "object"][-1]
    assert last.speed == pytest.approx(2.5, rel=0.03)


def test_other_rules_while_running_end_what_the_old_ones_told() -> None:
    engine = RuleEngine("front", build(zones=[DOOR], rules=["person@door"]))
    found: list[Event] = []
    for at_ns, seen in frames([VISIT], 10.0):
        found += engine.observe(at_ns, NOON_MS + at_ns // 1_000_000, SIZE_WH, seen).events
    ended = engine.change(build(zones=["gate=0,0.5 1,0.5 1,1 0,1"], rules=["person@gate"]))
    assert {(e.kind, e.rule, e.type) for e in ended} == {
        ("zone", "", "end"),
        ("occupancy", "", "end"),
        ("object", "person@door", "end"),
    }
    told = [
        e
        for at_ns, seen in frames([VISIT], 12.0)
        if at_ns > 10_000_000_000
        for e in engine.observe(at_ns, NOON_MS + at_ns // 1_000_000, SIZE_WH, seen).events
    ]
    assert "person@gate" in {e.rule for e in told}
    # the object is the same one as before
    assert not [e for e in told if e.kind == "object" and e.type == "new" and not e.rule]


def test_motion_in_an_area_begins_and_ends() -> None:
    rules = build(
        zones=["yard=0.5,0 1,0 1,1 0.5,1", "lawn=0,0 0.4,0 0.4,1 0,1"], rules=["motion@yard", "motion@lawn"]
    )
    engine, grid = RuleEngine("front", rules), MotionGrid()
    found: list[Event] = []
    ground = np.random.default_rng(0).integers(60, 90, (360, 640, 3), np.uint8)
    for index in range(150):
        image = ground.copy()
        if 30 <= index < 75:
            x = 360 + 4 * (index - 30)
            image[150:220, x : x + 40] = 220
        moved = grid.look(image)
        at_ns = index * 66_666_667
        found += engine.observe(at_ns, NOON_MS + at_ns // 1_000_000, (640, 360), (), moved).events
    told = [(e.type, e.zones) for e in found if e.rule]
    assert told == [("new", ("yard",)), ("end", ("yard",))]


def test_holding_says_for_how_long_to_record() -> None:
    engine = RuleEngine(
        "front",
        build(
            zones=[DOOR],
            record_on=["person@door"],
            snapshot_on=["person@door", "car"],
        ),
    )
    assert [(r.name, r.record, r.snapshot) for r in engine.rules.rules] == [("person@door", True, True)]
    held = [
        at_ns / 1e9
        for at_ns, seen in frames([VISIT], 22.0)
        if engine.observe(at_ns, NOON_MS, SIZE_WH, seen).holding == ("person@door",)
    ]
    assert held[0] == pytest.approx(2.2, abs=0.3)
    assert held[-1] == pytest.approx(14.2, abs=0.3)


def test_a_file_that_begins_again_ends_what_lasted() -> None:
    engine = RuleEngine("front", build(zones=[DOOR]))
    seen = [Seen(1, "person", 0.8, 600.0, 300.0, 680.0, 500.0)]
    for at_ns in range(0, 1_000_000_000, 100_000_000):
        engine.observe(at_ns, NOON_MS, SIZE_WH, seen)
    told = engine.observe(0, NOON_MS, SIZE_WH, seen).events
    assert {e.type for e in told} == {"end"}
