"""Events for the page: those of the library's index, or, where nothing is recorded, the newest in memory."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from edgecam.core.events import Event
from edgecam.record.library.database import read_database
from edgecam.record.library.events import INDEX_NAME, SCHEMA, EventFilter, EventStore
from edgecam.record.library.journal import FOLDER, event_folder

#: Without a library so many events are remembered, of two kilobytes each; with one, those of the last moment.
REMEMBERED, RECENT = 500, 50
#: The index is compared with the day files at most this often.
UPDATE_EVERY_S = 1.0


class EventShelf:
    """An :class:`edgecam.core.ports.EventSink` that tells the page, and the page's view of all events.

    folder: the library's; None where nothing is recorded. tell: hears every event. Any thread.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.tell: Callable[[Event], None] = lambda _: None
        self._lock = threading.Lock()
        self._recent: OrderedDict[str, Event] = OrderedDict()
        self._due_s = 0.0

    # -- the sink

    def open(self) -> None:
        """Nothing to open."""

    def write(self, event: Event) -> None:
        """Take in one change of an event, and tell the page."""
        with self._lock:
            self._recent[event.id] = event
            while len(self._recent) > (REMEMBERED if self.folder is None else RECENT):
                self._recent.popitem(last=False)
        self.tell(event)

    def close(self) -> None:
        """Nothing is held back."""

    # -- the page's view

    def warm(self) -> None:
        """Bring the index up to date, so that the first page need not wait for it."""
        if self.folder is not None and (self.folder / FOLDER).is_dir():
            with self._store():
                pass

    def page(self, wanted: EventFilter, limit: int) -> list[Event]:
        """The newest that fit, newest first."""
        if self.folder is None:
            with self._lock:
                known = list(self._recent.values())
            fitting = [e for e in known if _fits(e, wanted)]
            return sorted(fitting, key=lambda e: (e.start_time, e.id), reverse=True)[:limit]
        if not (self.folder / FOLDER).is_dir():
            return []
        with self._store() as store:
            return store.events(wanted, newest=limit)[::-1]

    def find(self, event_id: str) -> Event | None:
        """The event of that id; a page asks at once for one that it was told of, before the index has it."""
        with self._lock:
            recent = self._recent.get(event_id)
        if self.folder is None or not (self.folder / FOLDER).is_dir():
            return recent
        with self._store() as store:
            found = store.find(event_id)
            return found if found is not None and found.id == event_id else recent

    def hours(self, wanted: EventFilter) -> list[tuple[int, int]]:
        """(hours since 1970, events) of each hour in which some began, oldest first."""
        counts: dict[int, int] = {}
        if self.folder is None:
            for event in self.page(wanted, REMEMBERED):
                hour = int(event.start_time // 3600)
                counts[hour] = counts.get(hour, 0) + 1
            return sorted(counts.items())
        where, values = wanted.where()
        query = f"SELECT CAST(start / 3600 AS INTEGER) AS h, COUNT(*) FROM events WHERE {where} GROUP BY h"
        try:
            with read_database(event_folder(self.folder) / INDEX_NAME, SCHEMA) as db:
                return sorted((int(hour), int(count)) for hour, count in db.execute(query, values).fetchall())
        except (sqlite3.DatabaseError, OSError):
            return []

    def _store(self) -> EventStore:
        assert self.folder is not None
        with self._lock:
            now = time.monotonic()
            update = now >= self._due_s
            if update:
                self._due_s = now + UPDATE_EVERY_S
        return EventStore(self.folder, update=update)


def _fits(event: Event, wanted: EventFilter) -> bool:
    end = event.end_time
    areas = (*event.zones, *event.entered_zones, event.line)
    return (
        (wanted.camera is None or event.camera == wanted.camera)
        and (wanted.label is None or event.label == wanted.label)
        and (wanted.kind is None or event.kind == wanted.kind)
        and (wanted.rule is None or event.rule == wanted.rule)
        and (wanted.zone is None or wanted.zone in areas)
        and (wanted.since is None or end is None or end >= wanted.since)
        and (wanted.until is None or event.start_time < wanted.until)
    )
