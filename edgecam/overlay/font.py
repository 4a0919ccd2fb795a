"""The overlay's own font: what it can write, and how wide that gets.

Boards without a desktop have no fonts, and text that two painters measure differently cannot be laid out
once; so edgecam carries two weights of Inter, cut to Latin (``font/LICENCE.txt``), with digits equally wide.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from pathlib import Path

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

FONT_DIR = Path(__file__).with_name("font")
MEDIUM_FILE = FONT_DIR / "edgecam-sans-medium.otf"
BOLD_FILE = FONT_DIR / "edgecam-sans-bold.otf"
REPLACEMENT = "?"


class Face(Struct, frozen=True, eq=False):
    """One weight: advances and flattened outlines, in units of ``1 / units_per_em``, y upwards.

    points: (P, 2) int16. Contour ``i`` is ``points[contour_ends[i - 1]:contour_ends[i]]``; glyph ``g`` is the
    contours between ``glyph_ends[g - 1]`` and ``glyph_ends[g]``. Holes by the even-odd rule.
    """

    index: dict[str, int]
    advances: tuple[float, ...]
    points: NDArray[np.int16]
    contour_ends: NDArray[np.int32]
    glyph_ends: NDArray[np.int32]
    units_per_em: int
    ascent: int
    descent: int
    cap_height: int

    def contours(self, character: str) -> list[NDArray[np.int16]]:
        """The closed outlines of a character that the face knows."""
        glyph = self.index[character]
        first = int(self.glyph_ends[glyph - 1]) if glyph else 0
        ends = self.contour_ends
        return [
            self.points[int(ends[i - 1]) if i else 0 : int(ends[i])]
            for i in range(first, int(self.glyph_ends[glyph]))
        ]


@lru_cache(maxsize=2)
def face(bold: bool) -> Face:
    """The medium or the bold weight; read once."""
    style = "bold" if bold else "medium"
    with np.load(FONT_DIR / "outlines.npz") as data:
        units, ascent, descent, cap = (int(v) for v in data["metrics"])
        return Face(
            index={chr(code): i for i, code in enumerate(data[f"{style}_codes"])},
            advances=tuple(float(v) / units for v in data[f"{style}_advances"]),
            points=data[f"{style}_points"],
            contour_ends=data[f"{style}_contour_ends"],
            glyph_ends=data[f"{style}_glyph_ends"],
            units_per_em=units,
            ascent=ascent,
            descent=descent,
            cap_height=cap,
        )


@lru_cache(maxsize=1024)
def writable(text: str) -> str:
    """``text`` in characters the font has: others lose their accents, or become a question mark."""
    known = face(False).index
    if all(c in known for c in text):
        return text
    out = []
    for c in text:
        if c in known:
            out.append(c)
        elif c.isspace() or unicodedata.category(c) in ("Cc", "Cf", "Mn"):
            out.append(" " if c.isspace() else "")
        else:
            plain = [p for p in unicodedata.normalize("NFKD", c) if p in known]
            out.append("".join(plain) or REPLACEMENT)
    return "".join(out)


@lru_cache(maxsize=512)
def _em_width(text: str, bold: bool) -> float:
    chosen = face(bold)
    return sum(chosen.advances[chosen.index[c]] for c in text)


def text_width(text: str, size_px: float, bold: bool) -> float:
    """Advance width in pixels of ``text``, which must be :func:`writable`."""
    return _em_width(text, bold) * size_px


def cap_height(size_px: float) -> float:
    """Height of a capital letter in pixels."""
    chosen = face(False)
    return size_px * chosen.cap_height / chosen.units_per_em


def elided(text: str, size_px: float, bold: bool, limit_px: float) -> str:
    """``text``, cut short with an ellipsis if it is wider than ``limit_px``; empty if not even that fits."""
    if text_width(text, size_px, bold) <= limit_px:
        return text
    for end in range(len(text) - 1, 0, -1):
        cut = text[:end].rstrip() + "…"
        if text_width(cut, size_px, bold) <= limit_px:
            return cut
    return ""
