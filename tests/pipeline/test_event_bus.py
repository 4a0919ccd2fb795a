"""Events reach every sink in one order; a sink that fails costs the others nothing."""

from __future__ import annotations

import threading

import pytest

from edgecam.core.events import Event, event_id
from edgecam.pipeline.event_bus import DEPTH, EventBus


class Kept:
    def __init__(self, *, fails_at: int = -1, gate: threading.Event | None = None) -> None:
        self.events: list[Event] = []
        self.closed = 0
        self._fails_at, self._gate = fails_at, gate

    def open(self) -> None:
        pass

    def write(self, event: Event) -> None:
        if self._gate is not None:
            self._gate.wait(60)
        if len(self.events) == self._fails_at:
            raise OSError("the disk is gone")
        self.events.append(event)

    def close(self) -> None:
        self.closed += 1


def _events(count: int) -> list[Event]:
    return [
        Event(id=event_id(float(n), "front"), type="new", kind="object", camera="front", time=float(n))
        for n in range(count)
    ]


@pytest.mark.allow_error_log
def test_one_sinks_failure_is_told_and_costs_the_others_nothing() -> None:
    good, bad = Kept(), Kept(fails_at=3)
    bus = EventBus()
    bus.add(bad, "bad", lossless=True)
    bus.add(good, "good", lossless=True)
    bus.start()
    sent = _events(4 * DEPTH)
    for event in sent:
        bus.publish(event)
    failures = bus.close()
    assert good.events == sent
    assert bad.events == sent[:3]
    assert [str(f) for f in failures] == ["the disk is gone"]
    assert good.closed == bad.closed == 1


def test_a_slow_sink_loses_the_oldest_and_says_how_many() -> None:
    gate = threading.Event()
    slow = Kept(gate=gate)
    bus = EventBus()
    bus.add(slow, "slow")
    sent = _events(DEPTH + 10)
    for event in sent:  # not started: nobody takes any
        bus.publish(event)
    assert bus.dropped() == {"slow": 10}
    gate.set()
    bus.start()
    assert bus.close() == []
    assert slow.events == sent[10:]


def test_sinks_end_side_by_side() -> None:
    both = threading.Barrier(2)

    class Meets:
        def open(self) -> None: ...

        def write(self, event: Event) -> None: ...

        def close(self) -> None:
            both.wait(30)

    bus = EventBus()
    bus.add(Meets(), "one")
    bus.add(Meets(), "two")
    bus.start()
    assert bus.close() == []
