"""Which events are kept: for as long as clips are to be kept, day by day, with their pictures."""

from __future__ import annotations

import contextlib
import logging
import os
from datetime import datetime, timedelta, timezone
from pathlib import Path

from edgecam.host.disk import disk_space
from edgecam.record.library.index import Library
from edgecam.record.library.journal import PICTURE, day_files, day_of, event_folder
from edgecam.record.library.refusals import Refusals
from edgecam.record.library.retention import PLAUSIBLE, Keep

log = logging.getLogger(__name__)


def event_bytes(folder: Path) -> int:
    """What events and their pictures take of a library's disk."""
    total = 0
    with contextlib.suppress(OSError):
        for entry in os.scandir(event_folder(folder)):
            with contextlib.suppress(OSError):
                total += entry.stat(follow_symlinks=False).st_size
    return total


def retain_events(
    library: Library,
    keep: Keep,
    now: datetime | None = None,
    *,
    settled: bool = True,
    held: int | None = None,
    refusals: Refusals | None = None,
) -> int:
    """Delete days of events that have to go; how many days went.

    A day goes once it is older than ``keep.days``; where bytes or free space are short, once no clip is left
    of it or of a day before. The day of a protected clip stays, and today. settled: whether the clock may be
    believed; nothing goes for its age while it may not. held: :func:`event_bytes`, where they are known.
    refusals: those of the rounds before, so that what lasts is told once.
    """
    now = now or datetime.now(timezone.utc)
    refusals = refusals or Refusals("days of events")
    days = [(path, day_of(path)) for path in day_files(library.folder)]
    days = [(path, day) for path, day in days if day >= PLAUSIBLE and day.date() < now.date()]
    if not days:
        return 0
    going = dict[Path, str]()
    if _is_short(library, keep, held):
        oldest = library.oldest_day() or now.date()
        going = {path: "the disk's room" for path, day in days if day.date() < oldest}
    if settled and keep.days is not None:
        longest = timedelta(days=1 + keep.days)
        going |= {path: "--keep-days" for path, day in days if now - day > longest}
    protected = library.protected_days() if going else set()
    gone = 0
    with refusals.round():
        for path, day in days:
            if path in going and day.date() not in protected and not refusals.end_round:
                gone += _delete_day(path, day, going[path], refusals)
    return gone


def _is_short(library: Library, keep: Keep, held: int | None) -> bool:
    """Whether bytes or free space are still short."""
    if keep.nbytes is not None:
        held = event_bytes(library.folder) if held is None else held
        if library.used_bytes() + held > keep.nbytes:
            return True
    free, size = disk_space(library.folder)
    return free < size * keep.free_percent / 100


def _delete_day(path: Path, day: datetime, why: str, refusals: Refusals) -> int:
    begin, end = day.timestamp(), (day + timedelta(days=1)).timestamp()
    try:
        for entry in list(os.scandir(path.parent)):
            if PICTURE.fullmatch(entry.name) and begin <= float(entry.name.partition("-")[0]) < end:
                Path(entry.path).unlink(missing_ok=True)
        path.unlink()
    except OSError as error:
        refusals.refused(f"the events of {path.stem}", f"of {why}", error)
        return 0
    refusals.deleted()
    log.info("the events of %s were deleted because of %s", path.stem, why)
    return 1
