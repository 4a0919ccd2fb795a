"""The index of a library's events: SQLite, made from the day files, so that a year of them lists at once."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgecam.core.events import Event, event_key
from edgecam.core.naming import short
from edgecam.core.sqlite import transaction
from edgecam.host.beneath import regular_size
from edgecam.record.library.catalogue import ClipInfo
from edgecam.record.library.database import DAMAGED, discard, is_storage_error, open_database
from edgecam.record.library.journal import FOLDER, believed, day_files, event_folder, read_lines
from edgecam.record.limits import EVENTS_BUSY_MS

log = logging.getLogger(__name__)

INDEX_NAME = ".edgecam-events.sqlite"
VERSION = 1
SCHEMA = """
CREATE TABLE IF NOT EXISTS files (name TEXT PRIMARY KEY, done INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS moments (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  file TEXT NOT NULL,
  at INTEGER NOT NULL,
  key TEXT NOT NULL,
  id TEXT NOT NULL,
  line TEXT NOT NULL,
  UNIQUE (file, at)
);
CREATE INDEX IF NOT EXISTS moments_key ON moments (key);
CREATE INDEX IF NOT EXISTS moments_id ON moments (id);
CREATE TABLE IF NOT EXISTS events (
  id TEXT PRIMARY KEY,
  file TEXT NOT NULL,
  kind TEXT NOT NULL,
  camera TEXT NOT NULL,
  label TEXT,
  rule TEXT NOT NULL,
  zones TEXT NOT NULL,
  start REAL NOT NULL,
  end REAL,
  line TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS events_start ON events (start);
PRAGMA user_version = 1;
"""


@dataclass(frozen=True, slots=True)
class EventFilter:
    """What is asked for; None: anything. since, until: seconds since 1970: what lasted in between.

    rule: its name; "" for what no rule told. zone: where it was, or the line it crossed.
    """

    since: float | None = None
    until: float | None = None
    camera: str | None = None
    label: str | None = None
    zone: str | None = None
    rule: str | None = None
    kind: str | None = None

    def where(self) -> tuple[str, list[Any]]:
        """The filter as SQL."""
        parts, values = ["1"], list[Any]()
        for name, column in (("label", "label"), ("rule", "rule"), ("kind", "kind")):
            value = getattr(self, name)
            if value is not None:
                parts.append(f"{column} = ?")
                values.append(value)
        if self.camera is not None:
            parts.append("(camera = ? OR rtrim(camera, ':') = ?)")
            values += [self.camera, self.camera]
        if self.zone is not None:
            parts.append("instr(zones, ?) > 0")
            values.append(f"|{self.zone}|")
        if self.since is not None:
            parts.append("(end IS NULL OR end >= ?) AND start >= ? - 86400")
            values += [self.since, self.since]
        if self.until is not None:
            parts.append("start < ?")
            values.append(self.until)
        return " AND ".join(parts), values

    def lets_by(self, event: Event) -> bool:
        """Whether one event passes the filter."""
        end = event.end_time if event.end_time is not None else event.time
        areas = (*event.zones, *event.entered_zones, event.line)
        return (
            (self.since is None or end >= self.since)
            and (self.until is None or event.start_time < self.until)
            and self.camera in (None, event.camera, event.camera.rstrip(":"))
            and self.label in (None, event.label)
            and (self.zone is None or self.zone in areas)
            and self.rule in (None, event.rule)
            and self.kind in (None, event.kind)
        )


class EventStore:
    """Events of a folder of clips. Use from the thread that made it; close it.

    What cannot be read costs itself only; a damaged index, or one that cannot be written, is made anew.
    """

    def __init__(self, folder: Path, *, update: bool = True) -> None:
        self.folder = folder
        self._db = self._open()
        if update:
            self.update()

    def _open(self) -> sqlite3.Connection:
        try:
            path = event_folder(self.folder) / INDEX_NAME
        except OSError as error:
            log.info("events in '%s' are not looked at: %s", self.folder, error)
            path = Path(":memory:")
        tables = ("files", "moments", "events")
        return open_database(path, SCHEMA, VERSION, tables, "event index", EVENTS_BUSY_MS)

    def _rows(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows of a query. A damaged index is made anew, once."""
        try:
            return self._db.execute(query, values).fetchall()
        except DAMAGED as error:
            self._make_anew(error)
            return self._db.execute(query, values).fetchall()

    def _make_anew(self, error: Exception) -> None:
        """Raises the error if another program or the disk is to blame for it."""
        if is_storage_error(error):
            raise error
        log.warning("event index in '%s' is damaged (%s); making it anew", self.folder, error)
        self._db.close()
        discard(self.folder / FOLDER / INDEX_NAME)
        self._db = self._open()
        self._update()

    def close(self) -> None:
        """Let go of the index. Idempotent."""
        self._db.close()

    def __enter__(self) -> EventStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def update(self) -> int:
        """Make the index agree with the files; how many moments were new."""
        try:
            return self._update()
        except DAMAGED as error:
            self._make_anew(error)
            return 0

    def _update(self) -> int:
        files = {path.name: path for path in day_files(self.folder)}
        fresh = 0
        with transaction(self._db):
            done: dict[str, int] = dict(self._db.execute("SELECT name, done FROM files"))
            for name in done.keys() - files.keys():
                for table in ("moments", "events"):
                    self._db.execute(f"DELETE FROM {table} WHERE file = ?", (name,))
                self._db.execute("DELETE FROM files WHERE name = ?", (name,))
            for name, path in files.items():
                fresh += self._enter(name, path, done.get(name, 0))
        return fresh

    def _enter(self, name: str, path: Path, start: int) -> int:
        count, end = 0, start
        try:
            size = regular_size(path.parent, path.name)
            if size < start:  # replaced by a shorter one
                for table in ("moments", "events"):
                    self._db.execute(f"DELETE FROM {table} WHERE file = ?", (name,))
                start = end = 0
            if size == start:
                return 0
            for at, after, event in read_lines(path, start):
                self._put(name, at, event)
                count, end = count + 1, after
        except OSError as error:
            log.info("events of '%s' cannot be read now: %s", path, error)
        self._db.execute("INSERT OR REPLACE INTO files VALUES (?, ?)", (name, end))
        return count

    def _put(self, file: str, at: int, event: Event) -> None:
        line = event.to_json()
        self._db.execute(
            "INSERT OR IGNORE INTO moments (file, at, key, id, line) VALUES (?, ?, ?, ?, ?)",
            (file, at, event_key(event), event.id, line),
        )
        areas = dict.fromkeys((*event.zones, *event.entered_zones, *((event.line,) if event.line else ())))
        self._db.execute(
            "INSERT OR REPLACE INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                event.id, file, event.kind, event.camera, event.label, event.rule,
                f"|{'|'.join(areas)}|", event.start_time, event.end_time, line,
            ),
        )  # fmt: skip

    def events(self, wanted: EventFilter | None = None, *, newest: int | None = None) -> list[Event]:
        """Events in the order of their beginnings, each as last told. newest: only the last so many."""
        where, values = (wanted or EventFilter()).where()
        limit = "" if newest is None else f" LIMIT {int(newest)}"
        rows = self._rows(
            f"SELECT line FROM events WHERE {where} ORDER BY start DESC, id DESC{limit}", values
        )
        return list(_read(rows))[::-1]

    def find(self, name: str) -> Event | None:
        """The event of an id, or of the letters at its end."""
        query = "SELECT line FROM events WHERE id = ? OR id LIKE ? ORDER BY start DESC LIMIT 1"
        return next(_read(self._rows(query, (name, f"%-{name}"))), None)

    def moments(self, event_id: str) -> list[Event]:
        """All that was told of one event, in order."""
        return list(_read(self._rows("SELECT line FROM moments WHERE id = ? ORDER BY seq", (event_id,))))

    def newest(self) -> Iterator[tuple[str, Event]]:
        """(key, event) of the moment that was told last, if there is one."""
        rows = self._rows("SELECT line FROM moments ORDER BY seq DESC LIMIT 1")
        return ((event_key(event), event) for event in _read(rows))

    def since(self, key: str | None, limit: int = 1000) -> Iterator[tuple[str, Event]]:
        """(key, event) of the moments told after that of ``key``, in order.

        key: see :func:`edgecam.core.events.event_key`. None gives all there are, as does one that is not
        known (it was deleted). For those who deliver: remember the key of the last delivered one.
        """
        row = None
        if key is not None:
            (row,) = self._rows("SELECT max(seq) FROM moments WHERE key = ?", (key,))
        after = 0 if row is None or row[0] is None else int(row[0])
        rows = self._rows("SELECT line FROM moments WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit))
        return ((event_key(event), event) for event in _read(rows))


def _read(rows: Iterable[tuple[Any, ...]]) -> Iterator[Event]:
    """Each row's event; a line that is none costs itself."""
    for (line,) in rows:
        try:
            yield believed(Event.from_json(line))
        except (ValueError, TypeError) as error:
            log.debug("no event in the index: %s", error)


#: A clip's length ends with the beginning of its last frame, an event may begin within that frame.
CLIP_SLACK_S = 0.5


def placed(events: Sequence[Event], clips: Sequence[ClipInfo]) -> list[Event]:
    """The events with their clip and second in it, for those whose clip was not known when they were told, or
    that were told while the recorder was still on the clip before.

    An event whose clip is gone has none.
    """
    by_name = {clip.name: clip for clip in clips}
    found = []
    for event in events:
        known = by_name.get(event.clip or "")
        if known is not None and (event.clip_s or 0.0) <= known.duration_s + CLIP_SLACK_S:
            found.append(event)
            continue
        end = event.end_time if event.end_time is not None else event.time
        clip = next(
            (
                c
                for c in clips
                if c.camera in (event.camera, short(event.camera))
                and c.started.timestamp() <= end
                and event.start_time <= c.started.timestamp() + c.duration_s
            ),
            None,
        )
        at_s = None if clip is None else round(max(0.0, event.start_time - clip.started.timestamp()), 2)
        found.append(replace(event, clip=None if clip is None else clip.name, clip_s=at_s))
    return found
