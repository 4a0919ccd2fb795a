"""Events that wait on disk until they are delivered: in order, at least once, across a restart and a kill."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from dataclasses import dataclass
from pathlib import Path

from edgecam.core.errors import EdgecamError
from edgecam.core.sqlite import transaction

#: Waiting events, and their bytes, per destination; beyond either the oldest go, and are counted. A day of
#: ten events a minute is 14,400.
MOST_EVENTS = 20_000
MOST_BYTES = 64 * 1024 * 1024
#: Keys of delivered events that are remembered, so that none is taken twice.
MOST_REMEMBERED = 5_000

_SCHEMA = """
CREATE TABLE IF NOT EXISTS waiting (seq INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT UNIQUE NOT NULL,
  body TEXT NOT NULL, tries INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS told (seq INTEGER PRIMARY KEY, key TEXT UNIQUE NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Waiting:
    """One event that waits. tries: how often its delivery was begun before."""

    seq: int
    key: str
    body: str
    tries: int


class Outbox:
    """A queue on disk, one file. Any thread; one process.

    An event that was put stays, whatever happens to the process, until it is :meth:`done`. One with a key
    that waits, or that was delivered lately, is not taken again. Raises EdgecamError where the file cannot be
    opened; a file that is no database, or is damaged, is set aside under another name and begun anew.
    """

    def __init__(self, path: Path, most_events: int = MOST_EVENTS, most_bytes: int = MOST_BYTES) -> None:
        self.path = path
        self.dropped = 0
        self._most_events, self._most_bytes = most_events, most_bytes
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._db = self._open()
        row = self._db.execute("SELECT COUNT(*), COALESCE(SUM(LENGTH(body)), 0) FROM waiting").fetchone()
        self._count, self._bytes = int(row[0]), int(row[1])

    def _open(self) -> sqlite3.Connection:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            try:
                return self._connect()
            except sqlite3.DatabaseError:
                self.path.replace(self.path.with_name(self.path.name + ".damaged"))
                return self._connect()
        except (OSError, sqlite3.Error) as error:
            raise EdgecamError(
                f"events cannot be kept in {self.path} until they are delivered: {error}; "
                "give the state folder space and write permission"
            ) from None

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, check_same_thread=False, isolation_level=None, timeout=5.0)
        try:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=FULL")  # a power cut loses nothing that was put
            db.executescript(_SCHEMA)
        except sqlite3.Error:
            db.close()
            raise
        self.path.chmod(0o600)
        return db

    def put(self, key: str, body: str) -> bool:
        """Keep an event for delivery; False if this one waits or was delivered already."""
        with self._lock:
            with transaction(self._db):
                told = self._db.execute("SELECT 1 FROM told WHERE key = ?", (key,)).fetchone()
                if told is not None:
                    return False
                added = self._db.execute(
                    "INSERT OR IGNORE INTO waiting (key, body) VALUES (?, ?)", (key, body)
                ).rowcount
                if added <= 0:
                    return False
                count, size, dropped = self._trim(self._count + 1, self._bytes + len(body))
            # only what is on the disk counts
            self._count, self._bytes = count, size
            self.dropped += dropped
            self._changed.notify_all()
            return True

    def _trim(self, count: int, size: int) -> tuple[int, int, int]:
        """Take out the oldest that are too many: how many events and bytes are left, and how many went."""
        dropped = 0
        while count > max(1, self._most_events) or (size > self._most_bytes and count > 1):
            seq, oldest = self._db.execute(
                "SELECT seq, LENGTH(body) FROM waiting ORDER BY seq LIMIT 1"
            ).fetchone()
            self._db.execute("DELETE FROM waiting WHERE seq = ?", (seq,))
            count, size, dropped = count - 1, size - oldest, dropped + 1
        return count, size, dropped

    def first(self, timeout_s: float) -> Waiting | None:
        """The event that waits longest, or None if there is none within ``timeout_s``; counts the try."""
        with self._changed:
            if not self._count:
                self._changed.wait(timeout_s)
            row = self._db.execute(
                "SELECT seq, key, body, tries FROM waiting ORDER BY seq LIMIT 1"
            ).fetchone()
            if row is None:
                self._count = self._bytes = 0  # so that the next call waits
                return None
            with contextlib.suppress(sqlite3.Error):  # a full disk: the event goes out all the same
                self._db.execute("UPDATE waiting SET tries = tries + 1 WHERE seq = ?", (row[0],))
            return Waiting(*row)

    def done(self, waiting: Waiting) -> None:
        """It was delivered, or given up for good: the next one is first."""
        with self._lock:
            with transaction(self._db):
                gone = self._db.execute("DELETE FROM waiting WHERE seq = ?", (waiting.seq,)).rowcount
                self._db.execute("INSERT OR IGNORE INTO told VALUES (?, ?)", (waiting.seq, waiting.key))
                self._db.execute("DELETE FROM told WHERE seq <= ?", (waiting.seq - MOST_REMEMBERED,))
            if gone > 0:
                self._count -= 1
                self._bytes -= len(waiting.body)

    def wake(self) -> None:
        """End a wait in :meth:`first`."""
        with self._changed:
            self._changed.notify_all()

    def __len__(self) -> int:
        return self._count

    def close(self) -> None:
        """Close the file; what waits is there next time. Idempotent."""
        with self._lock:
            self._db.close()
