"""Lays runs of text out as one chip: what labels, bars and panels are made of."""

from __future__ import annotations

from functools import lru_cache

from msgspec import Struct

from edgecam.overlay.font import cap_height, elided, text_width, writable
from edgecam.overlay.scene import Chip, Panel, Rgba, Text


class Run(Struct, frozen=True):
    """Some text of one look. ``gap``: space before it, in text sizes. ``dot``: a disc before it."""

    text: str
    colour: Rgba
    bold: bool = False
    gap: float = 0.3
    dot: Rgba | None = None


def chip_height(size_px: int) -> int:
    """Height of a chip of one line, pixels: a capital letter and nearly as much air again."""
    return round(cap_height(size_px) + 2 * pad_y(size_px))


def pad_x(size_px: int) -> int:
    """Air left and right of the text, pixels."""
    return max(3, round(size_px * 0.55))


def pad_y(size_px: int) -> int:
    """Air above and below the capitals, pixels."""
    return max(2, round(size_px * 0.38))


@lru_cache(maxsize=512)
def lay_chip(runs: tuple[Run, ...], size_px: int, fill: Rgba, limit_px: int) -> Chip | None:
    """A chip of one line at (0, 0), at most ``limit_px`` wide: the text that would pass it is elided.

    Returns None if not even an ellipsis fits.
    """
    left, height = pad_x(size_px), chip_height(size_px)
    baseline = (height + round(cap_height(size_px))) / 2
    end, x = limit_px - left, float(left)
    marks: list[Text | Panel] = []
    for i, run in enumerate(runs):
        x += run.gap * size_px if i else 0.0
        if run.dot is not None:
            side = round(size_px * 0.62)
            if x + side > end:
                break
            marks.append(Panel(x, (height - side) / 2, side, side, side / 2, run.dot))
            x += side + size_px * 0.35
        whole = writable(run.text)
        text = elided(whole, size_px, run.bold, end - x)
        if text:
            marks.append(Text(x, baseline, text, size_px, run.bold, run.colour))
            x += text_width(text, size_px, run.bold)
        if text != whole:
            break
    if not marks:
        return None
    return Chip(
        0, 0, min(limit_px, int(x + 0.999) + left), height, max(2, round(size_px * 0.3)), fill, tuple(marks)
    )
