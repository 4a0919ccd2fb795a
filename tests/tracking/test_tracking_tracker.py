"""Identities on known truth: moving, crossing, vanishing and still objects, at several rates."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecam.core.ports import Tracker
from edgecam.core.types import Detections
from edgecam.tracking.identities import SortTracker

LABELS = ("person", "dog", "cat")


def box(cx: float, cy: float, w: float = 60, h: float = 120) -> list[float]:
    return [cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2]


def detections(
    boxes: Iterable[Iterable[float]],
    scores: Iterable[float] | None = None,
    classes: Iterable[int] | None = None,
) -> Detections:
    array = np.array([list(b) for b in boxes], np.float32).reshape(-1, 4)
    n = len(array)
    return Detections(
        array,
        np.array(list(scores) if scores is not None else [0.9] * n, np.float32),
        np.array(list(classes) if classes is not None else [0] * n, np.int32),
        LABELS,
    )


def at(step: int, rate: float = 10.0) -> int:
    return int(5e9 + step * 1e9 / rate)


def ids_by_place(found: Detections, places: list[list[float]]) -> list[int]:
    """The id of the box nearest to each place."""
    assert found.track_id is not None
    centres = (found.xyxy[:, :2] + found.xyxy[:, 2:]) / 2
    wanted = [((p[0] + p[2]) / 2, (p[1] + p[3]) / 2) for p in places]
    return [int(found.track_id[np.hypot(*(centres - w).T).argmin()]) for w in wanted]


def test_it_is_a_tracker_and_ids_start_at_one() -> None:
    tracker: Tracker = SortTracker()
    found = tracker.update(detections([box(100, 100), box(400, 100)]), at(0))
    assert found.track_id is not None
    assert found.velocity is not None
    assert sorted(found.track_id.tolist()) == [1, 2]
    assert not found.velocity.any()
    assert found.labels == LABELS


def test_nothing_in_nothing_out() -> None:
    tracker = SortTracker()
    for step in range(5):
        found = tracker.update(Detections.empty(LABELS), at(step))
        assert len(found) == 0
        assert found.track_id is not None
        assert found.velocity is not None


@pytest.mark.parametrize("rate", [3.0, 10.0, 30.0, 60.0])
def test_a_walker_keeps_its_id_and_its_speed_is_found(rate: float) -> None:
    tracker = SortTracker()
    rng = np.random.default_rng(1)
    speed = 80.0  # px/s, 1.3 box widths
    for step in range(int(3 * rate)):
        place = box(100 + speed * step / rate, 200)
        found = tracker.update(detections([np.array(place) + rng.normal(0, 1.5, 4)]), at(step, rate))
        assert found.track_id is not None
        assert found.track_id.tolist() == [1]
    assert found.velocity is not None
    np.testing.assert_allclose(found.velocity[0], [speed, 0, speed, 0], atol=15)
    np.testing.assert_allclose(found.xyxy[0], place, atol=5)


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 10**6),
    speed=st.floats(60, 200),
    lane=st.floats(0, 40),
    rate=st.sampled_from([8.0, 15.0, 30.0]),
)
def test_crossing_objects_keep_their_ids(seed: int, speed: float, lane: float, rate: float) -> None:
    """Two walk through one another in opposite directions; both stay detected."""
    tracker = SortTracker()
    rng = np.random.default_rng(seed)
    steps = int(400 / speed * rate)
    before: list[int] = []
    for step in range(steps):
        t = step / rate
        places = [box(100 + speed * t, 200), box(500 - speed * t, 200 + lane)]
        noisy = [np.array(p) + rng.normal(0, 1.0, 4) for p in places]
        found = tracker.update(detections(noisy), at(step, rate))
        if step == steps // 4:
            before = ids_by_place(found, places)
    assert before == ids_by_place(found, places)
    assert found.track_id is not None
    assert found.track_id.max() == 2


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.integers(1, 8))
def test_the_order_of_detections_does_not_matter(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    start = rng.uniform(50, 900, (count, 2))
    speed = rng.uniform(-150, 150, (count, 2))
    classes = rng.integers(0, 3, count)
    one, other = SortTracker(), SortTracker()
    for step in range(12):
        centres = start + speed * step / 10 + rng.normal(0, 2, (count, 2))
        seen = detections([box(*c) for c in centres], rng.uniform(0.3, 1, count).round(1), classes)
        seen = seen.select(rng.random(count) < 0.85)
        a = one.update(seen, at(step))
        b = other.update(seen.select(rng.permutation(len(seen))), at(step))
        assert a.track_id is not None
        assert b.track_id is not None
        assert a.track_id.tolist() == b.track_id.tolist()
        np.testing.assert_array_equal(a.xyxy, b.xyxy)
        np.testing.assert_array_equal(a.class_id, b.class_id)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6))
def test_whatever_comes_in_what_comes_out_is_sound(seed: int) -> None:
    rng = np.random.default_rng(seed)
    tracker = SortTracker(np.full(3, 0.5, np.float32))
    seen_ids: set[int] = set()
    now = 10**9
    for _ in range(25):
        count = int(rng.integers(0, 12))
        corner = rng.uniform(0, 640, (count, 2))
        far = np.minimum(corner + rng.uniform(1, 300, (count, 2)), (640, 480))
        boxes = np.concatenate([np.minimum(corner, far - 0.5), far], axis=1).clip(0)
        found = tracker.update(detections(boxes, rng.random(count), rng.integers(0, 3, count)), now)
        now += int(rng.choice([0, 1, 10**6, 33 * 10**6, 10**8, 10**9, 5 * 10**9]))
        assert found.track_id is not None
        assert found.velocity is not None
        assert len(set(found.track_id.tolist())) == len(found)
        assert np.isfinite(found.xyxy).all()
        assert np.isfinite(found.velocity).all()
        assert (found.xyxy[:, 2:] > found.xyxy[:, :2]).all()
        assert found.xyxy.min(initial=0) >= 0
        assert found.xyxy[:, [0, 2]].max(initial=0) <= 640
        assert found.xyxy[:, [1, 3]].max(initial=0) <= 480
        assert ((found.score >= 0) & (found.score <= 1)).all()
        assert (np.diff(found.score) <= 0).all()
        seen_ids.update(found.track_id.tolist())
    if seen_ids:
        assert min(seen_ids) == 1


def test_a_still_object_does_not_jitter_or_drift() -> None:
    tracker = SortTracker()
    rng = np.random.default_rng(3)
    place = np.array(box(300, 300, 100, 200))
    raw, smooth, speeds = [], [], []
    for step in range(150):
        seen = place + rng.normal(0, 3, 4)
        found = tracker.update(detections([seen]), at(step, 30))
        if step >= 30:
            raw.append(seen)
            smooth.append(found.xyxy[0])
            assert found.velocity is not None
            speeds.append(np.abs(found.velocity).max())
    assert np.std(np.diff(smooth, axis=0)) < 0.35 * np.std(np.diff(raw, axis=0))
    assert np.mean(np.array(speeds) == 0) > 0.8
    np.testing.assert_allclose(np.mean(smooth, axis=0), place, atol=2)


def test_a_resting_box_stands_still_and_sets_off_without_lag() -> None:
    tracker = SortTracker()
    rng = np.random.default_rng(5)
    shown, off = [], []
    for step in range(120):
        moved = max(0, step - 90) * 8.0
        found = tracker.update(
            detections([np.array(box(300 + moved, 300, 100, 200)) + rng.normal(0, 1.5, 4)]), at(step, 30)
        )
        if 30 <= step < 90:
            shown.append(found.xyxy[0])
        if step >= 100:
            off.append(abs(found.xyxy[0, [0, 2]].mean() - 300 - moved))
    steps = np.abs(np.diff(shown, axis=0)).max(axis=1)
    assert np.mean(steps == 0) > 0.75  # not a fraction of a pixel, most of the time
    assert max(off) < 6  # three quarters of what it moves in one frame


def test_short_gaps_are_bridged_and_the_id_comes_back() -> None:
    tracker = SortTracker(size_wh=(640, 480))
    shown = []
    for step in range(30):
        place = box(100 + 10 * step, 200)
        gone = 12 <= step < 18  # 0.6 s
        found = tracker.update(detections([] if gone else [place]), at(step))
        assert found.track_id is not None
        shown.append(found.track_id.tolist())
        if gone and len(found):
            np.testing.assert_allclose(found.xyxy[0], place, atol=12)
    assert shown[:12] == [[1]] * 12
    assert shown[12:15] == [[1]] * 3  # shown for coast_s
    assert shown[15:18] == [[]] * 3
    assert shown[18:] == [[1]] * 12


def test_a_ghost_of_one_frame_is_not_held() -> None:
    tracker = SortTracker()
    assert len(tracker.update(detections([box(100, 100)]), at(0))) == 1
    assert len(tracker.update(detections([]), at(1))) == 0


def test_weak_detections_keep_a_track_but_start_none() -> None:
    tracker = SortTracker(lambda: np.full(3, 0.5, np.float32), hold_s=1.0)
    for step in range(20):
        weak = 5 <= step < 14
        found = tracker.update(
            detections([box(100 + 5 * step, 200), box(500, 200)], [0.3 if weak else 0.9, 0.3]), at(step)
        )
        assert found.track_id is not None
        assert found.track_id.tolist() == [1]
        assert found.score.tolist() == pytest.approx([0.9])  # never below the threshold


def test_what_stays_weak_is_hidden_but_not_forgotten() -> None:
    tracker = SortTracker(np.full(3, 0.5, np.float32), hold_s=1.0)
    shown = []
    for step in range(40):
        strong = step < 5 or step >= 30
        found = tracker.update(detections([box(200, 200)], [0.9 if strong else 0.3]), at(step))
        assert found.track_id is not None
        shown.append(found.track_id.tolist())
    assert shown[:15] == [[1]] * 15
    assert shown[15:30] == [[]] * 15
    assert shown[30:] == [[1]] * 10


def test_new_thresholds_and_classes_hold_at_once() -> None:
    limits = np.full(3, 0.5, np.float32)
    tracker = SortTracker(lambda: limits)
    seen = detections([box(200, 200), box(500, 200)], [0.6, 0.9], [0, 1])
    for step in range(5):
        assert len(tracker.update(seen, at(step))) == 2
    limits = np.array([0.7, 0.7, 0.7], np.float32)
    assert tracker.update(seen, at(5)).score.tolist() == pytest.approx([0.9])
    limits = np.array([0.5, np.inf, 0.5], np.float32)
    assert tracker.update(detections([]), at(6)).class_id.tolist() == [0]


def test_a_track_lost_behind_another_does_not_haunt_it() -> None:
    tracker = SortTracker()
    for step in range(10):
        both = [box(200, 200), box(300 - 9 * step, 200)]
        tracker.update(detections(both), at(step))
    assert len(tracker.update(detections([box(200, 200)]), at(10))) == 1


def test_labels_are_voted_and_change_at_most_once_a_second() -> None:
    tracker = SortTracker()
    rng = np.random.default_rng(0)
    shown: list[int] = []
    for step in range(300):
        truth = 1 if step < 150 else 2
        class_id = truth if rng.random() < 0.65 else 3 - truth
        found = tracker.update(detections([box(200, 200)], [0.6], [class_id]), at(step, 30))
        assert found.track_id is not None
        assert found.track_id.tolist() == [1]
        shown.append(int(found.class_id[0]))
    turns = np.flatnonzero(np.diff(shown))
    assert (np.diff(turns) >= 29).all()
    assert len(turns) <= 4
    assert shown[140] == 1
    assert shown[299] == 2


def test_reset_and_time_forget_tracks_but_not_the_count() -> None:
    tracker = SortTracker()
    seen = detections([box(100, 100)])

    def ids(step: int) -> list[int]:
        found = tracker.update(seen, at(step))
        assert found.track_id is not None
        return [int(i) for i in found.track_id]

    assert ids(0) == [1]
    assert ids(1) == [1]
    tracker.reset()
    assert ids(2) == [2]
    assert ids(40) == [3]  # a gap of almost four seconds
    assert ids(10) == [4]  # a film that starts again


def test_the_same_frame_time_twice_is_harmless() -> None:
    tracker = SortTracker()
    for _ in range(5):
        found = tracker.update(detections([box(100, 100)]), at(0))
        assert found.track_id is not None
        assert found.track_id.tolist() == [1]
