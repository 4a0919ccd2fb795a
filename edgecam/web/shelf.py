"""The clips, for the page: by time and by id, without reading what is not shown. Any thread."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgecam.record.clip_files import part_path
from edgecam.record.library.catalogue import COLUMNS, ClipInfo, from_row
from edgecam.record.library.index import INDEX_NAME, Library

BUSY_S = 1.0


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

    def _rows(self, where: str, values: Sequence[object], limit: int) -> list[ClipInfo]:
        path = self.folder / INDEX_NAME
        if not path.is_file():
            return []
        db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", timeout=BUSY_S, uri=True)
        try:
            columns = ", ".join(COLUMNS)
            query = f"SELECT id, {columns} FROM clips{where} ORDER BY started DESC LIMIT ?"
            rows = db.execute(query, (*values, limit)).fetchall()
        except sqlite3.DatabaseError:
            return []
        finally:
            db.close()
        found = []
        for row in rows:
            try:
                found.append(from_row(row))
            except (ValueError, TypeError, KeyError):
                continue
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
        path = self.folder / INDEX_NAME
        if not path.is_file():
            return []
        where, values = _where(wanted)
        db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", timeout=BUSY_S, uri=True)
        try:
            columns = "CAST(started / 3600 AS INTEGER) AS h, COUNT(*)"
            query = f"SELECT {columns} FROM clips{where} GROUP BY h ORDER BY h"
            return [(int(hour), int(count)) for hour, count in db.execute(query, values).fetchall()]
        except sqlite3.DatabaseError:
            return []
        finally:
            db.close()

    def protect(self, clip: ClipInfo, protected: bool) -> None:
        """Keep it from being deleted for its age, or no longer. Raises OSError."""
        with Library(self.folder, update=False) as library:
            library.protect(clip, protected)

    def delete(self, clip: ClipInfo) -> int:
        """Delete its files; the bytes that came free. Raises OSError."""
        with Library(self.folder, update=False) as library:
            return library.delete(clip)


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
        ("EXISTS (SELECT 1 FROM json_each(labels) WHERE json_each.value = ?)", wanted.label),
        ("protected = ?", None if wanted.protected is None else int(wanted.protected)),
    ):
        if value is not None:
            parts.append(part)
            values.append(value)
    return (" WHERE " + " AND ".join(parts) if parts else ""), values
