"""A library with clips of known age and size, for tests of what is kept."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

from edgecam.record.clip import ClipSummary
from edgecam.record.library.index import Library

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=timezone.utc)


def put(
    library: Library,
    name: str,
    age_days: float,
    nbytes: int = 1000,
    boot: tuple[str, float | None] = ("", None),
) -> None:
    path = library.folder / f"{name}.mp4"
    path.write_bytes(b"x" * nbytes)
    library.add(
        ClipSummary(
            {"annotated": path}, None, "yard", NOW - timedelta(days=age_days), 60.0, 900, 0, nbytes,
            (640, 360), ("person",), ("person",), "segment", (), True, *boot,
        )
    )  # fmt: skip


def filled(folder: Path) -> Library:
    """Four clips: ``a`` of forty days, ``b`` of twenty, ``c`` of five and ``d`` of one."""
    library = Library(folder)
    for name, age in (("a", 40.0), ("b", 20.0), ("c", 5.0), ("d", 1.0)):
        put(library, name, age)
    return library


def left(library: Library) -> str:
    names = "".join(Path(c.name).stem for c in library.clips())
    assert names == "".join(sorted(p.stem for p in library.folder.glob("*.mp4")))
    return names
