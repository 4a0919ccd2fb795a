"""Reading small kernel files below an injectable root. Missing, unreadable or garbage is None."""

from __future__ import annotations

import math
from pathlib import Path

#: A kernel attribute is at most one page; anything longer is not one.
_LIMIT = 65536


def read_text(path: Path) -> str | None:
    """The file's text without trailing NULs and white space, or None."""
    try:
        with path.open("rb") as file:
            raw = file.read(_LIMIT)
    except OSError:  # missing, no permission, or the device behind it has gone (ENODEV, EIO)
        return None
    return raw.decode("utf-8", "replace").rstrip("\0 \t\r\n")


def read_number(path: Path) -> float | None:
    """The file's content as one finite number, or None."""
    text = read_text(path)
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def listing(folder: Path, pattern: str) -> list[Path]:
    """Paths in ``folder`` that match, in natural order (hwmon2 before hwmon10); empty if there is none."""

    def key(path: Path) -> tuple[str, int]:
        stem = path.name.rstrip("0123456789")
        number = path.name[len(stem) :]
        return stem, int(number) if number else -1

    try:
        return sorted(folder.glob(pattern), key=key)
    except OSError:
        return []


def natural_root(path: Path, root: Path) -> str:
    """``path`` as people know it: without the injected root."""
    try:
        return "/" + str(path.relative_to(root))
    except ValueError:
        return str(path)
