"""The index of a folder of clips: SQLite, so that ten thousand clips list at once; rebuilt from the files.

The files are the truth. The index is a convenience: it is brought up to date whenever a library is opened,
and where it cannot be written (a read-only disk) or is damaged, it is made anew, in memory if need be.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import sqlite3
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Any

from edgecam.core.sqlite import transaction
from edgecam.core.units import number_within
from edgecam.host.beneath import beneath, open_beneath, regular_size
from edgecam.record.clip import ClipSummary
from edgecam.record.library import sums
from edgecam.record.library.catalogue import (
    COLUMNS,
    DETAILS,
    ClipInfo,
    belongs,
    from_row,
    group_files,
    thinned,
)
from edgecam.record.library.database import (
    DAMAGED,
    INDEX_NAME,
    discard,
    is_in_memory,
    is_storage_error,
    open_index,
)
from edgecam.record.library.inspection import describe
from edgecam.record.library.sidecar import short_text
from edgecam.record.limits import CLIPS, DETAILS_BYTES

__all__ = ["INDEX_NAME", "Library"]

log = logging.getLogger(__name__)

#: So many rows are read at once by who may need only the first.
CHUNK = 64


class Library:
    """A folder of clips and its index. Use from the thread that made it; close it.

    update: compare with the files at once (a recorder and the command line want that).
    """

    def __init__(self, folder: Path, *, update: bool = True) -> None:
        self.folder = folder
        self._db = open_index(folder)
        if update:
            self.update()

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
                "camera": short_text(summary.camera),
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
                "boot": summary.boot,
                "boot_s": summary.boot_s,
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
        try:
            self._update()
        except DAMAGED as error:
            if is_storage_error(error):
                raise
            self._begin_anew(error)

    def _begin_anew(self, error: Exception) -> None:
        """Damage that shows only when a page is read: the index is made from the clips."""
        log.warning("clip index in '%s' is damaged (%s); rebuilding it from the clips", self.folder, error)
        self._db.close()
        discard(self.folder / INDEX_NAME)
        self._db = open_index(self.folder)
        self._update()

    def _update(self) -> None:
        on_disk = group_files(self.folder)
        known = set[str]()
        for clip in self._rows():
            known.add(clip.name)
            if clip.name in on_disk:
                self._correct(clip)
            else:
                self._db.execute("DELETE FROM clips WHERE name = ?", (clip.name,))
        fresh, left = list[dict[str, Any]](), DETAILS_BYTES
        for name in sorted(on_disk.keys() - known)[:CLIPS]:
            row = self._describe(name, on_disk[name])
            if row is not None:
                left -= sum(len(row[column]) for column in DETAILS)
                fresh.append(row if left >= 0 else row | dict.fromkeys(DETAILS, "[]"))
        with transaction(self._db):
            for row in sorted(fresh, key=lambda row: float(row["started"])):
                self._insert(row)

    def _correct(self, clip: ClipInfo) -> None:
        """Correct the size of a clip by its files, since sizes decide what is deleted."""
        try:
            names = (file for kind, file in clip.files.items() if kind != "sheet")
            nbytes = sum(regular_size(self.folder, name) for name in names)
        except OSError:  # a part of it has gone
            return
        if nbytes != clip.nbytes:
            self._db.execute("UPDATE clips SET bytes = ? WHERE id = ?", (nbytes, clip.id))

    def _describe(self, name: str, files: dict[str, str]) -> dict[str, Any] | None:
        try:
            return describe(self.folder, name, files)
        except Exception as error:  # what nobody thought of in one file costs that file only
            log.warning("clip '%s' is passed over: %s: %s", name, type(error).__name__, error)
            log.debug("how it came about", exc_info=error)
            return None

    def _rows(self, after: int = -(2**63), most: int = CLIPS) -> list[ClipInfo]:
        """Clips in the order of recording. A row that is not as we write them is deleted."""
        select = f"SELECT id, {', '.join(COLUMNS)} FROM clips WHERE id > {after} ORDER BY id LIMIT {most}"
        found, wrong = [], []
        for row in thinned(self._db.execute(select)):
            try:
                found.append(from_row(row))
            except ValueError as error:
                log.warning("a row of the clip index is not ours and is made anew: %s", error)
                wrong.append(row[0])
        for number in wrong:
            self._db.execute("DELETE FROM clips WHERE id = ?", (number,))
        return found

    def oldest_first(self) -> Iterator[ClipInfo]:
        """Every clip in the order of recording, a few at a time; they may be deleted meanwhile."""
        rows = self._rows(most=CHUNK)
        while rows:
            yield from rows
            rows = self._rows(rows[-1].id, CHUNK)

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
        return [
            c
            for c in self._rows()
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
        return (beneath(self.folder, file) for file in clip.files.values() if belongs(clip.name, file))

    def protect(self, clip: ClipInfo, protected: bool) -> None:
        """Keep a clip from being deleted for its age. The files carry it too: they are made read-only.

        All of it or nothing: raises OSError where the index, or a file, cannot be changed.
        """
        try:
            index = self.folder / INDEX_NAME  # one that is no file of ours is never used
            if is_in_memory(self._db) and index.is_file() and not index.is_symlink():
                raise sqlite3.OperationalError("it could not be opened")
            with transaction(self._db):
                self._db.execute("UPDATE clips SET protected = ? WHERE id = ?", (int(protected), clip.id))
                for path in self.paths(clip):
                    with contextlib.suppress(FileNotFoundError):
                        fd = open_beneath(self.folder, path.name)
                        try:
                            os.fchmod(fd, 0o444 if protected else 0o644)
                        finally:
                            os.close(fd)
        except sqlite3.Error as error:
            raise OSError(errno.EBUSY, f"the index cannot be used now ({error})", str(self.folder)) from error

    def delete(self, clip: ClipInfo) -> int:
        """Delete a clip's files and its row; the bytes that came free. Raises OSError."""
        freed = 0
        for path in self.paths(clip):
            with contextlib.suppress(FileNotFoundError):
                freed += path.lstat().st_size
                path.unlink()
        self._db.execute("DELETE FROM clips WHERE id = ?", (clip.id,))
        return freed

    def clock_jumped_s(self, boot: str, wall_s: float, uptime_s: float) -> float | None:
        """See :func:`sums.clock_jumped_s`."""
        return sums.clock_jumped_s(self._db, boot, wall_s, uptime_s)

    def used_bytes(self) -> int:
        """Bytes of all clips."""
        return sums.used_bytes(self._db)

    def bytes_per_day(self) -> float | None:
        """What recording wrote per day over the last week; None before there is an hour to judge by."""
        return sums.bytes_per_day(self._db)

    def begun_before(self, boot: str, boot_s: float, wall_s: tuple[float, float] | None) -> bool:
        """See :func:`sums.begun_before`."""
        return sums.begun_before(self._db, boot, boot_s, wall_s)

    def protected_days(self) -> set[date]:
        """The days (UTC) of protected clips."""
        return sums.protected_days(self._db)

    def oldest_day(self) -> date | None:
        """The day (UTC) of the oldest clip without protection."""
        return sums.oldest_day(self._db)

    def written_today(self) -> int:
        """Bytes written to the disk today (UTC)."""
        day = datetime.now(timezone.utc).strftime("%Y-%m-%d")
        row = self._db.execute("SELECT bytes FROM written WHERE day = ?", (day,)).fetchone()
        return int(number_within(row[0], 0, 2.0**62) or 0) if row else 0
