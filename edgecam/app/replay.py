"""Plays recorded results through rules again: why something was told, and what other rules would tell."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from edgecam.core.errors import RecordError
from edgecam.core.events import Event
from edgecam.core.naming import short
from edgecam.record.library.catalogue import ClipInfo
from edgecam.record.library.sidecar import sidecar_lines
from edgecam.rules.engine import RuleEngine
from edgecam.rules.explain import Reason, explain
from edgecam.rules.recorded import Recorded, read_recorded
from edgecam.rules.spec import RuleSet

log = logging.getLogger(__name__)

#: A moment is explained by what went before it, for as long as most cool-downs and loitering times.
BEFORE_S = 900.0
#: Two events of one rule and object are the same happening if they begin so close together.
SAME_S = 5.0


def frames(folder: Path, clips: Iterable[ClipInfo]) -> Iterator[tuple[ClipInfo, Recorded | None]]:
    """Every recorded frame of some clips, in their order; None where a run ended.

    Clips without a sidecar give none. Raises RecordError if one cannot be read.
    """
    for clip in clips:
        name = clip.files.get("sidecar")
        if name is None:
            continue
        try:
            for line in sidecar_lines(folder / name):
                found = read_recorded(line)
                if found is not None:
                    yield clip, found
                elif _ends_run(line):
                    yield clip, None
        except FileNotFoundError:
            log.info("clip '%s' was deleted meanwhile", clip.name)
        except OSError as error:
            raise RecordError(f"sidecar '{folder / name}' cannot be read: {error.strerror}") from error


def _ends_run(line: bytes) -> bool:
    """Whether a sidecar's line says that the recorder was closed."""
    return b'"end"' in line and b'"why": "closed"' in line


def play(
    folder: Path,
    clips: Iterable[ClipInfo],
    rules: RuleSet,
    each: Callable[[ClipInfo], None] = lambda _: None,
) -> Iterator[Event]:
    """The events that ``rules`` make of some clips, with the clip and second in which each is told.

    each: told before every frame of which clip it is; what it raises ends the replay.
    """
    engines: dict[str, RuleEngine] = {}  # by the clips' camera
    for clip, frame in frames(folder, clips):
        each(clip)
        engine = engines.get(clip.camera)
        if frame is None:
            if engine is not None:
                yield from engine.end()
                del engines[clip.camera]
            continue
        if engine is None or engine.camera != frame.camera:
            camera = frame.camera
            engine = engines[clip.camera] = RuleEngine(camera, rules.of(camera, short(camera)))
        for event in frame.play(engine).events:
            yield replace(event, clip=clip.name, clip_s=frame.clip_s)
    for engine in engines.values():
        yield from engine.end()


def bare(event: Event) -> Event:
    """The event without clip, picture and joules, which rules do not know: as a replay makes it again."""
    return replace(event, clip=None, clip_s=None, snapshot=None, energy_j=None)


@dataclass(slots=True)
class Difference:
    """What other rules would have told. Each event as it began; ``kept`` pairs the old with the new."""

    gained: list[Event] = field(default_factory=list)
    lost: list[Event] = field(default_factory=list)
    kept: int = 0


def compare(before: Iterable[Event], after: Iterable[Event]) -> Difference:
    """Match beginnings by camera, kind, rule and track, near one another in time."""
    found = Difference()
    old: dict[tuple[object, ...], list[Event]] = {}
    for event in before:
        if event.type == "new":
            old.setdefault(_about(event), []).append(event)
    for event in after:
        if event.type != "new":
            continue
        rest = old.get(_about(event), [])
        same = min(rest, key=lambda e: abs(e.start_time - event.start_time), default=None)
        if same is not None and abs(same.start_time - event.start_time) <= SAME_S:
            rest.remove(same)
            found.kept += 1
        else:
            found.gained.append(event)
    found.lost = sorted((e for rest in old.values() for e in rest), key=lambda e: e.start_time)
    return found


def _about(event: Event) -> tuple[object, ...]:
    return (event.camera, event.kind, event.rule, event.track_id, event.line, event.direction)


@dataclass(frozen=True, slots=True)
class ExplainedFrame:
    """A recorded frame explained. at_s: its second in the clip. tentative: see :class:`Recorded`."""

    at_s: float
    frame: Recorded
    reasons: tuple[Reason, ...]
    has_rules: bool


def why_of(
    folder: Path, clips: Sequence[ClipInfo], clip: ClipInfo, at_s: float, rules: RuleSet
) -> ExplainedFrame:
    """What each rule says of each object in ``clip`` at second ``at_s``.

    clips: of the library; those of this camera that went shortly before are played first. Raises RecordError
    if the clip has no sidecar, or no frame there.
    """
    start = clip.started.timestamp()
    before = [
        c
        for c in clips
        if c.camera == clip.camera and c.id != clip.id and start - BEFORE_S <= c.started.timestamp() < start
    ]
    engine: RuleEngine | None = None
    last: Recorded | None = None
    for of, frame in frames(folder, [*before, clip]):
        if of is clip and last is not None and (frame is None or (frame.clip_s or 0.0) > at_s + 1e-3):
            break
        if frame is None:
            engine = None
            continue
        if engine is None or engine.camera != frame.camera:
            engine = RuleEngine(frame.camera, rules.of(frame.camera, short(frame.camera)))
        frame.play(engine)
        last = frame if of is clip else None
    if engine is None or last is None:
        raise RecordError(f"clip '{clip.name}' has no results beside it (its .jsonl), so nobody knows")
    reasons = tuple(explain(engine, last.at_ms))
    return ExplainedFrame(last.clip_s or 0.0, last, reasons, bool(engine.user.clauses))
