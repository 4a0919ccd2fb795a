"""Zones and lines: what is drawn, where, and that both painters draw it alike; each can be switched off."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from overlay_samples import make_result

from edgecam.core.areas import Areas, LineState, Told, ZoneState
from edgecam.core.types import Image, Result, Stats
from edgecam.overlay.compose import compose
from edgecam.overlay.scene import Box, Chip, Outline, Scene, Text, View
from edgecam.overlay.scene_cv import paint_cv
from edgecam.overlay.style import Style

WH = (640, 360)
SQUARE = ((0.1, 0.2), (0.4, 0.2), (0.4, 0.9), (0.1, 0.9))
AREAS = Areas(
    (
        ZoneState("door", SQUARE, counts=(("person", 2),), active=True),
        ZoneState("tree", ((0.6, 0.1), (0.9, 0.1), (0.9, 0.5)), "mask"),
    ),
    (LineState("gate", ((0.5, 0.6), (0.95, 0.6)), 3, 1),),
)


def scene(style: Style, view: View | None = None, canvas: tuple[int, int] = WH) -> Scene:
    result: Result = replace(make_result(WH, [(300.0, 120.0, 380.0, 300.0)]), told=Told(areas=AREAS))
    return compose(result, Stats(), style, canvas, view)


def texts(shown: Scene) -> list[str]:
    chips = [item for item in shown.items if isinstance(item, Chip)]
    return [" ".join(mark.text for mark in chip.marks if isinstance(mark, Text)) for chip in chips]


def test_outlines_stand_on_the_picture_with_names_and_counts_beneath_the_boxes() -> None:
    shown = scene(Style())
    outlines = [item for item in shown.items if isinstance(item, Outline)]
    assert outlines[0].points == ((64, 72), (256, 72), (256, 324), (64, 324))
    assert [o.closed for o in outlines] == [True, True, False, False]
    assert {"door 2 person", "tree mask", "gate in 3  out 1"} <= set(texts(shown))
    kinds = [type(item) for item in shown.items]
    assert max(n for n, kind in enumerate(kinds) if kind is Outline) < kinds.index(Box)
    # the mark on the line points to its in side: down, for a line from left to right
    (_, _), (_, y) = outlines[3].points
    assert y > outlines[2].points[0][1]


@pytest.mark.parametrize(
    ("style", "outlines", "named"),
    [
        (Style(areas="full"), 4, True),
        (Style(areas="outline"), 4, False),
        (Style(areas="off"), 0, False),
        (Style(level="boxes"), 0, False),
        (Style(level="off"), 0, False),
        (Style(level="simple"), 4, True),
    ],
)
def test_each_can_be_switched_off(style: Style, outlines: int, named: bool) -> None:
    shown = scene(style)
    assert sum(isinstance(item, Outline) for item in shown.items) == outlines
    assert any("door" in text for text in texts(shown)) is named


def test_in_a_view_they_stay_inside_it() -> None:
    view = View(100, 50, 320, 180)
    shown = scene(Style(), view, (800, 600))
    for item in shown.items:
        if isinstance(item, Outline) and item.closed:
            for x, y in item.points:
                assert view.x <= x < view.x + view.w
                assert view.y <= y < view.y + view.h


def test_both_painters_draw_the_same(qt_app: object) -> None:
    from PyQt6.QtGui import QImage, QPainter

    from edgecam.overlay.scene_qt import paint_qt

    shown = Scene(WH, View(0, 0, *WH), tuple(i for i in scene(Style()).items if isinstance(i, Outline)))
    ground = np.full((WH[1], WH[0], 3), 90, np.uint8)
    by_cv = paint_cv(shown, ground)
    image = QImage(WH[0], WH[1], QImage.Format.Format_RGB32)
    image.fill(0xFF5A5A5A)
    painter = QPainter(image)
    paint_qt(shown, painter)
    painter.end()
    bits = image.constBits()
    assert bits is not None
    by_qt: Image = np.frombuffer(bits.asstring(image.sizeInBytes()), np.uint8).reshape(WH[1], WH[0], 4)[
        ..., :3
    ]
    differ = np.abs(by_cv.astype(int) - by_qt.astype(int)).max(axis=2)
    painted = (by_cv != ground).any(axis=2)
    assert painted.sum() > 2000
    # thin slanting edges are smoothed a little differently
    assert (differ > 90).sum() < 0.12 * painted.sum()
