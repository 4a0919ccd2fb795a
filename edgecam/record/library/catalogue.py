"""The rows of the index: what is kept of each clip, and which files of a folder belong together."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from edgecam.media.mux import FORMATS

#: Of the table below; an index of another version is made anew.
VERSION = 2

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
  events TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS clips_started ON clips (started);
CREATE TABLE IF NOT EXISTS written (day TEXT PRIMARY KEY, bytes INTEGER NOT NULL);
PRAGMA user_version = 2;
"""

COLUMNS = (
    *("name", "files", "camera", "started", "duration_s", "frames", "missed", "bytes", "width", "height"),
    *("causes", "labels", "ended", "protected", "recovered", "events"),
)


@dataclass(frozen=True, slots=True)
class ClipInfo:
    """One row. ``name`` is the first video's file name; ``files`` are all that belong to it, by kind."""

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


def from_row(row: tuple[Any, ...]) -> ClipInfo:
    """A row of ``SELECT id, COLUMNS``."""
    data = dict(zip(("id", *COLUMNS), row, strict=True))
    return ClipInfo(
        data["id"],
        data["name"],
        json.loads(data["files"]),
        data["camera"],
        datetime.fromtimestamp(data["started"], timezone.utc),
        data["duration_s"],
        data["frames"],
        data["missed"],
        data["bytes"],
        (data["width"], data["height"]),
        tuple(json.loads(data["causes"])),
        tuple(json.loads(data["labels"])),
        data["ended"],
        bool(data["protected"]),
        bool(data["recovered"]),
        tuple((float(at_s), str(cause)) for at_s, cause in json.loads(data["events"])),
    )


def group_files(folder: Path) -> dict[str, dict[str, str]]:
    """The finished clips of a folder: files by kind, under the name of the first video."""
    names = {entry.name for entry in os.scandir(folder) if not entry.name.startswith(".")}
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
