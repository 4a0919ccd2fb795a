from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from overlay_samples import FULL_STATS, make_result

from edgecam.core.types import Classification, Stats
from edgecam.overlay.compose import compose
from edgecam.overlay.scene import Box, Chip, Panel, Scene, Text, View
from edgecam.overlay.scene_cv import paint_cv
from edgecam.overlay.sprites import KEPT_AT_LEAST, Sprite, _Kept
from edgecam.overlay.style import Style


def noise(wh: tuple[int, int]) -> np.ndarray:
    """

    # Private names are touched here, for the bound of kept sprites is memory: nothing that is painted shows
    # it.A smooth picture with all grey levels and colours."""
    w, h = wh
    y, x = np.mgrid[0:h, 0:w]
    return np.stack([x * 255 / w, y * 255 / h, (x + y) * 255 / (w + h)], -1).astype(np.uint8)


def full_scene(wh: tuple[int, int], **style: Any) -> tuple[Scene, np.ndarray]:
    image, (w, h) = noise(wh), wh
    boxes = [
        (0.1 * w, 0.3 * h, 0.4 * w, 0.9 * h),
        (0.5 * w, 0.0, w, 0.5 * h),
        (0.6 * w, 0.6 * h, 0.7 * w, 0.7 * h),
    ]
    named = tuple(Classification(n, i, 0.7 / (i + 1)) for i, n in enumerate(("tabby", "lynx")))
    result = make_result(wh, boxes, crop=((named[0],), (), ()), classes=named, image=image)
    return compose(result, FULL_STATS, Style(recording=True, credit="picture: NASA", **style), wh), image


def test_the_picture_given_is_never_written_to() -> None:
    scene, image = full_scene((640, 480))
    before = image.copy()
    image.flags.writeable = False
    out = paint_cv(scene, image)
    assert (image == before).all() and not np.shares_memory(out, image)
    assert (out != image).any()


def test_painting_in_place_and_into_a_given_array_agree() -> None:
    scene, image = full_scene((640, 480))
    fresh = paint_cv(scene, image)
    given_out = np.full_like(image, 7)
    assert paint_cv(scene, image, given_out) is given_out
    assert (given_out == fresh).all()
    assert (paint_cv(scene, image, image) == fresh).all()


def test_a_wrong_out_is_refused() -> None:
    scene, image = full_scene((640, 480))
    with pytest.raises(ValueError, match=r"\(480, 640, 3\)"):
        paint_cv(scene, image, np.zeros((10, 10, 3), np.uint8))


def test_a_box_is_drawn_in_its_colour_with_a_dark_rim_and_nothing_inside() -> None:
    grey = np.full((100, 100, 3), 200, np.uint8)
    scene = Scene((100, 100), View(0, 0, 100, 100), (Box(20, 30, 50, 40, 6, 3, 1, (230, 159, 0, 255)),))
    out = paint_cv(scene, grey)
    assert out[50, 20].tolist() == out[50, 22].tolist() == out[30, 45].tolist() == [0, 159, 230]
    assert out[50, 69].tolist() == out[69, 45].tolist() == [0, 159, 230]
    for y, x in ((50, 19), (50, 23), (29, 45), (33, 45), (50, 70), (70, 45)):
        assert out[y, x].tolist() == [106, 106, 106], (y, x)
    assert (out[35:65, 25:65] == 200).all() and (out[:28] == 200).all() and (out[72:] == 200).all()
    assert 120 < out[30, 20].mean() <= 200  # the corner is round


@settings(max_examples=60, deadline=None)
@given(
    x=st.integers(-40, 120), y=st.integers(-40, 120), w=st.integers(1, 130), h=st.integers(1, 130),
    stroke=st.integers(1, 9), halo=st.integers(0, 4),
)  # fmt: skip
def test_boxes_and_chips_of_any_size_and_place_can_be_painted(
    x: Any, y: Any, w: Any, h: Any, stroke: Any, halo: Any
) -> None:
    items = (
        Box(x, y, w, h, 2 * stroke, stroke, halo, (86, 180, 233, 255)),
        Chip(x, y, w, h, stroke, (1, 2, 3, 128), (Panel(1, 1, w, h, 2, (9, 9, 9, 255)),)),
    )
    image = np.full((100, 100, 3), 77, np.uint8)
    out = paint_cv(Scene((100, 100), View(0, 0, 100, 100), items), image)
    far = np.ones((100, 100), bool)
    far[max(0, y - halo) : max(0, y + h + halo), max(0, x - halo) : max(0, x + w + halo)] = False
    assert (out[far] == 77).all()


@pytest.mark.parametrize("alpha", [0, 1, 100, 128, 254, 255])
def test_a_chip_is_blended_to_the_nearest_level(alpha: int) -> None:
    image = noise((256, 256))
    fill = (240, 128, 3, alpha)
    out = paint_cv(Scene((256, 256), View(0, 0, 256, 256), (Chip(0, 0, 256, 256, 0, fill, ()),)), image)
    exact = image * (1 - alpha / 255) + np.array(fill[2::-1]) * (alpha / 255)
    assert np.abs(out[1:-1, 1:-1] - exact[1:-1, 1:-1]).max() <= 1.5


def test_a_letterboxed_picture_has_black_bars() -> None:
    image = np.full((50, 100, 3), 180, np.uint8)
    out = paint_cv(
        Scene((200, 200), View.letterbox((100, 50), (200, 200))), image, np.full((200, 200, 3), 9, np.uint8)
    )
    assert (out[:50] == 0).all() and (out[150:] == 0).all() and (out[50:150] == 180).all()


def test_a_greyed_picture_has_no_colour_and_is_darker() -> None:
    image = noise((320, 240))
    out = paint_cv(Scene((320, 240), View(0, 0, 320, 240), greyed=True), image)
    assert (out[..., 0] == out[..., 1]).all() and (out[..., 1] == out[..., 2]).all()
    assert out.mean() < 0.7 * image.mean()


def test_the_text_can_be_read_back_from_the_pixels() -> None:
    """White text on the dark bar: enough light pixels, in as many letters as there are."""
    import cv2

    scene = compose(None, Stats(capture_fps=30.0, notice="HELLO WORLD"), Style(level="boxes"), (1280, 720))
    (chip,) = (item for item in scene.items if isinstance(item, Chip))
    out = paint_cv(scene, np.zeros((720, 1280, 3), np.uint8))
    inside = out[chip.y : chip.y + chip.h, chip.x : chip.x + chip.w].min(axis=2)
    letters, _ = cv2.connectedComponents((inside > 128).astype(np.uint8))
    assert letters - 1 == len("HELLOWORLD")


@pytest.mark.parametrize("wh", [(640, 480), (1280, 720), (1920, 1080)])
@pytest.mark.parametrize("theme", ["dark", "light"])
def test_both_painters_make_the_same_picture(qt_app: Any, wh: Any, theme: Any) -> None:
    from PyQt6.QtGui import QImage, QPainter

    from edgecam.overlay.scene_qt import paint_qt

    scene, image = full_scene(wh, theme=theme)
    by_cv = paint_cv(scene, image).astype(int)
    canvas = QImage(image.data, wh[0], wh[1], wh[0] * 3, QImage.Format.Format_BGR888).convertToFormat(  # type: ignore[call-overload]
        QImage.Format.Format_RGB32
    )
    painter = QPainter(canvas)
    paint_qt(scene, painter)
    painter.end()
    bits = canvas.constBits()
    assert bits is not None
    by_qt = (
        np.frombuffer(bits.asstring(canvas.sizeInBytes()), np.uint8)
        .reshape(wh[1], wh[0], 4)[..., :3]
        .astype(int)
    )
    difference = np.abs(by_cv - by_qt).max(axis=2)
    drawn = np.abs(by_cv - image).max(axis=2) > 0
    assert drawn.sum() > 5000
    assert difference[~drawn].max(initial=0) <= 60  # antialiased rims only
    assert difference[drawn].mean() < 6.0
    assert (difference > 60).mean() < 0.001


def test_chips_whose_figures_change_for_ever_do_not_pile_up() -> None:
    made: list[object] = []

    def make(key: object) -> Sprite:
        made.append(key)
        return Sprite(np.zeros((40, 300, 3), np.uint8), np.zeros((40, 300, 3), np.uint8))

    kept = _Kept(make, 1 << 20)
    for number in range(500):
        kept.get(((300, 40), 8, (0, 0, 0, 255), (Text(0, 0, str(number), 20, False, (255,) * 4),)))
    assert kept.size_bytes == len(kept._sprites) * 40 * 300 * 6 <= max(1 << 20, KEPT_AT_LEAST * 72_000)
    assert len(kept._sprites) == KEPT_AT_LEAST
    kept.get(next(reversed(kept._sprites)))
    assert len(made) == 500
