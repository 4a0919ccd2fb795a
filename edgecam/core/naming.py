"""What sources are called in the names of files."""

from __future__ import annotations

import re
from pathlib import Path


def short(name: str) -> str:
    """A source's name for files: ``video0`` of ``/dev/video0``, ``10.0.0.7/stream`` of an address."""
    address = name.partition("://")[2]
    if address:
        return address
    whole, number = re.fullmatch(r"(.*?)(-\d+)?", name, re.DOTALL).groups()  # type: ignore[union-attr]
    return Path(whole).stem.rstrip(":") + (number or "")
