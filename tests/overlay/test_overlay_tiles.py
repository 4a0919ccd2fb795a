"""Several cameras on one canvas: where they stand, and what stands on them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from overlay_samples import FULL_STATS, make_result

from edgecam.core.types import Classification, Latency, Stats
from edgecam.overlay.compose import compose, compose_shared
from edgecam.overlay.scene import Box, Chip, Scene, Text, View
from edgecam.overlay.style import Style
from edgecam.overlay.tiles import tiles


def texts(scene: Scene) -> str:
    chips = [item for item in scene.items if isinstance(item, Chip)]
    return " | ".join(" ".join(m.text for m in c.marks if isinstance(m, Text)) for c in chips)


@pytest.mark.parametrize(
    ("count", "picture", "canvas", "columns"),
    [
        (1, (1280, 720), (1920, 1080), 1),
        (2, (1280, 720), (1000, 700), 1),  # on a squarer screen wide pictures stand above each other
        (2, (640, 480), (1920, 1080), 2),
        (3, (1280, 720), (1920, 1080), 2),
        (4, (1280, 720), (1920, 1080), 2),
        (5, (1280, 720), (1920, 1080), 3),
        (2, (1280, 720), (480, 1000), 1),
    ],
)
def test_the_grid_that_shows_pictures_largest(count: Any, picture: Any, canvas: Any, columns: Any) -> None:
    cells = tiles(count, picture, canvas)
    assert len(cells) == count and sum(c.y == 0 for c in cells) == columns


@given(
    st.integers(1, 16),
    st.tuples(st.integers(64, 4000), st.integers(64, 4000)),
    st.tuples(st.integers(200, 4000), st.integers(200, 4000)),
)
def test_tiles_lie_inside_apart_and_alike(count: Any, picture: Any, canvas: Any) -> None:
    cells = tiles(count, picture, canvas)
    assert len({(c.w, c.h) for c in cells}) == 1
    for i, a in enumerate(cells):
        assert a.x >= 0 and a.y >= 0 and a.x + a.w <= canvas[0] and a.y + a.h <= canvas[1]
        for b in cells[i + 1 :]:
            assert a.x + a.w <= b.x or b.x + b.w <= a.x or a.y + a.h <= b.y or b.y + b.h <= a.y


def test_a_picture_keeps_its_shape_in_its_cell() -> None:
    assert View(100, 50, 400, 400).fitted((640, 480)) == View(100, 100, 400, 300)


def test_a_tile_has_its_boxes_its_name_and_not_the_rates() -> None:
    result = make_result((640, 480), [(64, 48, 320, 240)], classes=(Classification("cab", 1, 0.9),))
    cell = View(500, 100, 320, 240)
    scene = compose(result, FULL_STATS, Style(credit="by N. N."), (1000, 700), cell, title="/dev/video2")
    assert "/dev/video2" in texts(scene) and "cab" in texts(scene)
    assert "fps" not in texts(scene) and "by N. N." not in texts(scene)
    box = next(item for item in scene.items if isinstance(item, Box))
    assert (box.x, box.y, box.w, box.h) == (532, 124, 128, 96)
    for chip in (item for item in scene.items if isinstance(item, Chip)):
        assert cell.x <= chip.x and chip.x + chip.w <= cell.x + cell.w
        assert cell.y <= chip.y and chip.y + chip.h <= cell.y + cell.h
    name, panel = (item for item in scene.items if isinstance(item, Chip) and item.y > 250)
    assert panel.y + panel.h <= name.y or name.y + name.h <= panel.y


def test_a_lost_camera_greys_its_own_tile() -> None:
    result, cell = make_result((640, 480), []), View(0, 0, 500, 375)
    lost = compose(result, Stats(notice="camera lost"), Style(), (1000, 700), cell, stale=True, title="a")
    assert lost.greyed and "camera lost" in texts(lost)
    well = compose(result, Stats(), Style(), (1000, 700), cell, title="b")
    assert not well.greyed and texts(well) == "b"


def test_a_tile_shows_its_own_rates_where_there_is_room() -> None:
    result, stats = make_result((640, 480), []), Stats(12.5, 6.25, 30.0, frame_age=Latency(38, 52))
    wide = texts(compose(result, stats, Style(), (1400, 700), View(0, 0, 690, 500), title="front"))
    assert wide.startswith("front capture 12.5 inference 6.2 display 30.0 fps") and "frame age 38" in wide
    narrow = texts(compose(result, stats, Style(), (1400, 700), View(0, 0, 320, 240), title="front"))
    assert narrow.startswith("front capture 12.5") and "frame age" not in narrow
    assert texts(compose(result, stats, Style(), (1400, 700), View(0, 0, 200, 150), title="front")) == "front"
    plain = compose(result, stats, Style(level="boxes"), (1400, 700), View(0, 0, 690, 500), title="front")
    assert texts(plain) == "front"


def test_the_rates_above_all_tiles_say_whose_they_are() -> None:
    assert texts(compose_shared(Stats(60.0, 30.0), Style(), (1280, 720))).startswith("all cameras capture 60")


def test_the_shared_overlay_has_what_concerns_all() -> None:
    stats = Stats(capture_fps=60.0, notice="detecting at 10 Hz to stay cool")
    scene = compose_shared(stats, Style(credit="by N. N.", recording=True), (1280, 720))
    assert not scene.greyed
    for word in ("REC", "60.0", "to stay cool", "by N. N."):
        assert word in texts(scene)
    assert compose_shared(stats, Style(level="boxes"), (1280, 720)).items == ()


def test_labels_keep_out_of_the_shared_overlays_way() -> None:
    shared = compose_shared(FULL_STATS, Style(), (1280, 720))
    result = make_result((640, 480), [(10, 0, 320, 470)])
    scene = compose(
        result, Stats(), Style(), (1280, 720), View(0, 0, 640, 720).fitted((640, 480)), title="a", over=shared
    )
    crowded = compose(result, Stats(), Style(), (1280, 720), View(0, 0, 640, 480), title="a", over=shared)
    for one in (scene, crowded):
        label = next(
            c
            for c in one.items
            if isinstance(c, Chip) and "person" in texts(Scene((1, 1), View(0, 0, 1, 1), (c,)))
        )
        for chip in shared.items:
            assert isinstance(chip, Chip)
            assert label.x >= chip.x + chip.w or label.y >= chip.y + chip.h or label.y + label.h <= chip.y
