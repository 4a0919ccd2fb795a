"""The rows of the index: what is kept of each clip, and which files of a folder belong together."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from edgecam.core.units import number_within
from edgecam.host.beneath import is_plain_name
from edgecam.media.formats import FORMATS
from edgecam.record.library.sidecar import short_text
from edgecam.record.limits import CAUSES, CLIPS, DETAILS_BYTES, DURATION_S, EVENTS, LABELS, LATEST_S

#: Of the table below; an index of another version is made anew.
VERSION = 4

SCHEMA = """
CREATE TABLE IF NOT EXISTS clips (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  files TEXT NOT NULL,
  camera TEXT NOT NULL,
  started REAL NOT NULL,
  duration_s REAL NOT NULL,
  frames INTEGER,
  missed INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  width INTEGER NOT NULL,
  height INTEGER NOT NULL,
  causes TEXT NOT NULL,
  labels TEXT NOT NULL,
  ended TEXT NOT NULL,
  protected INTEGER NOT NULL,
  recovered INTEGER NOT NULL,
  events TEXT NOT NULL,
  boot TEXT NOT NULL,
  boot_s REAL
);
CREATE INDEX IF NOT EXISTS clips_started ON clips (started);
CREATE TABLE IF NOT EXISTS written (day TEXT PRIMARY KEY, bytes INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS clock (boot TEXT PRIMARY KEY, ahead_s REAL NOT NULL, jumped_s REAL);
PRAGMA user_version = 4;
"""

COLUMNS = (
    *("name", "files", "camera", "started", "duration_s", "frames", "missed", "bytes", "width", "height"),
    *("causes", "labels", "ended", "protected", "recovered", "events"),
    *("boot", "boot_s"),
)


@dataclass(frozen=True, slots=True)
class ClipInfo:
    """One row. ``name`` is the first video's file name; ``files`` are all that belong to it, by kind.

    boot, boot_s: the boot in which it was begun (empty if not known), and its seconds then.
    """

    id: int
    name: str
    files: dict[str, str]
    camera: str
    started: datetime
    duration_s: float
    frames: int | None
    missed: int
    nbytes: int
    size_wh: tuple[int, int]
    causes: tuple[str, ...]
    labels: tuple[str, ...]
    ended: str
    protected: bool
    recovered: bool
    events: tuple[tuple[float, str], ...]
    boot: str = ""
    boot_s: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "name": self.name,
            "files": self.files,
            "camera": self.camera,
            "started": self.started.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "duration_s": round(self.duration_s, 3),
            "frames": self.frames,
            "missed": self.missed,
            "bytes": self.nbytes,
            "width": self.size_wh[0],
            "height": self.size_wh[1],
            "causes": list(self.causes),
            "labels": list(self.labels),
            "ended": self.ended,
            "protected": self.protected,
            "recovered": self.recovered,
            "events": [{"clip_s": at_s, "cause": cause} for at_s, cause in self.events],
        }


#: What a clip may have much of, as JSON.
DETAILS = ("causes", "labels", "events")
_PLACES = tuple(1 + COLUMNS.index(column) for column in DETAILS)


def thinned(rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    """Rows of ``SELECT id, COLUMNS``; those beyond :data:`DETAILS_BYTES` without their details."""
    left = DETAILS_BYTES
    for row in rows:
        left -= sum(len(row[place]) for place in _PLACES if isinstance(row[place], (str, bytes)))
        if left < 0:
            row = tuple("[]" if place in _PLACES else value for place, value in enumerate(row))
        yield row


def from_row(row: tuple[Any, ...]) -> ClipInfo:
    """A row of ``SELECT id, COLUMNS``. Raises ValueError if a value is not what we write."""
    data = dict(zip(("id", *COLUMNS), row, strict=True))
    try:
        files = json.loads(data["files"])
        if not (isinstance(files, dict) and files and all(belongs(data["name"], f) for f in files.values())):
            raise ValueError(f"files that are not the clip's: {files!r:.200}")
        return ClipInfo(
            int(data["id"]),
            data["name"],
            {str(kind): file for kind, file in files.items()},
            short_text(data["camera"]),
            datetime.fromtimestamp(_number(data["started"], LATEST_S), timezone.utc),
            _number(data["duration_s"], DURATION_S),
            None if data["frames"] is None else int(_number(data["frames"])),
            int(_number(data["missed"])),
            int(_number(data["bytes"], 2.0**62)),
            (int(_number(data["width"])), int(_number(data["height"]))),
            tuple(map(short_text, json.loads(data["causes"])[:CAUSES])),
            tuple(map(short_text, json.loads(data["labels"])[:LABELS])),
            short_text(data["ended"]),
            bool(data["protected"]),
            bool(data["recovered"]),
            tuple((_number(at_s), short_text(cause)) for at_s, cause in json.loads(data["events"])[:EVENTS]),
            short_text(data["boot"]),
            None if data["boot_s"] is None else _number(data["boot_s"], 1e10),
        )
    except (TypeError, KeyError, RecursionError, ArithmeticError) as error:
        raise ValueError(f"a row that is not ours: {error}") from None


def _number(value: object, high: float = 1e9) -> float:
    found = number_within(value, 0, high)
    if found is None:
        raise ValueError(f"not a number of ours: {value!r:.100}")
    return found


def belongs(clip: object, file: object) -> bool:
    """Whether ``file`` is the name of one of the files of the clip named ``clip``: they share its stem."""
    if not (is_plain_name(clip) and is_plain_name(file)):
        return False
    assert isinstance(clip, str) and isinstance(file, str)
    stem = Path(clip).stem.removesuffix(".clean")
    rest = file.removeprefix(stem).removeprefix(".clean")
    return not stem.startswith(".") and file.startswith(f"{stem}.") and rest.rfind(".") == 0


def group_files(folder: Path) -> dict[str, dict[str, str]]:
    """The finished clips of a folder: files by kind, under the name of the first video.

    Links, devices, FIFOs and names that are no UTF-8 are passed over.
    """
    with os.scandir(folder) as entries:
        regular = (
            entry.name
            for entry in entries
            if not entry.name.startswith(".")
            and is_plain_name(entry.name)
            and entry.is_file(follow_symlinks=False)
        )
        names = set(itertools.islice(regular, 4 * CLIPS))
    found: dict[str, dict[str, str]] = {}
    for name in sorted(names):
        path = Path(name)
        if path.suffix.lower() not in FORMATS:
            continue
        stem, is_clean = path.stem, path.stem.endswith(".clean")
        if is_clean:
            stem = stem[: -len(".clean")]
            if f"{stem}{path.suffix}" in names:
                continue  # it is the other view of that one
        files = {"clean" if is_clean else "annotated": name}
        if f"{stem}.clean{path.suffix}" in names:
            files["clean"] = f"{stem}.clean{path.suffix}"
        for kind, ending in (("sidecar", ".jsonl"), ("sheet", ".jpg")):
            if f"{stem}{ending}" in names:
                files[kind] = f"{stem}{ending}"
        found[name] = files
    return found
