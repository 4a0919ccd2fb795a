"""Events on the disk: one file of JSON lines a day, only ever appended to, and the pictures beside it.

The files are the truth (:class:`edgecam.record.library.events.EventStore` is an index of them). A line is one
write; what a crash cut short is passed over by every reader.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import re
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from itertools import islice
from pathlib import Path
from typing import Any

from edgecam.core.errors import RecordError
from edgecam.core.events import MOST_BYTES, Event
from edgecam.core.units import number_within
from edgecam.host.beneath import is_plain_name, open_beneath, regular_size, write_new
from edgecam.record.clip_files import lock, names, sync_folder
from edgecam.record.limits import DAY_BYTES, DAYS, LATEST_S, RULES_BYTES

log = logging.getLogger(__name__)

#: Beside the clips.
FOLDER = "events"
RULES_NAME = "rules.jsonl"
DAY_FILE = re.compile(r"(\d{4}-\d{2}-\d{2})(-\d+)?\.jsonl")
PICTURE = re.compile(r"\d+\.\d{6}-[0-9a-z]{6}\.jpg")
#: Bytes of a picture: one of 8K has some 10 MB at this quality.
MOST_PICTURE = 16 * 1024 * 1024
_ID = re.compile(r"[A-Za-z0-9._-]{1,100}")
#: Seconds in a clip or a zone, and pixels, that are believed.
_MOST = 1e9
#: An event is forced onto the disk at once, but not more often than this.
SYNC_EVERY_S = 0.5


def event_folder(folder: Path) -> Path:
    """The library's folder of events. Raises OSError (ELOOP) for a link, which leads elsewhere."""
    place = folder / FOLDER
    if place.is_symlink():
        raise OSError(errno.ELOOP, "it is a link", str(place))
    return place


def day_files(folder: Path) -> list[Path]:
    """The event files of a library's folder, oldest first: regular files, each of a day that there is."""
    found = []
    with contextlib.suppress(OSError):
        paths = (path for path in event_folder(folder).iterdir() if DAY_FILE.fullmatch(path.name))
        for path in islice(paths, DAYS):
            with contextlib.suppress(OSError, ValueError):
                day_of(path)
                regular_size(path.parent, path.name)
                found.append(path)
    return sorted(found)


def day_of(path: Path) -> datetime:
    """The beginning of the day (UTC) that a file is for. Raises ValueError."""
    return datetime.strptime(path.name[:10], "%Y-%m-%d").replace(tzinfo=timezone.utc)


def believed(event: Event) -> Event:
    """An event that somebody else may have written. ValueError for what leads to other files, or nowhere."""
    if not _ID.fullmatch(event.id):  # it becomes a part of file names, topics and addresses
        raise ValueError(f"its id is {event.id!r}")
    for name in (event.clip, event.snapshot):
        if name is not None and not is_plain_name(name):
            raise ValueError(f"its file is {name!r}")
    times = [event.time, event.start_time, *(() if event.end_time is None else (event.end_time,))]
    if any(number_within(value, 0.0, LATEST_S) is None for value in times):
        raise ValueError(f"its times are {times}")
    lengths = (event.clip_s or 0.0, event.dwell_s or 0.0, *(event.box or ()), *(event.box_norm or ()))
    if any(number_within(value, -_MOST, _MOST) is None for value in lengths):
        raise ValueError(f"its seconds or its box are {lengths}")
    return event


def read_lines(path: Path, start: int = 0) -> Iterator[tuple[int, int, Event]]:
    """(offset, offset of the next, event) of each whole line from ``start`` on; others are passed over.

    Raises OSError.
    """
    with os.fdopen(open_beneath(path.parent, path.name), "rb") as file:
        file.seek(start)
        at = start
        while at < DAY_BYTES and (line := file.readline(MOST_BYTES + 1)):
            after = at + len(line)
            if not line.endswith(b"\n") and len(line) <= MOST_BYTES:
                return  # it is being written, or a crash cut it short
            if line.strip():
                try:
                    yield at, after, believed(Event.from_json(line))
                except ValueError as error:
                    log.debug("%s, byte %d: %s", path, at, error)
            at = after


class EventJournal:
    """An :class:`edgecam.core.ports.EventSink` that appends each event to the file of its day. One thread.

    folder: the library's; the files are in ``events`` in it. A disk that refuses costs events, which are
    counted and told once, never the program.
    """

    def __init__(self, folder: Path) -> None:
        self.library = folder
        self.folder = folder / FOLDER
        self.lost = 0
        self._day = ""
        self._fd = -1
        self._synced_s = 0.0
        self._refused = False

    def open(self) -> None:
        """Make the folder. Raises RecordError."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RecordError(
                f"events cannot be kept in '{self.folder}': {error.strerror}; record into another folder"
            ) from error

    def write(self, event: Event) -> None:
        """Append it, and force it onto the disk."""
        try:
            self._append(event)
        except OSError as error:
            self.lost += 1
            if not self._refused:
                log.error(
                    "events cannot be written to '%s': %s; they are being lost", self.folder, error.strerror
                )
            self._refused = True
        else:
            if self._refused:
                log.warning("events are written again; %d were lost", self.lost)
            self._refused = False

    def _append(self, event: Event) -> None:
        day = datetime.fromtimestamp(event.time, timezone.utc).strftime("%Y-%m-%d")
        if day != self._day or self._fd < 0:
            self._begin(day)
        line = event.to_json().encode("ascii") + b"\n"
        size = os.fstat(self._fd).st_size
        if os.write(self._fd, line) != len(line):
            os.ftruncate(self._fd, size)  # half a line would spoil the next one
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        now_s = time.monotonic()
        if now_s - self._synced_s >= SYNC_EVERY_S:
            self._synced_s = now_s
            os.fdatasync(self._fd)

    def _begin(self, day: str) -> None:
        self._end()
        place = event_folder(self.library)
        for name in names(day):
            try:
                fd = open_beneath(place, f"{name}.jsonl", os.O_RDWR | os.O_CREAT | os.O_APPEND)
            except OSError as error:
                if error.errno in (errno.ELOOP, errno.EINVAL, errno.ENXIO):  # no file: somebody else's work
                    continue
                raise
            if not lock(fd):  # another instance writes it
                os.close(fd)
                continue
            size = os.fstat(fd).st_size
            if size and os.pread(fd, 1, size - 1) != b"\n":
                os.write(fd, b"\n")  # after what a crash cut short
            self._fd, self._day = fd, day
            sync_folder(self.folder)
            return

    def _end(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            with contextlib.suppress(OSError):
                os.fdatasync(fd)
            os.close(fd)

    def close(self) -> None:
        """Force everything onto the disk. Idempotent."""
        self._end()


def keep_picture(folder: Path, name: str, jpeg: bytes) -> bool:
    """Write an event's picture beside its library's events; False if the disk refuses. ``name``: a file's."""
    final = folder / FOLDER / Path(name).name
    part = final.with_name(f".{final.name}.part")
    try:
        event_folder(folder)
        write_new(part, jpeg)
        part.replace(final)
    except OSError as error:
        log.info("picture '%s' is not kept: %s", final, error)
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        return False
    return True


def load_picture(folder: Path, name: str) -> bytes | None:
    """An event's picture that was kept; None if it is gone, too large for one, or no file of ours."""
    try:
        fd = open_beneath(event_folder(folder), name)
    except OSError:
        return None
    with os.fdopen(fd, "rb") as file:
        data = file.read(MOST_PICTURE + 1)
    return data if 0 < len(data) <= MOST_PICTURE else None


def keep_rules(folder: Path, at_s: float, rules: object) -> None:
    """Store the rules (a JSON object) that hold from ``at_s`` (wall time) on. Raises OSError."""
    place = event_folder(folder)
    last = _last_line(folder)
    if last is not None and last.get("rules") == rules:
        return
    line = json.dumps({"v": 1, "time": at_s, "rules": rules}).encode("ascii") + b"\n"
    with os.fdopen(open_beneath(place, RULES_NAME, os.O_WRONLY | os.O_CREAT | os.O_APPEND), "ab") as file:
        file.write(line)
        file.flush()
        os.fdatasync(file.fileno())


def rules_at(folder: Path, at_s: float) -> object | None:
    """The stored rules that held at ``at_s`` (wall time); None if that is not known."""
    found = None
    for row in _lines(folder):
        time_s = number_within(row.get("time"), 0.0, at_s)
        if time_s is not None:
            found = row.get("rules")
    return found


def _last_line(folder: Path) -> dict[str, Any] | None:
    row = None
    for row in _lines(folder):  # noqa: B007
        pass
    return row


def _lines(folder: Path) -> Iterator[dict[str, Any]]:
    """The stored sets of rules, oldest first; lines that are no JSON object are skipped."""
    with (
        contextlib.suppress(OSError),
        os.fdopen(open_beneath(event_folder(folder), RULES_NAME), "rb") as file,
    ):
        while file.tell() < RULES_BYTES and (line := file.readline(MOST_BYTES * 4)):
            with contextlib.suppress(ValueError, RecursionError):
                row = json.loads(line)
                if isinstance(row, dict):
                    yield row
