"""Which events are kept: for as long as clips are to be kept, day by day, with their pictures."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path

from edgecam.host.disk import disk_space
from edgecam.record.library.catalogue import ClipInfo
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
    folder: Path,
    keep: Keep,
    clips: Sequence[ClipInfo],
    now: datetime | None = None,
    *,
    settled: bool = True,
    refusals: Refusals | None = None,
) -> int:
    """Delete days of events that have to go; how many days went.

    clips: those that are left. A day goes once it is older than ``keep.days``; where bytes or free space are
    short, once no clip is left of it or of a day before. The day of a protected clip stays, and today.
    settled: whether the clock may be believed; nothing goes for its age while it may not. refusals: those of
    the rounds before, so that what lasts is told once.
    """
    refusals = refusals or Refusals("days of events")
    now = now or datetime.now(timezone.utc)
    protected = {c.started.date() for c in clips if c.protected}
    oldest = min((c.started.date() for c in clips if not c.protected), default=now.date())
    short = False
    if keep.nbytes is not None:
        short = sum(c.nbytes for c in clips) + event_bytes(folder) > keep.nbytes
    if not short and keep.free_percent:
        free, size = disk_space(folder)
        short = free < size * keep.free_percent / 100
    gone = 0
    with refusals.round():
        for path in day_files(folder):
            day = day_of(path)
            if refusals.end_round:
                break
            if day < PLAUSIBLE or day.date() in protected or day.date() >= now.date():
                continue
            too_old = (
                settled
                and keep.days is not None
                and now - (day + timedelta(days=1)) > timedelta(days=keep.days)
            )
            if too_old or (short and day.date() < oldest):
                gone += _delete_day(path, day, "--keep-days" if too_old else "the disk's room", refusals)
    return gone


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
