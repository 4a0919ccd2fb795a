from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from overlay_samples import FULL_STATS, boxes, chips, make_result, texts

from edgecam.core.types import Classification, Stats
from edgecam.overlay.boxes import PREDICT_LIMIT_S
from edgecam.overlay.compose import WAITING, compose, text_size_px
from edgecam.overlay.font import cap_height, text_width
from edgecam.overlay.hud import HUD_SHARE
from edgecam.overlay.scene import Chip, Outline, Scene, Text, View
from edgecam.overlay.style import Style


def assert_all_inside(scene: Scene) -> None:
    view = scene.view
    for item in scene.items:
        assert not isinstance(item, Outline)
        assert view.x <= item.x and item.x + item.w <= view.x + view.w, item
        assert view.y <= item.y and item.y + item.h <= view.y + view.h, item
        if not isinstance(item, Chip):
            continue
        for mark in item.marks:
            if isinstance(mark, Text):
                assert mark.x >= 0
                assert mark.x + text_width(mark.text, mark.size_px, mark.bold) <= item.w + 0.01, mark
                assert mark.baseline - cap_height(mark.size_px) >= 0 and mark.baseline <= item.h, mark
            else:
                assert mark.x >= 0 and mark.y >= 0, mark
                assert mark.x + mark.w <= item.w + 0.01 and mark.y + mark.h <= item.h + 0.01, mark


number = st.floats(-500, 5000, width=32)
label_text = st.text(min_size=0, max_size=30)


@settings(max_examples=150, deadline=None)
@given(
    wh=st.tuples(st.integers(8, 4096), st.integers(8, 2400)),
    corners=st.lists(st.tuples(number, number, number, number), max_size=12),
    names=st.lists(label_text, min_size=1, max_size=6, unique=True),
    scale=st.floats(0.3, 3.0),
    notice=label_text,
    stale=st.booleans(),
)
def test_nothing_ever_leaves_the_picture(
    wh: Any, corners: Any, names: Any, scale: Any, notice: Any, stale: Any
) -> None:
    result = make_result(
        (320, 240),
        corners,
        labels=tuple(names),
        crop=tuple((Classification(names[-1], 0, 0.5),) for _ in corners),
        classes=tuple(Classification(n, i, 0.5) for i, n in enumerate(names)),
    )
    style = Style(scale=scale, recording=True, credit=names[0])
    assert_all_inside(compose(result, replace(FULL_STATS, notice=notice), style, wh, stale=stale))


@settings(max_examples=40, deadline=None)
@given(
    canvas=st.tuples(st.integers(64, 2000), st.integers(64, 2000)),
    picture=st.tuples(st.integers(16, 4000), st.integers(16, 4000)),
)
def test_the_letterbox_keeps_shape_and_overlay(canvas: Any, picture: Any) -> None:
    view = View.letterbox(picture, canvas)
    assert view.x >= 0 and view.y >= 0 and view.x + view.w <= canvas[0] and view.y + view.h <= canvas[1]
    assert view.w == canvas[0] or view.h == canvas[1]
    exact = min(canvas[0] / picture[0], canvas[1] / picture[1])
    assert abs(view.w - picture[0] * exact) <= 1 and abs(view.h - picture[1] * exact) <= 1
    scene = compose(make_result((100, 100), [(5, 5, 50, 50)]), FULL_STATS, Style(), canvas, view)
    assert_all_inside(scene)


@pytest.mark.parametrize("wh", [(640, 480), (854, 480), (1280, 720), (480, 640), (1920, 1080), (3840, 2160)])
def test_everything_is_said_at_every_usual_size(wh: Any) -> None:
    w, h = wh
    result = make_result(
        wh, [(0.1 * w, 0.3 * h, 0.4 * w, 0.9 * h)], crop=((Classification("beagle", 7, 0.44),),)
    )
    said = texts(compose(result, FULL_STATS, Style(recording=True), wh))
    for part in (
        "person 0.95 #1 · beagle 0.44",
        "capture 30.0 inference 24.6 display 60.0 fps",
        "frame age 38 p95 52 ms",
        "≈ 6.1 W ±25 % estimated ≈ 247 mJ/frame",
        "61 °C under-voltage",
        f"{w}×{h} · ssdlite mnv4-conv-s 320",
        "REC",
    ):
        assert part in said


def test_text_grows_with_the_picture_and_stays_legible() -> None:
    sizes = [text_size_px(View(0, 0, w, h)) for w, h in ((160, 120), (640, 480), (1280, 720), (3840, 2160))]
    assert sizes == sorted(sizes) and sizes[0] >= 11
    assert 16 <= sizes[2] <= 20 and sizes[3] == pytest.approx(3 * sizes[2], abs=2)


def test_style_leaves_out_what_it_should() -> None:
    result = make_result((1280, 720), [(100, 200, 300, 400)], crop=((Classification("beagle", 7, 0.44),),))
    bare = Style(scores=False, ids=False, crop_classes=False, level="boxes")
    assert texts(compose(result, FULL_STATS, bare, (1280, 720))) == "person"
    assert texts(compose(result, FULL_STATS, replace(bare, labels=False), (1280, 720))) == ""
    assert len(boxes(compose(result, FULL_STATS, replace(bare, labels=False), (1280, 720)))) == 1


def test_boxes_scale_with_the_view_and_broken_ones_are_left_out() -> None:
    nan = float("nan")
    result = make_result(
        (200, 100), [(20, 10, 60, 50), (nan, nan, nan, nan), (50, 50, 40, 40), (-9, -9, -1, -1)]
    )
    scene = compose(result, Stats(), Style(level="boxes"), (1000, 500), View(100, 50, 800, 400))
    (box,) = boxes(scene)
    assert (box.x, box.y, box.w, box.h) == (180, 90, 160, 160)


def test_boxes_move_on_to_the_shown_moment_but_not_far() -> None:
    speed = np.array([[100, 0, 100, 0]], np.float32)
    result = make_result((640, 480), [(100, 100, 200, 200)], velocity=speed)

    def x_after(ms: float) -> int:
        at = result.frame.captured_ns + int(ms * 1e6)
        return boxes(compose(result, Stats(), Style(level="boxes"), (640, 480), at_ns=at))[0].x

    assert x_after(0) == 100 and x_after(-50) == 100
    assert x_after(100) == 110
    assert x_after(5000) == 100 + round(PREDICT_LIMIT_S * 100)


def test_a_notice_stands_at_the_foot_or_over_a_stale_greyed_picture() -> None:
    result, lost = make_result((640, 480), []), Stats(notice="camera lost, retrying in 4 s")
    stale = compose(result, lost, Style(level="boxes"), (640, 480), stale=True)
    assert stale.greyed and texts(stale) == lost.notice
    assert abs(chips(stale)[0].y + chips(stale)[0].h / 2 - 240) <= 1
    lively = compose(
        result, Stats(notice="detecting at 10 Hz to stay cool"), Style(level="boxes"), (640, 480)
    )
    assert not lively.greyed and "to stay cool" in texts(lively)
    assert chips(lively)[0].y > 440


def test_before_the_first_picture_it_says_so() -> None:
    assert WAITING in texts(compose(None, Stats(), Style(), (640, 480)))


def test_the_hud_leaves_most_of_a_small_picture_free() -> None:
    for wh in ((320, 240), (240, 320), (160, 120), (1280, 200)):
        scene = compose(make_result(wh, []), FULL_STATS, Style(), wh)
        assert all(c.y + c.h <= wh[1] * HUD_SHARE for c in chips(scene))
        assert_all_inside(scene)


def test_whole_frame_classes_are_listed_best_first() -> None:
    named = tuple(
        Classification(n, i, s) for i, (n, s) in enumerate([("tabby", 0.71), ("lynx", 0.12), ("tiger", 0.04)])
    )
    scene = compose(make_result((1280, 720), [], classes=named), Stats(), Style(), (1280, 720))
    assert "tabby 71 % lynx 12 % tiger 4 %" in texts(scene)


def test_what_is_kept_between_frames_never_shows_where_it_no_longer_fits() -> None:
    wh = (1280, 720)
    result, style = make_result(wh, [(300, 300, 500, 600)]), Style()
    first = compose(result, FULL_STATS, style, wh)
    for other in (
        compose(result, replace(FULL_STATS, inference_fps=3.0), style, wh),
        compose(result, FULL_STATS, replace(style, level="boxes"), wh),
        compose(result, FULL_STATS, style, (640, 360)),
        compose(result, FULL_STATS, replace(style, recording=True), wh),
    ):
        assert texts(other) != texts(first) or other.view != first.view
    assert compose(result, FULL_STATS, style, wh) == first
    # before there are statistics the age is each result's own
    early, none = Stats(), replace(result, completed_ns=result.frame.captured_ns + 31_000_000)
    later = replace(result, completed_ns=result.frame.captured_ns + 77_000_000)
    assert "31" in texts(compose(none, early, style, wh))
    assert "77" in texts(compose(later, early, style, wh))
