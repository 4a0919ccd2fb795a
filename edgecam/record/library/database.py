"""The file behind an index: SQLite, on a disk that may be read-only, full, or somebody else's work."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from edgecam.host.beneath import regular_size
from edgecam.record.library.catalogue import SCHEMA, VERSION
from edgecam.record.limits import BUSY_MS, ROW_BYTES

log = logging.getLogger(__name__)

INDEX_NAME = ".edgecam.sqlite"
#: What damage raises; the second, where SQLite's message holds bytes of the file.
DAMAGED = (sqlite3.DatabaseError, UnicodeDecodeError)
_SCHEMA_QUERY = "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"


def open_index(folder: Path) -> sqlite3.Connection:
    """The folder's index of clips; in memory where its file cannot be used. A damaged one is made anew."""
    return open_database(folder / INDEX_NAME, SCHEMA, VERSION, ("clips",), "clip index")


def open_database(
    path: Path, schema: str, version: int, tables: Sequence[str], what: str, busy_ms: int = BUSY_MS
) -> sqlite3.Connection:
    """As ``open_index``, of any index in a folder of clips.

    schema: sets ``version`` as its user_version; of another version ``tables`` are made anew. what: it is.
    """
    for attempt in range(2):
        db: sqlite3.Connection | None = None
        try:
            _refuse_links(path)
            db = _connect(path, busy_ms)
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            db.execute("PRAGMA wal_autocheckpoint = 32")  # else the log grows to 4 MB on small disks
            _prepare(db, schema, version, tables)
            return db
        except (*DAMAGED, OSError) as error:
            if db is not None:
                db.close()
            damaged = isinstance(error, DAMAGED) and (
                not is_storage_error(error) or _claims_readonly(path, error)
            )
            if attempt or not damaged:
                log.info("%s '%s' cannot be used (%s); working without it", what, path, error)
                break
            log.warning("%s '%s' is damaged (%s); making it anew", what, path, error)
            discard(path)
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.executescript(schema)
    return db


@contextlib.contextmanager
def read_database(path: Path, schema: str) -> Iterator[sqlite3.Connection]:
    """An index only to be read, beside whoever writes it.

    Raises sqlite3.DatabaseError, and OSError for a link or where there is none.
    """
    _refuse_links(path)
    if not path.is_file():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    with contextlib.closing(_connect(f"{path.absolute().as_uri()}?mode=ro", BUSY_MS, uri=True)) as db:
        _check_schema(db, schema)
        yield db


def discard(path: Path) -> None:
    """Delete a damaged index; what it was made from is the truth."""
    for suffix in ("", "-wal", "-shm"):
        with contextlib.suppress(OSError):
            Path(f"{path}{suffix}").unlink(missing_ok=True)


def _refuse_links(path: Path) -> None:
    """Raise OSError if the index, or one of SQLite's files beside it, is no regular file."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        with contextlib.suppress(FileNotFoundError):
            regular_size(path.parent, f"{path.name}{suffix}")


def _connect(path: Path | str, busy_ms: int, *, uri: bool = False) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=busy_ms / 1e3, isolation_level=None, uri=uri)
    if sys.version_info >= (3, 11):
        db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, ROW_BYTES)
    db.text_factory = lambda raw: raw.decode("utf-8", "replace")
    db.execute("PRAGMA trusted_schema = OFF")
    return db


def _prepare(db: sqlite3.Connection, schema: str, version: int, tables: Sequence[str]) -> None:
    """Make the tables; those of another version, or of somebody else's making, are made anew first.

    A view or a trigger under our names would run when we write: what stands in the schema has to be ours.
    """
    if db.execute("PRAGMA user_version").fetchone()[0] not in (0, version):
        for name in tables:
            db.execute(f"DROP TABLE IF EXISTS {name}")
    db.executescript(schema)
    _check_schema(db, schema)


def _check_schema(db: sqlite3.Connection, schema: str) -> None:
    if set(db.execute(_SCHEMA_QUERY)) != _made_by(schema):
        raise sqlite3.DatabaseError("its tables are not ours")


@lru_cache(maxsize=4)
def _made_by(schema: str) -> set[tuple[str, ...]]:
    with contextlib.closing(sqlite3.connect(":memory:")) as db:
        db.executescript(schema)
        return set(db.execute(_SCHEMA_QUERY))


def is_storage_error(error: Exception) -> bool:
    """Whether the disk or another program is to blame (locked, read-only, full), and not the content."""
    return isinstance(error, sqlite3.OperationalError) and not any(
        words in str(error)
        for words in ("malformed", "no such", "syntax", "already", "incomplete", "unsupported file format")
    )


def _claims_readonly(path: Path, error: Exception) -> bool:
    """Whether only the file's own header says that it may not be written (a higher version for writers)."""
    return "readonly" in str(error) and os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


def is_in_memory(db: sqlite3.Connection) -> bool:
    """Whether the index is in memory only, because its file could not be used."""
    return not db.execute("PRAGMA database_list").fetchone()[2]
