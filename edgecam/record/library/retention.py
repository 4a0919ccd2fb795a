"""What is kept: by days, by bytes, by free space. Oldest first, protected clips last, nothing silently."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from edgecam.host.boot import boot_id, uptime_s
from edgecam.host.disk import disk_space
from edgecam.record.library.catalogue import ClipInfo
from edgecam.record.library.index import Library
from edgecam.record.library.refusals import Refusals

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
    used = sum(c.nbytes for c in library.clips())
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


def ages_days(clips: Sequence[ClipInfo], clocks: Clocks) -> dict[int, float]:
    """The age of each clip by its ``id``, as far as it is certain; ``clips`` in the order of recording.

    What was recorded in this boot is as old as the boot's own clock says, and nothing of it goes by age
    within its first hour. For the rest there is only the wall clock: it counts once it has stood for an hour
    since it was last set, and no clip is older than one that was recorded before it.
    """
    found: dict[int, float] = {}
    oldest = math.inf
    for clip in clips:
        if clip.boot and clip.boot == clocks.boot and clip.boot_s is not None:
            age_s = clocks.uptime_s - clip.boot_s
            age_s = 0.0 if age_s < TRUST_S else age_s
        elif not clocks.settled or clip.started < PLAUSIBLE:
            found[clip.id] = 0.0
            continue
        else:
            age_s = max(0.0, (clocks.wall - clip.started).total_seconds())
        oldest = min(oldest, age_s)
        found[clip.id] = oldest / 86400
    return found


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
    clips = library.clips()
    ages = ages_days(clips, clocks)

    def delete(clip: ClipInfo, why: str) -> None:
        _delete(library, clip, why, keep, ages, refusals)

    if keep.days is not None:
        for clip in [c for c in clips if not c.protected and ages[c.id] > keep.days]:
            if refusals.end_round:
                break
            delete(clip, "it is older than --keep-days")
            clips.remove(clip)
    queue = [c for c in clips if not c.protected] + [c for c in clips if c.protected]
    if keep.nbytes is not None:
        used = growing + sum(c.nbytes for c in queue)
        while queue and used > keep.nbytes and not refusals.end_round:
            clip = queue.pop(0)
            used -= clip.nbytes
            delete(clip, "the clips were more than --keep-bytes")
    free, size = disk_space(library.folder)
    wanted = int(size * keep.free_percent / 100)
    while queue and free < wanted and not refusals.end_round:
        delete(queue.pop(0), "the disk was fuller than --keep-free allows")
        free = disk_space(library.folder).free
    if free < wanted:
        left = f"clips cannot be deleted ({refusals.last})" if refusals.last else "no clip is left to delete"
        return (
            f"the disk of '{library.folder}' has {free / 1e6:.0f} MB free, less than the"
            f" {keep.free_percent:g} % that --keep-free asks for, and {left}"
        )
    return ""


def _delete(
    library: Library,
    clip: ClipInfo,
    why: str,
    keep: Keep,
    ages: Mapping[int, float],
    refusals: Refusals,
) -> None:
    try:
        library.delete(clip)
    except OSError as error:
        refusals.refused(f"clip '{clip.name}'", why, error)
        return
    refusals.deleted()
    if clip.protected:
        log.error("the PROTECTED clip '%s' was deleted because %s and nothing else was left", clip.name, why)
    elif keep.days is not None and ages[clip.id] < keep.days:
        log.warning(
            "clip '%s' was deleted after %.1f of its %g promised days, because %s",
            clip.name,
            ages[clip.id],
            keep.days,
            why,
        )
    else:
        log.info("clip '%s' was deleted because %s", clip.name, why)
