"""Build the font that edgecam ships from Inter's files. Only needed when the font is to change.

    apt-get download fonts-inter && dpkg-deb -x fonts-inter_*.deb inter
    pip install fonttools
    python scripts/build_overlay_font.py inter/usr/share/fonts/opentype/inter \\
        inter/usr/share/doc/fonts-inter/copyright

Why edgecam ships a font: boards without a desktop have none, and a layout is computed once only if both
painters measure text alike. Two weights are reduced to Latin with digits of equal width (so that rates do
not jitter). Each is written twice: as OpenType for Qt, and as flattened outlines for the OpenCV painter.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from fontTools.pens.basePen import BasePen
from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont

OUT = Path(__file__).resolve().parents[1] / "edgecam" / "overlay" / "font"
WEIGHTS = {"medium": "Inter-Medium.otf", "bold": "Inter-SemiBold.otf"}
CHARACTERS = sorted(
    {*range(0x20, 0x7F), *range(0xA0, 0x180)} - {0xAD} | {ord(c) for c in "–—‘’“”„…•·±≈°×≤≥≠µ−→←↑↓✓●²³€Ω"}
)
# OpenCV rasterises at 1/16 pixel and text is at most about 100 px high: eight chords per curve err by less
CHORDS = 8


def tabular_digits(font: TTFont) -> None:
    """Map digits to the glyphs of equal width from the feature ``tnum``."""
    gsub = font["GSUB"].table
    swaps: dict[str, str] = {}
    for record in gsub.FeatureList.FeatureRecord:
        if record.FeatureTag == "tnum":
            for index in record.Feature.LookupListIndex:
                for table in gsub.LookupList.Lookup[index].SubTable:
                    table = getattr(table, "ExtSubTable", table)
                    swaps.update(getattr(table, "mapping", {}))
    for cmap in font["cmap"].tables:
        for code in map(ord, "0123456789"):
            cmap.cmap[code] = swaps.get(cmap.cmap[code], cmap.cmap[code])  # tables may share one dict


def rename(font: TTFont, style: str) -> None:
    """Give the font its own name, so that an installed Inter of another version is not used in its place."""
    family = f"Edgecam Sans {style.title()}"
    for name_id, text in (
        (1, family),
        (2, "Regular"),
        (3, family),
        (4, family),
        (6, family.replace(" ", "")),
    ):
        font["name"].setName(text, name_id, 3, 1, 0x409)
    for name_id in (16, 17, 21, 22, 25):
        font["name"].removeNames(nameID=name_id)
    font["name"].names = [r for r in font["name"].names if r.platformID == 3]
    font["OS/2"].usWeightClass = 400
    font["CFF "].cff.fontNames = [family.replace(" ", "")]


class Flattener(BasePen):
    """Collects closed contours made of straight chords."""

    def __init__(self, glyphs: object) -> None:
        super().__init__(glyphs)
        self.contours: list[list[tuple[float, float]]] = []

    def _moveTo(self, pt):  # noqa: N802
        self.contours.append([pt])

    def _lineTo(self, pt):  # noqa: N802
        self.contours[-1].append(pt)

    def _curveToOne(self, b, c, d):  # noqa: N802
        a = self._getCurrentPoint()
        for i in range(1, CHORDS + 1):
            t = i / CHORDS
            s = 1 - t
            self.contours[-1].append(
                tuple(s**3 * a[k] + 3 * s * s * t * b[k] + 3 * s * t * t * c[k] + t**3 * d[k] for k in (0, 1))
            )


def outlines(font: TTFont) -> dict[str, np.ndarray]:
    glyphs, cmap = font.getGlyphSet(), font.getBestCmap()
    points: list[tuple[float, float]] = []
    contour_ends: list[int] = []
    glyph_ends: list[int] = []
    advances: list[float] = []
    for code in sorted(cmap):
        pen = Flattener(glyphs)
        glyphs[cmap[code]].draw(pen)
        for contour in pen.contours:
            points.extend(contour)
            contour_ends.append(len(points))
        glyph_ends.append(len(contour_ends))
        advances.append(glyphs[cmap[code]].width)
    return {
        "codes": np.array(sorted(cmap), np.int32),
        "advances": np.array(advances, np.int16),
        "points": np.array(points).round().astype(np.int16),
        "contour_ends": np.array(contour_ends, np.int32),
        "glyph_ends": np.array(glyph_ends, np.int32),
    }


def main(source: Path, licence: Path) -> None:
    OUT.mkdir(exist_ok=True)
    arrays: dict[str, np.ndarray] = {}
    for style, file in WEIGHTS.items():
        font = TTFont(source / file)
        tabular_digits(font)
        options = Options(
            layout_features=[], name_IDs=["*"], notdef_outline=True, hinting=False, desubroutinize=True
        )
        subsetter = Subsetter(options)
        subsetter.populate(unicodes=CHARACTERS)
        subsetter.subset(font)
        rename(font, style)
        font.save(OUT / f"edgecam-sans-{style}.otf")
        missing = [chr(c) for c in CHARACTERS if c not in font.getBestCmap()]
        print(style, "missing:", "".join(missing))
        arrays |= {f"{style}_{k}": v for k, v in outlines(font).items()}
        arrays["metrics"] = np.array(
            [font["head"].unitsPerEm, font["hhea"].ascent, font["hhea"].descent, font["OS/2"].sCapHeight],
            np.int32,
        )
    np.savez_compressed(OUT / "outlines.npz", **arrays)
    text = licence.read_text()
    (OUT / "LICENCE.txt").write_text(
        "The font files in this folder are cut from Inter 4.0, https://github.com/rsms/inter,\n"
        "by scripts/build_overlay_font.py, and stay under Inter's own licence:\n\n"
        "Copyright 2016-2022 The Inter Project Authors\n\n"
        "SIL OPEN FONT LICENSE Version 1.1\n\n"
        + "\n".join(
            "" if line.strip() == "." else line[1:]
            for line in text.split("License: OFL-1.1\n", 1)[1].split("\nLicense:", 1)[0].splitlines()
        )
        + "\n"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
