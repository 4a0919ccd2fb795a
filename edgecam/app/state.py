"""Makes :class:`edgecam.core.state.State`: the one place where notices are composed, and the one cache."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from msgspec import Struct, structs

from edgecam.app.governing import Governing
from edgecam.app.models import Models
from edgecam.config.live import LiveSettings
from edgecam.core.areas import NO_AREAS, Areas
from edgecam.core.clock import now_ns
from edgecam.core.package import __version__
from edgecam.core.ports import Source
from edgecam.core.state import Notice, RecorderState, SourceState, State, notice_line
from edgecam.core.types import Result, Stats
from edgecam.pipeline.cadence import Cadence
from edgecam.pipeline.pipeline import Account, Pipeline
from edgecam.telemetry.collector import StatsCollector

if TYPE_CHECKING:
    from edgecam.record.recorder import Recorder

#: A state is at most this old; fresher rates and watts cannot be read anyway.
STATE_EVERY_NS = 250_000_000
#: What a weak supply says, the moment the firmware reports it.
WEAK_SUPPLY = "weak power supply: under-voltage now"


class Parts(Struct, frozen=True):
    """What a state is made from. pipeline is None until it is built."""

    collector: StatsCollector
    sources: Sequence[Source]
    models: Models
    live: LiveSettings
    cadence: Cadence
    governing: Governing
    recorders: Sequence[tuple[str, Recorder]]
    too_old: Callable[[], int]


class _Kept(Struct, frozen=True):
    generation: object
    state: State


class StateMaker:
    """States, made anew at most every :data:`STATE_EVERY_NS`, whoever asks. Any thread; no lock.

    Two threads that ask at one moment may both make one, which costs a fraction of a millisecond.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._pipeline: Pipeline | None = None
        self._started_ns = now_ns()
        self._generation = object()
        self._kept: _Kept | None = None

    def attach(self, pipeline: Pipeline) -> None:
        """From now on tell where frames went. Before the pipeline starts."""
        self._pipeline = pipeline
        self.renew()

    def renew(self) -> None:
        """Something changed that must be seen at once: whoever asks next gets a new state."""
        self._generation = object()

    def get(self) -> State:
        """What is going on now, or was within the last quarter of a second."""
        generation, kept, now = self._generation, self._kept, now_ns()
        if kept is not None and kept.generation is generation and now - kept.state.at_ns < STATE_EVERY_NS:
            return kept.state
        state = self._make(now)
        self._kept = _Kept(generation, state)
        return state

    def last(self) -> State:
        """The state at the end of a run, with its totals."""
        return structs.replace(self._make(now_ns()), totals=self._parts.collector.totals())

    def stats(self, source: str | None = None) -> Stats:
        """Rates, ages and board of all sources, or of the one of that name."""
        state = self.get()
        found = None if source is None else state.source(source)
        return state.stats if found is None else found.stats

    def _make(self, now: int) -> State:
        parts, config = self._parts, self._parts.live.config
        total = parts.collector.snapshot()
        recorders = tuple(_recorder_state(name, recorder) for name, recorder in parts.recorders)
        notices = self._notices(total, recorders)
        several = len(parts.sources) > 1
        return State(
            at_ns=now,
            version=__version__,
            uptime_s=(now - self._started_ns) / 1e9,
            stats=replace(total, notice=notice_line(notices, named=several)),
            sources=self._sources(total, notices, several),
            ended=self._pipeline is not None and self._pipeline.finished,
            notices=notices,
            recorders=recorders,
            models=parts.models.states(),
            settings=parts.live.values(),
            energy=parts.collector.energy(),
            skipped_still=parts.cadence.skipped_still if config.gate == "motion" else None,
            skipped_rate=parts.cadence.skipped_rate,
            max_age_ms=None if config.max_age is None else config.max_age * 1e3,
            too_old=parts.too_old(),
        )

    def _notices(self, stats: Stats, recorders: Sequence[RecorderState]) -> tuple[Notice, ...]:
        """Every notice there is, the most urgent first."""
        found: list[Notice] = []
        if "under-voltage" in stats.health.throttled_now:
            found.append(Notice("supply", WEAK_SUPPLY))
        told = ((source.name, source.notice) for source in self._parts.sources)
        found += [Notice("camera", text, name) for name, text in told if text]
        fault = next((r.fault for r in recorders if r.fault), "")
        if fault:
            found.append(Notice("record", f"NOT RECORDING: {fault}"))
        if limit := self._parts.governing.notice:
            found.append(Notice("limit", limit))
        return tuple(found)

    def _sources(self, total: Stats, notices: tuple[Notice, ...], several: bool) -> tuple[SourceState, ...]:
        pipeline = self._pipeline
        accounts = (
            [Account(0, 0, 0, 0)] * len(self._parts.sources) if pipeline is None else pipeline.accounts()
        )
        found = []
        for index, source in enumerate(self._parts.sources):
            name, account = source.name, accounts[index]
            own = next((n.text for n in notices if n.source == name), "")
            # a clip says what concerns its own camera and the board; not that it is not being written
            shown = notice_line(
                n for n in notices if n.source == name or (not n.source and n.kind != "record")
            )
            stats = self._parts.collector.snapshot(name) if several else total
            found.append(
                SourceState(
                    name,
                    source.size_wh,
                    source.rate_hz,
                    source.is_live,
                    source.description,
                    own,
                    lost=bool(own),
                    paused=pipeline is not None and pipeline.paused and not source.is_live,
                    ended=pipeline is not None and pipeline.ended(index),
                    captured=account.captured,
                    inferred=account.inferred,
                    stale=account.stale,
                    stopped=account.stopped,
                    stats=replace(stats, notice=shown),
                    areas=NO_AREAS if pipeline is None else areas_of(pipeline.latest.get(index)),
                )
            )
        return tuple(found)


def areas_of(result: Result | None) -> Areas:
    """The zones and lines of a result, as they stand."""
    return NO_AREAS if result is None or result.told is None else result.told.areas


def _recorder_state(name: str, recorder: Recorder) -> RecorderState:
    status = recorder.status()
    space = status.space
    return RecorderState(
        name,
        status.recording,
        None if status.path is None else str(status.path),
        status.clips,
        tuple(map(str, recorder.clips)),
        status.frames,
        status.lost,
        status.why_lost,
        status.nbytes,
        status.fault,
        status.encoder,
        None if space is None else space.used,
        None if space is None else space.available,
        None if space is None else space.days,
    )
