"""Lost cameras, heat, supply and disk as events with a beginning and an end."""

from __future__ import annotations

from msgspec.structs import replace

from edgecam.app.condition import ConditionWatch
from edgecam.core.state import RecorderState, SourceState, State
from edgecam.core.types import BoardHealth, Stats

GOOD = State(0, sources=(SourceState("front"), SourceState("rear")), recorders=(RecorderState("front"),))


def _health(*words: str) -> State:
    return replace(GOOD, stats=Stats(health=BoardHealth(temperature_c=84.0, throttled_now=words)))


def test_each_fault_is_told_once_and_ends_once() -> None:
    watch = ConditionWatch()
    lost = replace(
        GOOD, sources=(SourceState("front", lost=True, notice="no frame for 3 s"), SourceState("rear"))
    )
    told = [(e.type, e.kind, e.camera, e.state) for s in range(5) for e in watch.look(lost, 100.0 + s)]
    assert told == [("new", "camera", "front", "lost")]
    (back,) = watch.look(GOOD, 110.0)
    assert (back.type, back.state, back.start_time, back.end_time) == ("end", "recovered", 100.0, 110.0)
    assert back.message == "no frame for 3 s"
    assert watch.look(GOOD, 111.0) == []


def test_what_comes_and_goes_is_one_event() -> None:
    watch = ConditionWatch()
    events = []
    for tenth in range(600):  # throttled every other second for half a minute
        busy = tenth < 300 and tenth // 10 % 2
        events += watch.look(_health("throttled") if busy else GOOD, 100.0 + tenth / 10)
    assert [(e.type, e.kind, e.state) for e in events] == [("new", "board", "heat"), ("end", "board", "heat")]
    assert "84 °C" in (events[0].message or "")


def test_supply_and_disk_are_told_apart_and_a_stop_ends_them() -> None:
    watch = ConditionWatch()
    bad = replace(_health("under-voltage"), recorders=(RecorderState("front", fault="the disk is full"),))
    assert {e.state for e in watch.look(bad, 1.0)} == {"supply", "disk"}
    assert {(e.type, e.state) for e in watch.end(9.0)} == {("end", "supply"), ("end", "disk")}
