"""The rules of a run: applied to each result before it is published, and changed while frames run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

import msgspec

from edgecam.capture import is_generated
from edgecam.config import Config
from edgecam.core import clock
from edgecam.core.areas import Told
from edgecam.core.events import Event
from edgecam.core.naming import short
from edgecam.core.ports import Source
from edgecam.core.types import Frame, Result
from edgecam.rules.camera_condition import CameraCondition
from edgecam.rules.engine import RuleEngine
from edgecam.rules.motion import MotionGrid
from edgecam.rules.reading import build
from edgecam.rules.spec import RuleSet

#: Told what happened, and in which frame; quick, on the results' thread.
Tell = Callable[[Sequence[Event], Result | None], None]


class WallClock:
    """The wall time of one source's frames: for a file, that of its beginning plus the place in it."""

    def __init__(self) -> None:
        self._begun: tuple[int, int] | None = None  # milliseconds, and the frame's place in the file
        self._last_ns = 0

    def ms(self, frame: Frame) -> int:
        """Milliseconds since 1970 (UTC)."""
        if frame.media_ns is None:
            return round(clock.wall_time(frame.captured_ns).timestamp() * 1000)
        if self._begun is None or frame.media_ns < self._last_ns:  # a file that begins again
            now = round(clock.wall_time(frame.captured_ns).timestamp() * 1000)
            self._begun = now, frame.media_ns
        self._last_ns = frame.media_ns
        return self._begun[0] + (frame.media_ns - self._begun[1]) // 1_000_000


class Watched:
    """One source's rules, and new ones that wait to be taken over between two frames.

    sees: the pictures show a real place, so that the camera can be covered or turned away.
    """

    def __init__(self, source: Source, rules: RuleSet, *, sees: bool) -> None:
        self.names = (source.name, short(source.name))
        self.engine = RuleEngine(source.name, rules.of(*self.names))
        self.clock = WallClock()
        self.grid = MotionGrid()
        self.wanted: RuleSet | None = None
        self.condition = CameraCondition(source.name) if source.is_live and sees else None


class Rules:
    """Implements ``--zone``, ``--line``, ``--rule`` and the words of ``--record-on`` that name a place.

    ``apply`` (a change of settings) may be called by any thread; ``look`` by one thread at a time, in the
    order of a source's frames; ``end`` after the last one. tell: gets every event. labels: the detector's.

    Raises ConfigError if something set is wrong.
    """

    def __init__(self, config: Config, sources: Sequence[Source], labels: Sequence[str], tell: Tell) -> None:
        self._sources, self._labels, self._tell = sources, labels, tell
        self._lock = threading.Lock()
        #: Whether somebody takes events; without, and without rules, nothing is looked at.
        self.wanted = False
        #: Told the new rules, on the thread that changed them.
        self.on_change: Callable[[RuleSet], None] = lambda _: None
        self.rules = self._build(config)
        made = [is_generated(uri) for uri in config.source] + [False] * len(sources)
        self._watched = [Watched(source, self.rules, sees=not made[n]) for n, source in enumerate(sources)]

    @property
    def records(self) -> bool:
        """Whether a rule asks for a recording while it holds."""
        return any(rule.record for rule in self.rules.rules)

    def _build(self, config: Config) -> RuleSet:
        return build(
            config.zone,
            config.line,
            config.rule,
            record_on=config.record_on,
            snapshot_on=config.snapshot_on,
            labels=self._labels or None,
            cameras=[(source.name, short(source.name)) for source in self._sources],
        )

    def apply(self, config: Config) -> None:
        """Take over changed settings, from each source's next frame on. Raises ConfigError."""
        rules = self._build(config)
        with self._lock:
            self.rules = rules
            for watched in self._watched:
                watched.wanted = rules.of(*watched.names)
        self.on_change(rules)

    def look(self, index: int, result: Result) -> Result:
        """The result with its wall time, and what the rules say of it."""
        watched = self._watched[index]
        wall_ms = watched.clock.ms(result.frame)
        engine = watched.engine
        events: list[Event] = []
        if watched.wanted is not None:
            with self._lock:
                rules, watched.wanted = watched.wanted, None
            if rules is not None and rules != engine.rules:
                events += engine.change(rules)
        mine = engine.rules
        if not (self.wanted or mine.zones or mine.lines or mine.rules):
            return replace(result, wall_ms=wall_ms)
        moved = watched.grid.look(result.frame.image) if mine.sees_motion else ""
        result = replace(result, wall_ms=wall_ms, moved=moved)
        told: Told = engine.watch(result)
        if watched.condition is not None:
            events += watched.condition.feed(result)
        if events:
            told = msgspec.structs.replace(told, events=(*events, *told.events))
        result = replace(result, told=told)
        if told.events:
            self._tell(told.events, result)
        return result

    def end(self) -> None:
        """Tell the ends of all that still lasts."""
        for watched in self._watched:
            events = [*watched.engine.end()]
            if watched.condition is not None:
                events += watched.condition.end()
            if events:
                self._tell(events, None)
