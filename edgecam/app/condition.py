"""Events of the board and of its cameras' connections, from what the state says a few times a second."""

from __future__ import annotations

from collections.abc import Iterator

from edgecam.core.events import Event, EventKind, event_id
from edgecam.core.state import State

#: Something is over once it was not reported for so long: throttling comes and goes many times a minute.
OVER_S = 10.0
_SUPPLY = "under-voltage"


class ConditionWatch:
    """Compares one state with those before. One thread.

    What it tells: a camera lost and recovered; heat (the firmware slows the board down), a weak supply, and
    a disk on which nothing can be recorded.
    """

    def __init__(self) -> None:
        self._lasting: dict[tuple[EventKind, str, str], tuple[Event, float]] = {}

    def look(self, state: State, wall_s: float) -> list[Event]:
        """What began and what is over, at a wall time in seconds."""
        events: list[Event] = []
        wrong = {(kind, camera, what): text for kind, camera, what, text in _wrong(state)}
        for about, text in wrong.items():
            kind, camera, what = about
            known = self._lasting.get(about)
            if known is None:
                start = round(wall_s, 3)
                event = Event(
                    id=event_id(start, camera, kind, what),
                    type="new",
                    kind=kind,
                    camera=camera,
                    start_time=start,
                    time=start,
                    state=what,
                    message=text,
                )
                events.append(event)
                self._lasting[about] = (event, wall_s)
            else:
                self._lasting[about] = (known[0], wall_s)
        for about, (event, seen_s) in list(self._lasting.items()):
            if about not in wrong and (about[0] == "camera" or wall_s - seen_s >= OVER_S):
                del self._lasting[about]
                events.append(_ended(event, wall_s))
        return events

    def end(self, wall_s: float) -> list[Event]:
        """The ends of all that still lasts: the program stops."""
        lasting, self._lasting = self._lasting, {}
        return [_ended(event, wall_s, at_stop=True) for event, _ in lasting.values()]


def _ended(event: Event, wall_s: float, *, at_stop: bool = False) -> Event:
    end = max(event.start_time, round(wall_s, 3))
    recovered = event.kind == "camera" and not at_stop
    return Event(
        id=event.id,
        type="end",
        kind=event.kind,
        camera=event.camera,
        start_time=event.start_time,
        end_time=end,
        time=end,
        state="recovered" if recovered else event.state,
        message=event.message,
    )


def _wrong(state: State) -> Iterator[tuple[EventKind, str, str, str]]:
    """(kind, camera, what, sentence) of everything that is not as it should be."""
    for source in state.sources:
        if source.lost:
            yield "camera", source.name, "lost", source.notice
    now = state.stats.health.throttled_now
    if _SUPPLY in now:
        yield "board", "", "supply", "weak power supply: under-voltage"
    hot = [word for word in now if word != _SUPPLY]
    if hot:
        degrees = state.stats.health.temperature_c
        at = "" if degrees is None else f" at {degrees:.0f} °C"
        yield "board", "", "heat", f"the board slows itself down{at}: {', '.join(hot)}"
    for recorder in state.recorders:
        if recorder.fault:
            yield "board", "", "disk", f"nothing is recorded: {recorder.fault}"
            return
