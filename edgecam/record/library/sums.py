"""What the index says of all clips together: worked out by SQLite, so that no row has to be read for it."""

from __future__ import annotations

import sqlite3
from datetime import date, datetime, timezone

from edgecam.core.units import number_within
from edgecam.record.limits import LATEST_S

DAY_S = 86400
#: The wall clock is corrected by less than this between two looks without being set.
JUMP_S = 30.0
#: Dates that we write; rows may be somebody else's work.
_DATED = f"typeof(started) = 'real' AND started BETWEEN 0 AND {LATEST_S}"


def used_bytes(db: sqlite3.Connection) -> int:
    """Bytes of all clips."""
    query = "SELECT TOTAL(bytes) FROM clips WHERE typeof(bytes) = 'integer'"
    return int(db.execute(query).fetchone()[0])


def bytes_per_day(db: sqlite3.Connection) -> float | None:
    """What recording wrote per day over the last week; None before there is an hour to judge by."""
    query = f"SELECT started, duration_s FROM clips WHERE {_DATED} ORDER BY started DESC LIMIT 1"
    row = db.execute(query).fetchone()
    if row is None:
        return None
    newest = row[0] + (number_within(row[1], 0, 1e9) or 0.0)
    first, nbytes = db.execute(
        f"SELECT MIN(started), TOTAL(bytes) FROM clips WHERE {_DATED} AND started >= ?",
        (newest - 7 * DAY_S,),
    ).fetchone()
    if first is None or newest - first < 3600:
        return None
    return float(nbytes / (newest - first) * DAY_S)


def begun_before(
    db: sqlite3.Connection, boot: str, boot_s: float, wall_s: tuple[float, float] | None
) -> bool:
    """Whether a clip without protection was begun by ``boot_s`` of ``boot``, or in another one by date.

    wall_s: the seconds of the epoch, from and to, of that date; None if no date is believed.
    """
    low_s, high_s = wall_s or (0.0, -1.0)
    query = (
        "SELECT EXISTS (SELECT 1 FROM clips WHERE protected = 0 AND CASE"
        " WHEN boot <> '' AND boot = ? AND boot_s IS NOT NULL THEN boot_s <= ?"
        " ELSE started BETWEEN ? AND ? END)"
    )
    return bool(db.execute(query, (boot, boot_s, low_s, high_s)).fetchone()[0])


def protected_days(db: sqlite3.Connection) -> set[date]:
    """The days (UTC) of protected clips."""
    query = f"SELECT DISTINCT CAST(started / {DAY_S} AS INTEGER) FROM clips WHERE protected <> 0 AND {_DATED}"
    return {_date(day * DAY_S) for (day,) in db.execute(query)}


def oldest_day(db: sqlite3.Connection) -> date | None:
    """The day (UTC) of the oldest clip without protection."""
    (first,) = db.execute(f"SELECT MIN(started) FROM clips WHERE protected = 0 AND {_DATED}").fetchone()
    return None if first is None else _date(first)


def clock_jumped_s(db: sqlite3.Connection, boot: str, wall_s: float, uptime_s: float) -> float | None:
    """Note both clocks; the uptime at which the wall clock was last seen to have been set in this boot.

    None if it was not. Kept in the index, so that a program that starts again knows it too.
    """
    ahead_s = wall_s - uptime_s
    row = db.execute("SELECT ahead_s, jumped_s FROM clock WHERE boot = ?", (boot,)).fetchone()
    jumped_s = None if row is None else number_within(row[1], 0, uptime_s)
    before_s = None if row is None else number_within(row[0], -1e12, 1e12)
    if before_s is not None and abs(ahead_s - before_s) > JUMP_S:
        jumped_s = uptime_s
    elif before_s is not None and row is not None and row[1] == jumped_s:
        return jumped_s  # nothing new: no write
    db.execute("DELETE FROM clock WHERE boot <> ?", (boot,))
    db.execute("INSERT OR REPLACE INTO clock VALUES (?, ?, ?)", (boot, ahead_s, jumped_s))
    return jumped_s


def _date(epoch_s: float) -> date:
    return datetime.fromtimestamp(epoch_s, timezone.utc).date()
