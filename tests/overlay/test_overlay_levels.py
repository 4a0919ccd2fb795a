"""What each level of the overlay shows, and what it leaves out."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from overlay_samples import FULL_STATS, chips, make_result, texts

from edgecam.core.types import BoardHealth, Classification, Stats
from edgecam.overlay.compose import compose, compose_shared
from edgecam.overlay.palette import class_colours
from edgecam.overlay.scene import Box, View
from edgecam.overlay.style import LEVELS, Style

WH = (1280, 720)


def said(level: Any, stats: Any = FULL_STATS, result: Any = None, **style: Any) -> Any:
    return texts(
        compose(result or make_result(WH, [(300, 200, 500, 700)]), stats, Style(level=level, **style), WH)
    )


def test_simple_names_camera_time_one_rate_and_watts() -> None:
    text = said(
        "simple", names=(("demo:", "front door"),), stats=replace(FULL_STATS, health=BoardHealth(61.0))
    )
    label, name, rate = text.split(" | ")
    assert name.startswith("front door ") and name.count(":") == 2
    assert rate == "24.6 per second ≈ 6 W"
    assert label == "person 95 %"


def test_simple_tells_a_films_place_instead_of_the_time() -> None:
    result = make_result(WH, [])
    result = replace(result, frame=replace(result.frame, media_ns=125_900_000_000))
    assert said("simple", Stats(), result) == "demo: 2:05"


def test_alarms_are_told_at_the_simple_level_too() -> None:
    assert "under-voltage" in said("simple") and "83 °C" in said("simple", Stats(health=BoardHealth(83.0)))
    assert "61 °C" not in said("simple", Stats(health=BoardHealth(61.0)))


def test_boxes_shows_nothing_but_boxes_and_off_nothing() -> None:
    assert said("boxes") == "person 95 %"
    assert said("off") == ""
    assert not any(
        isinstance(i, Box)
        for i in compose(make_result(WH, [(9, 9, 99, 99)]), FULL_STATS, Style(level="off"), WH).items
    )


@pytest.mark.parametrize("level", LEVELS)
def test_an_old_picture_never_passes_for_a_live_one(level: Any) -> None:
    scene = compose(
        make_result(WH, []), Stats(notice="camera lost, retrying in 4 s"), Style(level=level), WH, stale=True
    )
    assert scene.greyed and "camera lost" in texts(scene)


@pytest.mark.parametrize("level", LEVELS)
def test_the_stamp_has_date_time_and_camera_at_every_level(level: Any) -> None:
    text = said(level, stamp=True, names=(("demo:", "yard"),))
    stamp = next(part for part in text.split(" | ") if part.endswith("yard") and part[4] == "-")
    assert len(stamp.split()) == 3


def test_tiles_of_the_simple_level_say_their_name_alone() -> None:
    cell = View(0, 0, 690, 500)
    scene = compose(
        make_result((640, 480), []), FULL_STATS, Style(level="simple"), (1400, 700), cell, title="front"
    )
    assert texts(scene) == "front"
    assert texts(compose_shared(FULL_STATS, Style(level="simple"), WH)).startswith(
        "all cameras | 24.6 per second"
    )


def test_a_class_of_the_classifier_that_repeats_the_label_is_left_out() -> None:
    same = make_result(WH, [(300, 200, 500, 700)], crop=((Classification("person", 1, 0.9),),))
    assert said("full", result=same).startswith("person 0.95 #1 |")
    other = make_result(WH, [(300, 200, 500, 700)], crop=((Classification("beagle", 1, 0.9),),))
    assert said("simple", result=other).startswith("person · beagle 95 % |")


def test_no_two_of_eighty_classes_share_a_colour_and_none_comes_near_a_common_one() -> None:
    labels = ("person", "car", "dog", "cat", *(f"thing {i}" for i in range(76)))
    colours = class_colours(labels)
    assert len(set(colours)) == 80
    distance = min(
        sum((a - b) ** 2 for a, b in zip(common, other, strict=True)) ** 0.5
        for common in colours[:4]
        for other in colours[4:]
    )
    assert distance > 30


def test_the_credit_stays_at_every_level() -> None:
    for a, b in pairwise(LEVELS):
        assert "NASA" in said(a, credit="pictures: NASA") and "NASA" in said(b, credit="pictures: NASA")


def test_labels_are_chips_inside_the_picture() -> None:
    scene = compose(make_result(WH, [(0, 0, 1280, 720)]), FULL_STATS, Style(level="simple"), WH)
    assert all(c.x >= 0 and c.x + c.w <= 1280 and c.y >= 0 and c.y + c.h <= 720 for c in chips(scene))


def test_what_is_tentative_is_drawn_thinly_and_only_when_asked_for() -> None:
    sure = make_result(WH, [(300, 200, 500, 700)])
    result = replace(sure, tentative=make_result(WH, [(700, 100, 900, 300)]).detections)
    assert compose(result, Stats(), Style(), WH).items == compose(sure, Stats(), Style(), WH).items
    boxes = [i for i in compose(result, Stats(), Style(tentative=True), WH).items if isinstance(i, Box)]
    assert [(b.x, b.stroke_px) for b in boxes] == [(700, 1), (300, 3)]
    assert texts(compose(result, Stats(), Style(tentative=True), WH)) == texts(
        compose(sure, Stats(), Style(), WH)
    )
