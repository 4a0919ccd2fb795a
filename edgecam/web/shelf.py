"""The clips, for the page: by time and by id, without reading what is not shown. Any thread."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgecam.record.clip_files import part_path
from edgecam.record.library.catalogue import COLUMNS, SCHEMA, ClipInfo, from_row, thinned
from edgecam.record.library.database import INDEX_NAME, read_database

if TYPE_CHECKING:
    from edgecam.record.library.index import Library


@dataclass(frozen=True, slots=True)
class Filter:
    """What is asked for; None asks for all. Times are seconds since 1970."""

    before: float | None = None
    after: float | None = None
    camera: str | None = None
    label: str | None = None
    protected: bool | None = None


class Shelf:
    """A folder of clips that a recorder fills; its index is only read, but for protecting and deleting."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._index = folder / INDEX_NAME

    def _rows(self, where: str, values: Sequence[object], limit: int) -> list[ClipInfo]:
        query = f"SELECT id, {', '.join(COLUMNS)} FROM clips{where} ORDER BY started DESC"
        found = []
        with suppress(sqlite3.DatabaseError, OSError), read_database(self._index, SCHEMA) as db:
            for row in thinned(db.execute(query, values)):
                with suppress(ValueError):  # a row that is not ours takes nobody's place
                    found.append(from_row(row))
                if len(found) == limit:
                    break
        return found

    def page(self, wanted: Filter, limit: int) -> list[ClipInfo]:
        """The newest ones that fit, newest first."""
        parts, values = _where(wanted)
        return self._rows(parts, values, limit)

    def find(self, clip_id: str) -> ClipInfo | None:
        """The clip whose file is called so, without its ending."""
        names = [f"{clip_id}{suffix}" for suffix in (".mp4", ".mkv", ".mov", ".m4v")]
        marks = ", ".join("?" for _ in names)
        found = self._rows(f" WHERE name IN ({marks})", names, 1)
        return found[0] if found else None

    def hours(self, wanted: Filter) -> list[tuple[int, int]]:
        """(hours since 1970, clips) of each hour that has some, oldest first."""
        where, values = _where(wanted)
        columns = "CAST(started / 3600 AS INTEGER) AS h, COUNT(*)"
        query = f"SELECT {columns} FROM clips{where} GROUP BY h ORDER BY h"
        try:
            with read_database(self._index, SCHEMA) as db:
                return [(int(hour), int(count)) for hour, count in db.execute(query, values).fetchall()]
        except (sqlite3.DatabaseError, OSError):
            return []

    def protect(self, clip: ClipInfo, protected: bool) -> None:
        """Keep it from being deleted for its age, or no longer. Raises OSError."""
        with _library(self.folder) as library:
            library.protect(clip, protected)

    def delete(self, clip: ClipInfo) -> int:
        """Delete its files; the bytes that came free. Raises OSError."""
        with _library(self.folder) as library:
            return library.delete(clip)


def _library(folder: Path) -> Library:
    from edgecam.record.library.index import (
        Library,  # here: it brings PyAV, which reading the rows does not need
    )

    return Library(folder, update=False)


def growing(path: Path) -> tuple[Path, str]:
    """Folder and hidden name of the clip that is being written to ``path``."""
    part = part_path(path)
    return part.parent, part.name


def _where(wanted: Filter) -> tuple[str, list[object]]:
    parts: list[str] = []
    values: list[object] = []
    for part, value in (
        ("started < ?", wanted.before),
        ("started + duration_s >= ?", wanted.after),
        ("camera = ?", wanted.camera),
        (
            "CASE WHEN json_valid(labels) THEN"  # one row that is none would spoil the whole list
            " EXISTS (SELECT 1 FROM json_each(labels) WHERE json_each.value = ?) ELSE 0 END",
            wanted.label,
        ),
        ("protected = ?", None if wanted.protected is None else int(wanted.protected)),
    ):
        if value is not None:
            parts.append(part)
            values.append(value)
    return (" WHERE " + " AND ".join(parts) if parts else ""), values
