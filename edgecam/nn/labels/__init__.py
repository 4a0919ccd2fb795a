"""The label lists that published weights were trained with, as data with their source."""

from __future__ import annotations

from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parent


def _lines(name: str) -> list[str]:
    text = (_FOLDER / name).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


@cache
def imagenet_labels() -> tuple[str, ...]:
    """ImageNet's 1000 names; the index is the class of every published ImageNet network here."""
    return tuple(_lines("imagenet.txt"))
