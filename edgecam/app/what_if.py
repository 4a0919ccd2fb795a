"""Which events other rules would have told of recordings, and which not: limited, and in small steps."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from edgecam.app.replay import Difference, compare, play
from edgecam.core.events import Event
from edgecam.core.naming import short
from edgecam.record.library.catalogue import ClipInfo
from edgecam.record.library.events import EventFilter, EventStore
from edgecam.record.library.journal import FOLDER
from edgecam.rules.spec import RuleSet

#: Kinds that no rule makes: they are not replayed, so they are not missing either.
NOT_REPLAYED = ("camera", "board", "clip")
#: An event may begin this long before or after the clip that shows it, seconds.
SLACK_S = 1.0
#: One step of work, and the pause after it, seconds: other threads wait for Python no longer than a step.
STEP_S, PAUSE_S = 0.002, 0.002
#: Frames between two looks at the clock.
FRAMES_A_LOOK = 4


class StoppedError(Exception):
    """The comparison was cancelled."""


class _EnoughError(Exception):
    """The time limit was reached."""


@dataclass(slots=True)
class Outcome:
    """What a comparison gave.

    clips, recorded_s: how much was replayed. whole: False if the time ran out before all of it was.
    """

    difference: Difference = field(default_factory=Difference)
    clips: int = 0
    recorded_s: float = 0.0
    took_s: float = 0.0
    whole: bool = True


def what_if(
    folder: Path,
    clips: Sequence[ClipInfo],
    rules: RuleSet,
    present: RuleSet,
    *,
    limit_s: float,
    stopped: Callable[[], bool] = lambda: False,
    progress: Callable[[float], None] = lambda _: None,
) -> Outcome:
    """Play ``clips`` (with sidecars, oldest first) through ``rules``, and compare with what was told.

    Where no events were kept, the comparison is with what ``present``, the rules that hold now, make of the
    clips. limit_s: after this long it stops, and what was replayed so far is compared. progress: called with
    the share that is done, 0 to 1. Runs on one thread, at about half of a core. Raises StoppedError when
    ``stopped``, and RecordError if a sidecar cannot be read.
    """
    begun = time.perf_counter()
    kept = (folder / FOLDER).is_dir()
    sets = (rules,) if kept else (rules, present)
    done = list(clips)
    made: list[list[Event]] = []
    for number, one in enumerate(sets):
        share = (number / len(sets), (number + 1) / len(sets))
        pace = _Pace(done, begun + limit_s * share[1], stopped, share, progress)
        found: list[Event] = []
        try:
            found.extend(play(folder, done, one, pace.frame))
        except _EnoughError:
            done = done[: pace.at]
        made.append(found)
    names = {clip.name for clip in done}
    after = [event for event in made[0] if event.clip in names]
    if kept:
        with EventStore(folder) as store:
            before = list(_told(store, done))
    else:
        before = [event for event in made[1] if event.clip in names]
    return Outcome(
        compare(before, after),
        len(done),
        sum(clip.duration_s for clip in done),
        time.perf_counter() - begun,
        len(done) == len(clips),
    )


def _told(store: EventStore, clips: Sequence[ClipInfo]) -> Iterator[Event]:
    """What was told of some clips (oldest first), each event as it began, with its clip and second."""
    if not clips:
        return
    by_camera: dict[str, list[ClipInfo]] = {}
    for clip in clips:
        by_camera.setdefault(clip.camera, []).append(clip)
    starts = {camera: [c.started.timestamp() for c in mine] for camera, mine in by_camera.items()}
    names = {clip.name for clip in clips}
    since = clips[0].started.timestamp() - SLACK_S
    until = max(c.started.timestamp() + c.duration_s for c in clips) + SLACK_S
    for event in store.events(EventFilter(since=since, until=until)):
        camera = event.camera if event.camera in starts else short(event.camera)
        if event.kind in NOT_REPLAYED or camera not in starts:
            continue
        mine, begun = by_camera[camera], starts[camera]
        at = bisect_right(begun, event.start_time) - 1
        if at < 0 or event.start_time > begun[at] + mine[at].duration_s + SLACK_S:
            at += 1  # it may have begun a moment before the clip that shows it
            if at >= len(mine) or event.start_time < begun[at] - SLACK_S:
                continue
        clip, at_s = mine[at], max(0.0, event.start_time - begun[at])
        if event.clip not in names:
            event = replace(event, clip=clip.name, clip_s=round(at_s, 2))
        yield replace(event, type="new")


class _Pace:
    """Follows the replayed frames: how far they are, whether to go on, and a short pause now and then."""

    def __init__(
        self,
        clips: Sequence[ClipInfo],
        until_s: float,
        stopped: Callable[[], bool],
        share: tuple[float, float],
        progress: Callable[[float], None],
    ) -> None:
        #: The index of the clip that is being gone through.
        self.at = 0
        self._clips = clips
        self._until_s = until_s
        self._stopped = stopped
        self._share = share
        self._progress = progress
        self._frames = 0
        self._step_s = time.perf_counter()

    def frame(self, clip: ClipInfo) -> None:
        """One more of ``clip``. Raises StoppedError and _EnoughError."""
        if clip is not self._clips[self.at]:
            while clip is not self._clips[self.at]:
                self.at += 1
            low, high = self._share
            self._progress(low + (high - low) * self.at / len(self._clips))
        self._frames += 1
        if self._frames % FRAMES_A_LOOK:
            return
        now = time.perf_counter()
        if now - self._step_s < STEP_S:
            return
        if self._stopped():
            raise StoppedError
        if now >= self._until_s:
            raise _EnoughError
        time.sleep(PAUSE_S)
        self._step_s = time.perf_counter()
