"""Selection and suppression against plain loops, and the box maths of fits."""

from __future__ import annotations

import tracemalloc

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecam.inference.models.card import Card, Interpolation, card_from_json
from edgecam.inference.postprocess import BLOCK, MAX_CANDIDATES, Thresholds, select, suppress
from edgecam.inference.preprocess import Fit, Resizer, resizer_of


def iou(a: np.ndarray, b: np.ndarray) -> float:
    wide = min(a[2], b[2]) - max(a[0], b[0])
    high = min(a[3], b[3]) - max(a[1], b[1])
    inter = max(wide, 0) * max(high, 0)
    return float(inter / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inter))


def plain_nms(boxes: np.ndarray, classes: np.ndarray, limit: float) -> list[int]:
    kept: list[int] = []
    for i in range(len(boxes)):
        if all(classes[i] != classes[j] or iou(boxes[i], boxes[j]) <= limit for j in kept):
            kept.append(i)
    return kept


def scene(seed: int, count: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    corner = rng.random((count, 2)).astype(np.float32)
    boxes = np.concatenate([corner, corner + rng.uniform(0.05, 0.4, (count, 2))], 1).astype(np.float32)
    return boxes, rng.random((count, classes)).astype(np.float32)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6), st.integers(0, 60), st.floats(0.1, 0.9))
def test_suppression_equals_plain_loops(seed: int, count: int, limit: float) -> None:
    boxes, scores = scene(seed, count, 3)
    classes = scores.argmax(axis=1).astype(np.int32) if count else np.empty(0, np.int32)
    assert suppress(boxes, classes, limit, 1000).tolist() == plain_nms(boxes, classes, limit)


def test_suppression_of_a_crowd_goes_block_by_block_and_stays_small() -> None:
    count = 3 * BLOCK + 17
    boxes, scores = scene(7, count, 4)
    classes = scores.argmax(axis=1).astype(np.int32)
    wanted = plain_nms(boxes, classes, 0.2)
    assert suppress(boxes, classes, 0.2, 1000).tolist() == wanted
    assert wanted[-1] >= 2 * BLOCK  # something was kept beyond the first blocks
    assert suppress(boxes, classes, 0.2, len(wanted) - 3).tolist() == wanted[:-3]
    boxes, scores = scene(8, MAX_CANDIDATES, 4)
    tracemalloc.start()
    suppress(boxes, scores.argmax(axis=1).astype(np.int32), 0.5, 100)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000  # no allocation above 1 MB per frame


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.integers(1, 40), st.floats(0.3, 0.95))
def test_selection_equals_plain_loops(seed: int, count: int, least: float) -> None:
    boxes, scores = scene(seed, count, 4)
    limits = Thresholds(np.array([least, least, np.inf, least / 2], np.float32), 0.5, 1000, cross_iou=1.0)
    xyxy, score, class_id = select(boxes, scores, limits)
    hits = [
        (float(scores[n, c]), n, c) for n in range(count) for c in range(4) if scores[n, c] >= limits.score[c]
    ]
    hits.sort(key=lambda hit: -hit[0])
    kept = plain_nms(boxes[[n for _, n, _ in hits]], np.array([c for _, _, c in hits]), 0.5)
    wanted = [(hits[k][0], hits[k][2]) for k in kept]
    assert list(zip(score.tolist(), class_id.tolist(), strict=True)) == wanted
    np.testing.assert_array_equal(xyxy, boxes[[hits[k][1] for k in kept]])


def test_one_object_has_one_class() -> None:
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 9.5], [0, 0, 10, 6]], np.float32)
    classes = np.array([0, 1, 1], np.int32)
    assert suppress(boxes, classes, 0.5, 9, 0.85).tolist() == [0, 2]
    assert suppress(boxes, classes, 0.5, 9).tolist() == [0, 1]


def test_limits_of_count() -> None:
    boxes, scores = scene(1, 3000, 4)
    limits = Thresholds(np.full(4, 0.01, np.float32), 0.99, 7)
    xyxy, score, _ = select(boxes, scores, limits)
    assert len(xyxy) == 7
    assert score[0] == scores.max()
    assert (np.diff(score) <= 0).all()


@settings(deadline=None, max_examples=60)
@given(st.integers(8, 400), st.integers(8, 400), st.integers(16, 96), st.integers(16, 96))
def test_letterbox_there_and_back(width: int, height: int, in_w: int, in_h: int) -> None:
    resizer = Resizer((in_w, in_h), "letterbox")
    image = np.full((height, width, 3), 200, np.uint8)
    fit = resizer.picture(image)
    inside = np.argwhere(resizer.buffer[0, :, :, 0] == 200)
    (top, left), (bottom, right) = inside.min(axis=0), inside.max(axis=0) + 1
    box = np.array([[left / in_w, top / in_h, right / in_w, bottom / in_h]], np.float32)
    np.testing.assert_allclose(
        fit.to_pixels(box, (width, height)), [[0, 0, width, height]], atol=width * 1e-3
    )
    middle = np.array([[0.5, 0.5, 0.5, 0.5]], np.float32)
    slack = max(width / (right - left), height / (bottom - top))  # bars may differ by one pixel
    np.testing.assert_allclose(
        fit.to_pixels(middle, (width, height)), [[width / 2, height / 2] * 2], atol=slack
    )


def test_bars_are_repainted_when_the_shape_changes() -> None:
    resizer = Resizer((16, 16), "letterbox", pad=7)
    resizer.picture(np.full((16, 32, 3), 200, np.uint8))
    resizer.picture(np.full((32, 16, 3), 100, np.uint8))
    assert set(np.unique(resizer.buffer).tolist()) == {7, 100}


def test_the_centre_that_the_card_says_is_kept() -> None:
    picture = np.zeros((200, 400, 3), np.uint8)
    picture[:, 100:300] = 50  # the central square
    picture[20:180, 120:280] = 100  # the central 80 % of it
    for crop, kept in ((1.0, {50, 100}), (0.8, {100})):
        card = Card(
            name="c", task="classification", architecture="a", labels=("x",), resolution=(40, 40),
            resize="center_crop", crop=crop,
        )  # fmt: skip
        resizer = resizer_of(card)
        resizer.picture(picture)
        assert set(np.unique(resizer.buffer).tolist()) == kept
    with pytest.raises(msgspec.ValidationError, match=r"<= 1.*crop"):
        card_from_json(card.to_json().replace("0.8", "1.5"))


def test_published_weights_see_pictures_averaged() -> None:
    stripes = np.zeros((256, 256, 3), np.uint8)
    stripes[:, 1::4] = 200  # at a quarter of the size, one of four pixels that become one
    seen: dict[Interpolation, int] = {
        "fast": 100,
        "bilinear": 50,
        "bicubic": 50,
    }  # its two middle ones, or all
    for interpolation, grey in seen.items():
        resizer = Resizer((64, 64), interpolation=interpolation)
        resizer.picture(stripes)
        assert np.abs(resizer.buffer.astype(int) - grey).max() <= 1
        resizer.picture(np.full((32, 32, 3), 90, np.uint8))
        assert set(np.unique(resizer.buffer).tolist()) == {90}


def test_the_buffer_stays_the_same_memory() -> None:
    resizer = Resizer((16, 12))
    before = resizer.buffer.ctypes.data
    for shape in ((48, 64, 3), (12, 16, 3), (7, 9, 3)):
        resizer.picture(np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8))
        assert resizer.buffer.ctypes.data == before
        assert resizer.buffer.any()


def test_fit_maps_and_clips() -> None:
    fit = Fit(0.5, 1.0, 0.25, 0.0)
    boxes = np.array([[0.25, 0.0, 0.75, 1.0], [0.0, -1.0, 0.5, 0.5]], np.float32)
    np.testing.assert_allclose(fit.to_pixels(boxes, (100, 50)), [[0, 0, 100, 50], [0, 0, 50, 25]])
