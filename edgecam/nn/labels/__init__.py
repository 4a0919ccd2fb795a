"""Label lists that published weights were trained with, as data with their source."""

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


@cache
def coco_labels() -> tuple[str, ...]:
    """COCO's 80 names in COCO's order."""
    return tuple(line.split(" ", 1)[1] for line in _lines("coco.txt"))


@cache
def coco_ids() -> tuple[int, ...]:
    """COCO's category id (1 to 90) of each of the 80."""
    return tuple(int(line.split(" ", 1)[0]) for line in _lines("coco.txt"))
