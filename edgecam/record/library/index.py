"""The index of a folder of clips: SQLite, so that ten thousand clips list at once; rebuilt from the files.

The files are the truth. The index is a convenience: it is brought up to date whenever a library is opened,
and where it cannot be written (a read-only disk) or is damaged, it is made anew, in memory if need be.
"""

from __future__ import annotations

import contextlib
import json
import logging
import sqlite3
from collections.abc import Iterable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from edgecam.record.clip import ClipSummary
from edgecam.record.library.catalogue import COLUMNS, SCHEMA, VERSION, ClipInfo, from_row, group_files
from edgecam.record.library.inspection import describe

log = logging.getLogger(__name__)

INDEX_NAME = ".edgecam.sqlite"
#: Another instance may be writing; its transactions take milliseconds.
BUSY_MS = 5000


class Library:
    """A folder of clips and its index. Use from the thread that made it; close it.

    update: compare with the files at once (a recorder and the command line want that).
    """

    def __init__(self, folder: Path, *, update: bool = True) -> None:
        self.folder = folder
        self._db = self._open()
        if update:
            self.update()

    def _open(self) -> sqlite3.Connection:
        path = self.folder / INDEX_NAME
        for attempt in range(2):
            db: sqlite3.Connection | None = None
            try:
                db = sqlite3.connect(path, timeout=BUSY_MS / 1e3, isolation_level=None)
                db.execute("PRAGMA journal_mode = WAL")
                db.execute("PRAGMA synchronous = NORMAL")
                db.execute("PRAGMA wal_autocheckpoint = 32")  # else the log grows to 4 MB on small disks
                if db.execute("PRAGMA user_version").fetchone()[0] not in (0, VERSION):
                    db.execute("DROP TABLE IF EXISTS clips")
                db.executescript(SCHEMA)
                return db
            except sqlite3.DatabaseError as error:
                if db is not None:
                    db.close()
                if attempt or isinstance(error, sqlite3.OperationalError):
                    log.info("clip index '%s' cannot be used (%s); working without it", path, error)
                    break
                log.warning("clip index '%s' is damaged (%s); rebuilding it from the clips", path, error)
                for suffix in ("", "-wal", "-shm"):
                    with contextlib.suppress(OSError):
                        Path(f"{path}{suffix}").unlink(missing_ok=True)
        db = sqlite3.connect(":memory:", isolation_level=None)
        db.executescript(SCHEMA)
        return db

    def close(self) -> None:
        """Let go of the index. Idempotent."""
        self._db.close()

    def __enter__(self) -> Library:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(self, summary: ClipSummary) -> None:
        """Enter a clip that was just finished."""
        files = {kind: path.name for kind, path in summary.paths.items()}
        if summary.sheet is not None:
            files["sheet"] = summary.sheet.name
        name = next(file for kind, file in files.items() if kind != "sidecar")
        self._insert(
            {
                "name": name,
                "files": json.dumps(files),
                "camera": summary.camera,
                "started": summary.started.timestamp(),
                "duration_s": summary.duration_s,
                "frames": summary.frames,
                "missed": summary.missed,
                "bytes": summary.nbytes,
                "width": summary.size_wh[0],
                "height": summary.size_wh[1],
                "causes": json.dumps(summary.causes),
                "labels": json.dumps(summary.labels),
                "ended": summary.ended,
                "protected": 0,
                "recovered": 0,
                "events": json.dumps(summary.events),
            }
        )
        day = datetime.now(timezone.utc).strftime("%Y-%m-%d")
        self._db.execute(
            "INSERT INTO written VALUES (?, ?)"
            " ON CONFLICT (day) DO UPDATE SET bytes = bytes + excluded.bytes",
            (day, summary.nbytes),
        )

    def _insert(self, row: dict[str, Any]) -> None:
        marks = ", ".join("?" for _ in COLUMNS)
        self._db.execute(
            f"INSERT OR REPLACE INTO clips ({', '.join(COLUMNS)}) VALUES ({marks})",
            [row[c] for c in COLUMNS],
        )

    def update(self) -> None:
        """Make the index agree with the files: enter what is not in it, forget what is gone."""
        on_disk = group_files(self.folder)
        known = {row[0] for row in self._db.execute("SELECT name FROM clips")}
        with self._transaction():
            for name in known - on_disk.keys():
                self._db.execute("DELETE FROM clips WHERE name = ?", (name,))
            fresh = [describe(self.folder, name, on_disk[name]) for name in sorted(on_disk.keys() - known)]
            for row in sorted((r for r in fresh if r is not None), key=lambda r: float(r["started"])):
                self._insert(row)

    @contextlib.contextmanager
    def _transaction(self) -> Any:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def clips(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        label: str | None = None,
        camera: str | None = None,
        cause: str | None = None,
        protected: bool | None = None,
    ) -> list[ClipInfo]:
        """Clips in the order of recording, filtered by time, class, camera, cause and protection."""
        rows = self._db.execute(f"SELECT id, {', '.join(COLUMNS)} FROM clips ORDER BY id").fetchall()
        found = [from_row(row) for row in rows]
        return [
            c
            for c in found
            if (since is None or c.started.timestamp() + c.duration_s >= since.timestamp())
            and (until is None or c.started <= until)
            and (label is None or label in c.labels)
            and (camera is None or c.camera == camera)
            and (cause is None or cause in c.causes)
            and (protected is None or c.protected == protected)
        ]

    def find(self, name: str) -> ClipInfo | None:
        """A clip by its file name, its stem, or its path."""
        wanted = Path(name).name
        for clip in self.clips():
            if wanted in (clip.name, Path(clip.name).stem, *clip.files.values()):
                return clip
        return None

    def paths(self, clip: ClipInfo) -> Iterable[Path]:
        """All files of a clip."""
        return (self.folder / file for file in clip.files.values())

    def protect(self, clip: ClipInfo, protected: bool) -> None:
        """Keep a clip from being deleted for its age. The files carry it too: they are made read-only."""
        for path in self.paths(clip):
            with contextlib.suppress(FileNotFoundError):
                path.chmod(0o444 if protected else 0o644)
        self._db.execute("UPDATE clips SET protected = ? WHERE id = ?", (int(protected), clip.id))

    def delete(self, clip: ClipInfo) -> int:
        """Delete a clip's files and its row; the bytes that came free. Raises OSError."""
        freed = 0
        for path in self.paths(clip):
            with contextlib.suppress(FileNotFoundError):
                freed += path.stat().st_size
                path.unlink()
        self._db.execute("DELETE FROM clips WHERE id = ?", (clip.id,))
        return freed

    def bytes_per_day(self) -> float | None:
        """What recording wrote per day over the last week; None before there is an hour to judge by."""
        query = "SELECT started, duration_s, bytes FROM clips ORDER BY started DESC"
        rows: list[tuple[float, float, int]] = self._db.execute(query).fetchall()
        if not rows:
            return None
        newest = rows[0][0] + rows[0][1]
        week = [row for row in rows if newest - row[0] <= 7 * 86400]
        span_s = newest - week[-1][0]
        if span_s < 3600:
            return None
        return float(sum(row[2] for row in week)) / span_s * 86400

    def written_today(self) -> int:
        """Bytes written to the disk today (UTC)."""
        day = datetime.now(timezone.utc).strftime("%Y-%m-%d")
        row = self._db.execute("SELECT bytes FROM written WHERE day = ?", (day,)).fetchone()
        return int(row[0]) if row else 0
