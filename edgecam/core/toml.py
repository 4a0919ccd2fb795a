"""TOML from files that may be anybody's: settings, model cards, calibrations."""

from __future__ import annotations

import re
import sys
from typing import Any

#: Dots of one key. Python's parser takes time by the square of them: 20 s for 20,000.
MOST_DOTS = 64
_SEPARATORS = re.compile(r"[,=\[\]{}#\n]")


def parse_toml(data: bytes) -> dict[str, Any]:
    """The table in ``data``. Raises ValueError, in words, for whatever is wrong with it."""
    if sys.version_info >= (3, 11):  # imported late: a command that reads no file starts sooner
        import tomllib
    else:
        import tomli as tomllib

    text = data.decode("utf-8")
    if any(piece.count(".") > MOST_DOTS for piece in _SEPARATORS.split(text)):
        raise ValueError(f"it has a key of more than {MOST_DOTS} parts")
    try:
        found: dict[str, Any] = tomllib.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return found
