from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecam.overlay.font import FONT_DIR, cap_height, elided, face, text_width, writable
from edgecam.overlay.scene import Text
from edgecam.overlay.sprites import _text_mask


def test_the_signs_the_overlay_needs_are_there() -> None:
    needed = "≈±°×·–…µ²→✓é ö ß Ł ž"
    for bold in (False, True):
        assert all(c in face(bold).index for c in needed)
    assert writable(needed) == needed


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        ("plain", "plain"),
        ("ﬁsh", "fish"),
        ("ế", "e"),
        ("soft\xadhyphen", "softhyphen"),
        ("猫", "?"),
        ("a\tb\x00c", "a bc"),
        ("x\u200by", "xy"),
    ],
)
def test_other_characters_degrade(text: Any, becomes: Any) -> None:
    assert writable(text) == becomes


@given(st.text(max_size=40))
def test_whatever_is_written_can_be_measured_and_cut(text: Any) -> None:
    known = writable(text)
    width = text_width(known, 17, True)
    assert width >= 0
    for limit in (0.0, width / 2, width):
        cut = elided(known, 17, True, limit)
        assert cut == "" or text_width(cut, 17, True) <= limit
    assert elided(known, 17, True, width) == known


def test_digits_are_equally_wide_so_that_figures_do_not_jitter() -> None:
    for bold in (False, True):
        widths = {round(text_width(d, 100, bold), 0) for d in "0123456789"}
        assert len(widths) == 1


def test_the_licence_travels_with_the_font() -> None:
    text = (FONT_DIR / "LICENCE.txt").read_text()
    assert "SIL OPEN FONT LICENSE" in text and "The Inter Project Authors" in text


def test_a_capital_is_as_high_as_said() -> None:
    mask = _text_mask(Text(4, 60, "H", 64, True, (255, 255, 255, 255)), (80, 80))
    rows = np.flatnonzero(mask.max(axis=1) > 0.5)
    assert rows[-1] == 59
    assert abs(len(rows) - cap_height(64)) <= 1


@pytest.mark.parametrize("bold", [False, True])
def test_qt_measures_and_draws_the_same_glyphs(qt_app: Any, bold: Any) -> None:
    """The outlines for OpenCV and the file for Qt come from one source; this would show them apart."""
    from PyQt6.QtGui import QColor, QFontMetricsF, QImage, QPainter

    from edgecam.overlay.scene_qt import font

    size = 48
    metrics = QFontMetricsF(font(size, bold))
    white = (255, 255, 255, 255)
    for character in sorted(face(bold).index):
        assert metrics.horizontalAdvance(character) == pytest.approx(
            text_width(character, size, bold), abs=0.1
        )
    for character in "AQg&8@≈±°éŁß":
        image = QImage(96, 96, QImage.Format.Format_Grayscale8)
        image.fill(0)
        painter = QPainter(image)
        painter.setFont(font(size, bold))
        painter.setPen(QColor(255, 255, 255))
        painter.drawText(20, 64, character)
        painter.end()
        bits = image.constBits()
        assert bits is not None
        by_qt = np.frombuffer(bits.asstring(96 * 96), np.uint8).reshape(96, 96) / 255
        by_cv = _text_mask(Text(20, 64, character, size, bold, white), (96, 96))
        assert by_cv.sum() > 20
        assert np.abs(by_qt - by_cv).sum() / by_cv.sum() < 0.12, character
