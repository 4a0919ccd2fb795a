"""Counting truth: known crossings, occupancy and dwell; exact on what is clean, within 2 % if spoiled."""

from __future__ import annotations

import pytest
from rules_world import SIZE_WH, Spoiled, Walker, as_detections, crossing_street, frames

from edgecam.core.events import Event
from edgecam.rules.engine import RuleEngine
from edgecam.rules.objects import Seen
from edgecam.rules.reading import build
from edgecam.tracking.identities import SortTracker

CLEAN = Spoiled()
WALL_MS = 1_795_082_331_204
RULES = build(zones=["low=0,0.6 1,0.6 1,1 0,1"], lines=["gate=0,0.6 1,0.6"])


def tracked(tracker: SortTracker, seen: list[Seen], at_ns: int) -> list[Seen]:
    """What the program's own tracker makes of it."""
    found = tracker.update(as_detections(seen), at_ns)
    assert found.track_id is not None
    return [
        Seen(int(found.track_id[i]), found.label(i), float(found.score[i]), *map(float, found.xyxy[i]))  # type: ignore[arg-type]
        for i in range(len(found))
        if found.state is None or found.state[i] > 0
    ]


def counts(
    spoiled: Spoiled, seed: int, *, own_tracker: bool = False, rate_hz: float = 15.0
) -> tuple[int, ...]:
    walkers, truly_in, truly_out, seconds = crossing_street(60, seed)
    engine, tracker = RuleEngine("front", RULES), SortTracker(size_wh=SIZE_WH)
    for at_ns, seen in frames(walkers, seconds, spoiled, seed, rate_hz):
        if own_tracker:
            seen = tracked(tracker, seen, at_ns + 1)
        engine.observe(at_ns, WALL_MS + at_ns // 1_000_000, SIZE_WH, seen)
    engine.end()
    line = engine.areas().lines[0]
    return line.counted_in, truly_in, line.counted_out, truly_out


@pytest.mark.parametrize("rate_hz", [4.0, 15.0, 30.0])
def test_crossings_are_exact_where_nothing_is_spoiled(rate_hz: float) -> None:
    found_in, truly_in, found_out, truly_out = counts(Spoiled(), 0, rate_hz=rate_hz)
    assert (found_in, found_out) == (truly_in, truly_out)
    assert truly_in > 15
    assert truly_out > 15


SPOILED = {
    "10 % missed": Spoiled(missed=0.1, trembling_px=2.0),
    "numbers swapped": Spoiled(swapped=0.01),
    "numbers lost": Spoiled(renumbered=0.02),
    "hidden for a second, often": Spoiled(occluded_s=1.0, every_s=8.0),
    "false boxes": Spoiled(false=0.2, missed=0.1),
    "everything": Spoiled(0.1, 0.005, 0.01, 0.2, 2.0, 0.7),
}


@pytest.mark.once
@pytest.mark.parametrize("name", SPOILED)
def test_crossings_stay_within_two_percent_where_much_is_spoiled(name: str) -> None:
    wrong = total = 0
    for seed in range(3):
        found_in, truly_in, found_out, truly_out = counts(SPOILED[name], seed)
        wrong += abs(found_in - truly_in) + abs(found_out - truly_out)
        total += truly_in + truly_out
    assert wrong <= 0.02 * total, f"{wrong} of {total}"


@pytest.mark.once
def test_crossings_through_the_programs_own_tracker() -> None:
    wrong = total = 0
    for seed in range(2):
        found_in, truly_in, found_out, truly_out = counts(Spoiled(missed=0.1), seed, own_tracker=True)
        wrong += abs(found_in - truly_in) + abs(found_out - truly_out)
        total += truly_in + truly_out
    assert wrong <= 0.02 * total, f"{wrong} of {total}"


def _events(walkers: list[Walker], seconds: float, spoiled: Spoiled = CLEAN) -> list[Event]:
    engine = RuleEngine("front", RULES)
    found: list[Event] = []
    for at_ns, seen in frames(walkers, seconds, spoiled):
        found += engine.observe(at_ns, WALL_MS + at_ns // 1_000_000, SIZE_WH, seen).events
    return found + list(engine.end())


@pytest.mark.parametrize("missed", [0.0, 0.1])
def test_dwell_and_occupancy_of_known_stays(missed: float) -> None:
    """Ten people stand in the zone for 5, 10, 15 … s; in for good from when they are first there."""
    walkers = [
        Walker(
            (
                (0.0, 0.05 + 0.09 * n, 0.4),
                (2.0, 0.05 + 0.09 * n, 0.8),
                (2.0 + 5 * n, 0.05 + 0.09 * n, 0.8),
                (4.0 + 5 * n, 0.05 + 0.09 * n, 0.4),
                (6.0 + 5 * n, 0.05 + 0.09 * n, 0.4),
            ),
            height=0.2,
        )
        for n in range(1, 11)
    ]
    events = _events(walkers, 62.0, Spoiled(missed=missed, trembling_px=1.0 if missed else 0.0))
    dwells = sorted(e.dwell_s or 0.0 for e in events if e.kind == "zone" and e.type == "end")
    # walking 0.4 of the height in 2 s: in after 1 s, out 1 s after leaving
    truth = [2.0 + 5 * n for n in range(1, 11)]
    assert dwells == pytest.approx(truth, abs=0.3)
    assert sum(dwells) == pytest.approx(sum(truth), rel=0.02)
    occupancy = [e.counts["person"] for e in events if e.kind == "occupancy" and e.counts]
    assert max(occupancy) == 10
    assert occupancy[-1] == 0
    assert [e.type for e in events if e.kind == "occupancy"].count("new") == 1


def test_two_who_pass_one_another_and_swap_numbers_on_the_line_do_not_count_twice() -> None:
    down = Walker(((0.0, 0.3, 0.3), (6.0, 0.5, 0.9)))
    up = Walker(((0.0, 0.55, 0.9), (6.0, 0.4, 0.3)))
    engine = RuleEngine("front", RULES)
    for at_ns, seen in frames([down, up], 6.0):
        if 2_900_000_000 <= at_ns <= 3_300_000_000 or at_ns > 4_000_000_000:
            seen = [one._replace(track_id=3 - one.track_id) for one in seen]
        engine.observe(at_ns, WALL_MS, SIZE_WH, seen)
    line = engine.areas().lines[0]
    assert (line.counted_in, line.counted_out) == (1, 1)


def test_who_goes_round_the_end_of_a_line_does_not_cross_it() -> None:
    rules = build(lines=["gate=0.4,0.6 0.8,0.6"])
    engine = RuleEngine("front", rules)
    around = Walker(((0.0, 0.5, 0.4), (2.0, 0.2, 0.4), (4.0, 0.2, 0.8), (6.0, 0.5, 0.8)))
    for at_ns, seen in frames([around], 6.0):
        engine.observe(at_ns, WALL_MS, SIZE_WH, seen)
    through = Walker(((0.0, 0.5, 0.8), (3.0, 0.5, 0.4)))
    for at_ns, seen in frames([through], 3.0):
        engine.observe(10_000_000_000 + at_ns, WALL_MS, SIZE_WH, seen)
    line = engine.areas().lines[0]
    assert (line.counted_in, line.counted_out) == (0, 1)


def test_who_trembles_on_the_line_does_not_count() -> None:
    engine = RuleEngine("front", RULES)
    for at_ns, seen in frames(
        [Walker(((0.0, 0.5, 0.601), (60.0, 0.5, 0.599)))], 60.0, Spoiled(trembling_px=2.5)
    ):
        engine.observe(at_ns, WALL_MS, SIZE_WH, seen)
    line = engine.areas().lines[0]
    assert (line.counted_in, line.counted_out) == (0, 0)
