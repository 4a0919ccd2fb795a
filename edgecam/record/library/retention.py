"""What is kept: by days, by bytes, by free space. Oldest first, protected clips last, nothing silently."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone

from edgecam.host.boot import boot_id, uptime_s
from edgecam.host.disk import disk_space
from edgecam.record.library.catalogue import ClipInfo
from edgecam.record.library.index import Library
from edgecam.record.library.refusals import Refusals
from edgecam.record.library.sums import DAY_S

log = logging.getLogger(__name__)

#: A board without a clock starts in 1970, or where it was switched off. The age of clips with such dates is
#: not known, so they are never deleted for their age. (2024: before this program was written.)
PLAUSIBLE = datetime(2024, 1, 1, tzinfo=timezone.utc)
#: A clock that was set, and a clip of this boot, are left alone for so long.
TRUST_S = 3600.0


@dataclass(frozen=True, slots=True)
class Keep:
    """The promise: delete what is older than ``days``, beyond ``nbytes``, or in the way of free space."""

    days: float | None = None
    nbytes: int | None = None
    free_percent: float = 0.0


@dataclass(frozen=True, slots=True)
class Space:
    """How much there is: bytes held by clips, bytes they may still grow by, and how many days that makes."""

    used: int
    available: int
    days: float | None

    def __str__(self) -> str:
        days = "" if self.days is None else f", space for {self.days:.1f} days"
        return f"{self.used / 1e9:.2f} GB of clips, room for {self.available / 1e9:.2f} GB more{days}"


def measure(library: Library, keep: Keep) -> Space:
    """How much is used and how much may be."""
    used = library.used_bytes()
    free, size = disk_space(library.folder)
    available = free - int(size * keep.free_percent / 100)
    if keep.nbytes is not None:
        available = min(available, keep.nbytes - used)
    per_day = library.bytes_per_day()
    available = max(0, available)
    return Space(used, available, None if not per_day else (used + available) / per_day)


@dataclass(frozen=True, slots=True)
class Clocks:
    """The wall clock, which is set now and then, and the boot's, which is not.

    jumped_s: the uptime at which the wall clock was last seen to have been set in this boot; None if never.
    """

    wall: datetime
    boot: str = ""
    uptime_s: float = 0.0
    jumped_s: float | None = None

    @classmethod
    def read(cls, library: Library) -> Clocks:
        """Now."""
        wall, boot, uptime = datetime.now(timezone.utc), boot_id(), uptime_s()
        return cls(wall, boot, uptime, library.clock_jumped_s(boot, wall.timestamp(), uptime))

    @property
    def settled(self) -> bool:
        """Whether the wall clock has stood for so long since it was last set that ages may go by it."""
        return self.jumped_s is None or self.uptime_s - self.jumped_s >= TRUST_S


def aged(clips: Iterable[ClipInfo], clocks: Clocks) -> Iterator[tuple[ClipInfo, float | None]]:
    """Each clip and its age in days, None where that is not certain; ``clips`` in the order of recording.

    What was recorded in this boot is as old as the boot's own clock says, and nothing of it goes by age
    within its first hour. For the rest there is only the wall clock: it counts once it has stood for an hour
    since it was last set, and no clip is older than one that was recorded before it.
    """
    oldest = math.inf
    for clip in clips:
        if clip.boot and clip.boot == clocks.boot and clip.boot_s is not None:
            age_s = clocks.uptime_s - clip.boot_s
            age_s = 0.0 if age_s < TRUST_S else age_s
        elif not clocks.settled or clip.started < PLAUSIBLE:
            yield clip, None
            continue
        else:
            age_s = max(0.0, (clocks.wall - clip.started).total_seconds())
        oldest = min(oldest, age_s)
        yield clip, oldest / DAY_S


def _any_older(library: Library, days: float, clocks: Clocks) -> bool:
    """Whether a clip may be older than that, without reading any."""
    plausible_s, wall_s = PLAUSIBLE.timestamp(), clocks.wall.timestamp() - days * DAY_S
    boot_s = clocks.uptime_s - max(TRUST_S, days * DAY_S)
    return library.begun_before(clocks.boot, boot_s, (plausible_s, wall_s) if clocks.settled else None)


def _queue(library: Library, clocks: Clocks) -> Iterator[tuple[ClipInfo, float]]:
    """What goes first, and its age: the oldest, and protected clips last. Read as it is asked for."""
    protected = []
    for clip, age in aged(library.oldest_first(), clocks):
        if clip.protected:
            protected.append((clip, age or 0.0))
        else:
            yield clip, age or 0.0
    yield from protected


def apply_retention(
    library: Library,
    keep: Keep,
    *,
    growing: int = 0,
    clocks: Clocks | None = None,
    refusals: Refusals | None = None,
) -> str:
    """Delete what has to go; what is still wrong afterwards in words, or ``""``.

    growing: bytes of clips that are being written and not in the library yet. refusals: those of the rounds
    before, so that what lasts is told once.
    """
    refusals = refusals or Refusals("clips")
    with refusals.round():
        return _apply(library, keep, growing, clocks or Clocks.read(library), refusals)


def _apply(library: Library, keep: Keep, growing: int, clocks: Clocks, refusals: Refusals) -> str:
    def delete(clip: ClipInfo, age: float, why: str) -> None:
        _delete(library, clip, age, keep.days, why, refusals)

    if keep.days is not None and _any_older(library, keep.days, clocks):
        for clip, age in aged(library.oldest_first(), clocks):
            if refusals.end_round or (age is not None and age <= keep.days):
                break  # no later one is older
            if age is not None and not clip.protected:
                delete(clip, age, "it is older than --keep-days")
    if keep.nbytes is not None:
        over = growing + library.used_bytes() - keep.nbytes
        queue = _queue(library, clocks)
        while over > 0 and not refusals.end_round and (first := next(queue, None)):
            over -= first[0].nbytes
            delete(*first, "the clips were more than --keep-bytes")
    free, size = disk_space(library.folder)
    wanted = int(size * keep.free_percent / 100)
    queue = _queue(library, clocks)
    while free < wanted and not refusals.end_round and (first := next(queue, None)):
        delete(*first, "the disk was fuller than --keep-free allows")
        free = disk_space(library.folder).free
    if free < wanted:
        left = f"clips cannot be deleted ({refusals.last})" if refusals.last else "no clip is left to delete"
        return (
            f"the disk of '{library.folder}' has {free / 1e6:.0f} MB free, less than the"
            f" {keep.free_percent:g} % that --keep-free asks for, and {left}"
        )
    return ""


def _delete(
    library: Library, clip: ClipInfo, age: float, days: float | None, why: str, refusals: Refusals
) -> None:
    try:
        library.delete(clip)
    except OSError as error:
        refusals.refused(f"clip '{clip.name}'", why, error)
        return
    refusals.deleted()
    if clip.protected:
        log.error("the PROTECTED clip '%s' was deleted because %s and nothing else was left", clip.name, why)
    elif days is not None and age < days:
        log.warning(
            "clip '%s' was deleted after %.1f of its %g promised days, because %s", clip.name, age, days, why
        )
    else:
        log.info("clip '%s' was deleted because %s", clip.name, why)
