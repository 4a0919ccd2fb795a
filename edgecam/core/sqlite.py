"""What every SQLite database of edgecam needs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3


@contextmanager
def transaction(database: sqlite3.Connection) -> Iterator[None]:
    """A transaction: all of the block or nothing. Another writer waits; an error undoes what was done.

    database: in autocommit mode (``isolation_level=None``).
    """
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:  # a full disk may have ended it already
            database.execute("ROLLBACK")
        raise
