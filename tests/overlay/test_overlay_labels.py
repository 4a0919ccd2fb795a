"""Labels: where they stand, what they keep clear, and that they stay."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from overlay_samples import FULL_STATS, LABELS, boxes, chips, make_result

from edgecam.core.types import Classification, Detections, Frame, Result, Stats
from edgecam.overlay.compose import compose
from edgecam.overlay.label_placement import LabelMemory, LabelPlacement
from edgecam.overlay.scene import Chip, Text, View
from edgecam.overlay.style import Level, Style


def overlap(a: Chip, b: Chip) -> bool:
    return a.x < b.x + b.w and b.x < a.x + a.w and a.y < b.y + b.h and b.y < a.y + a.h


def test_a_label_stands_above_its_box_and_flips_inside_at_the_top() -> None:
    style = Style(level="boxes")
    free = compose(make_result((640, 480), [(100, 200, 300, 400)]), Stats(), style, (640, 480))
    (box,), (chip,) = boxes(free), chips(free)
    assert (chip.x, chip.y + chip.h) == (box.x, box.y)
    edge = compose(make_result((640, 480), [(600, 0, 640, 400)]), Stats(), style, (640, 480))
    (box,), (chip,) = boxes(edge), chips(edge)
    assert chip.y == 0 and chip.x + chip.w == 640


def test_labels_of_boxes_at_one_place_move_apart() -> None:
    at_once = [(100.0, 200.0, 300.0, 400.0)] * 5
    placed = chips(compose(make_result((640, 480), at_once), Stats(), Style(level="boxes"), (640, 480)))
    assert len(placed) == 5
    assert not any(overlap(a, b) for i, a in enumerate(placed) for b in placed[:i])


def test_labels_keep_off_the_hud() -> None:
    scene = compose(make_result((1280, 720), [(10, 20, 300, 300)]), FULL_STATS, Style(), (1280, 720))
    label = next(c for c in chips(scene) if any(isinstance(m, Text) and m.text == "person" for m in c.marks))
    assert not any(overlap(label, c) for c in chips(scene) if c is not label)


def test_a_label_keeps_its_place_when_a_younger_track_comes() -> None:
    one = compose(make_result((640, 480), [(100, 200, 300, 400)]), Stats(), Style(level="boxes"), (640, 480))
    two = compose(
        make_result((640, 480), [(100, 200, 300, 400), (110, 200, 310, 400)]),
        Stats(),
        Style(level="boxes"),
        (640, 480),
    )
    assert (chips(two)[0].x, chips(two)[0].y) == (chips(one)[0].x, chips(one)[0].y)


def test_only_the_best_of_a_crowd_are_labelled() -> None:
    many = [(5.0 * i, 3.0 * i, 5.0 * i + 40, 3.0 * i + 40) for i in range(100)]
    scene = compose(make_result((640, 480), many), Stats(), Style(level="boxes"), (640, 480))
    labels = chips(scene)
    assert len(boxes(scene)) == 100 and 20 <= len(labels) <= 40
    for i, a in enumerate(labels):
        for b in labels[:i]:
            w = min(a.x + a.w, b.x + b.w) - max(a.x, b.x)
            h = min(a.y + a.h, b.y + b.h) - max(a.y, b.y)
            assert max(0, w) * max(0, h) <= 0.4 * a.w * a.h + 1


def test_a_label_does_not_jump_while_its_place_is_nearly_free() -> None:
    """A person as high as the picture: a step of two pixels must not carry the label from head to foot."""
    memory, style, seen = LabelMemory(), Style(level="full"), set()
    for top in (0.0, 30.0, 2.0, 34.0, 0.0, 40.0):
        result = make_result((1280, 720), [(60.0, top, 330.0, 716.0)])
        scene = compose(result, FULL_STATS, style, (1280, 720), memory=memory)
        (label,) = [
            c for c in chips(scene) if any(isinstance(m, Text) and m.text == "person" for m in c.marks)
        ]
        seen.add(label.y < 360)
    assert len(seen) == 1


def test_labels_without_detector_labels_in_use_cost_nothing() -> None:
    assert (
        compose(make_result((64, 48), [], labels=LABELS), Stats(), Style(level="boxes"), (64, 48)).items == ()
    )


@pytest.mark.parametrize(
    ("score", "tracked", "shown"),
    [
        (0.74, True, "0.70"),
        (0.75, True, "0.75"),
        (0.999, True, "0.95"),
        (1.0, True, "1.00"),
        (0.74, False, "0.74"),
    ],
)
def test_a_tracked_score_does_not_flicker(score: float, tracked: bool, shown: str) -> None:
    found = Detections(
        np.array([[100, 200, 300, 400]], np.float32),
        np.array([score], np.float32),
        np.zeros(1, np.int32),
        ("person",),
        np.ones(1, np.int32) if tracked else None,
    )
    frame = Frame(np.zeros((720, 1280, 3), np.uint8), 0, 0, "s")
    figures: tuple[tuple[Level, str], ...] = (("full", shown), ("boxes", f"{round(float(shown) * 100)} %"))
    for level, figure in figures:
        scene = compose(Result(frame, found), Stats(), Style(level=level), (1280, 720))
        words = [m.text for c in chips(scene) for m in c.marks if isinstance(m, Text)]
        label = ["person", figure, *(["#1"] if tracked and level == "full" else [])]
        assert words[: len(label)] == label


def test_no_text_covers_what_must_stay_clear() -> None:
    crowd = [(40.0 * i, 20.0 * j, 40.0 * i + 200, 20.0 * j + 300) for i in range(30) for j in range(30)]
    classes = (Classification("tabby", 1, 0.9), Classification("sofa", 2, 0.05))
    result, stats = make_result((1280, 720), crowd, classes=classes), replace(FULL_STATS, notice="lost " * 30)
    clear = (0.0, 0.9, 0.6, 0.1)
    for source, keeps, title in (("demo:", True, ""), ("another", False, ""), ("demo:", True, "a camera")):
        style = Style(keep_clear=((source, clear),))
        scene = compose(result, stats, style, (1920, 1080), View(0, 0, 1920, 1080), title=title)
        inside = [c for c in chips(scene) if c.x < 1152 and c.y + c.h > 972]
        assert bool(inside) is not keeps


@pytest.mark.parametrize("level", ["simple", "full"])
@pytest.mark.parametrize("clear", [(0.0, 0.0, 0.03, 0.35), (0.65, 0.0, 0.35, 0.05), (0.0, 0.0, 0.35, 0.05)])
def test_what_must_stay_clear_does_so_in_a_turned_picture_too(
    level: Level, clear: tuple[float, float, float, float]
) -> None:
    style = Style(level=level, stamp=True, keep_clear=(("demo:", clear),))
    for wh in ((320, 240), (720, 1280), (1280, 720)):
        scene = compose(make_result(wh, [(0, 0, *wh)]), FULL_STATS, style, wh)
        left, upper = clear[0] * wh[0], clear[1] * wh[1]
        right, low = left + clear[2] * wh[0], upper + clear[3] * wh[1]
        assert chips(scene)
        for c in chips(scene):
            assert c.x + c.w <= left or c.x >= right or c.y + c.h <= upper or c.y >= low


def test_nothing_ever_covers_the_credit() -> None:
    """It is owed to the photographer: however crowded the picture, it comes last, notices stand above it."""
    crowd = [(40.0 * i, 20.0 * j, 40.0 * i + 200, 20.0 * j + 300) for i in range(30) for j in range(30)]
    notice = Stats(notice="camera lost, retrying in 4 s, and a long story about why that is so " * 2)
    scene = compose(make_result((1280, 720), crowd), notice, Style(credit="pictures: NASA"), (1280, 720))
    *others, credit = [item for item in scene.items if isinstance(item, Chip)]
    assert scene.items[-1] is credit
    assert "NASA" in "".join(mark.text for mark in credit.marks if isinstance(mark, Text))
    alert = others[-1]
    assert "camera lost" in "".join(mark.text for mark in alert.marks if isinstance(mark, Text))
    assert alert.y + alert.h <= credit.y


def test_a_label_goes_beside_what_covers_all_its_usual_places() -> None:
    view = View(0, 0, 106, 80)
    hud, name = (0, 0, 106, 48), (78, 56, 28, 24)
    placement = LabelPlacement(view, [hud, name])
    placed = placement.put((42, 4, 60, 68), (75, 14))
    assert placed is not None
    x, y, _ = placed
    assert x + 75 <= name[0] and y >= hud[3]
    # one that is as wide as all that is free is left out rather than half covered
    assert LabelPlacement(view, [(0, 0, 106, 60), (60, 60, 46, 20)]).put((42, 4, 60, 68), (105, 14)) is None
