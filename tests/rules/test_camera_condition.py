"""A camera that is covered, out of focus or turned away is told of, and once it is over; nothing else is."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from edgecam.core.events import Event
from edgecam.core.types import Detections, Frame, Image, Result
from edgecam.rules.camera_condition import CameraCondition

RNG = np.random.default_rng(7)


def _scene(seed: int) -> Image:
    """Walls, a door, a window with blinds: edges and fine detail of a room."""
    rng = np.random.default_rng(seed)
    image = np.full((360, 640, 3), 120, np.uint8)
    for _ in range(40):
        x, y = int(rng.integers(0, 600)), int(rng.integers(0, 330))
        w, h = int(rng.integers(20, 160)), int(rng.integers(20, 120))
        cv2.rectangle(image, (x, y), (x + w, y + h), rng.integers(30, 230, 3).tolist(), -1)
    for y in range(40, 160, 6):
        cv2.line(image, (430, y), (560, y), (220, 220, 220), 1)
    return image


ROOM, ELSEWHERE = _scene(1), _scene(2)


NOISE = [RNG.normal(0, 4, (360, 640, 3)).astype(np.int16) for _ in range(7)]


def _noisy(image: Image, second: int) -> Image:
    noisy: Image = np.clip(image.astype(np.int16) + NOISE[second % 7], 0, 255).astype(np.uint8)
    return noisy


def _usual(second: int) -> Image:
    """The room, now and then with a person who fills a fifth of it, in light that comes and goes."""
    lit = ROOM.astype(np.float32) * (0.8 + 0.2 * np.sin(second / 40))
    image: Image = lit.astype(np.uint8)
    if second % 20 > 12:
        x = 30 * (second % 20)
        cv2.rectangle(image, (x, 60), (x + 140, 359), (40, 60, 90), -1)
    return image


def watch(show: Callable[[int], Image], seconds: int = 160) -> list[Event]:
    condition = CameraCondition("front")
    found: list[Event] = []
    for second in range(seconds):
        frame = Frame(_noisy(show(second), second), second, (second + 1) * 1_000_000_000, "front")
        found += condition.feed(Result(frame, Detections.empty(), wall_ms=1_795_176_000_000 + second * 1000))
    return found


def between(other: Callable[[Image], Image]) -> Callable[[int], Image]:
    """Something happens from second 90 to 120."""
    return lambda second: other(_usual(second)) if 90 <= second < 120 else _usual(second)


def test_people_and_daylight_are_no_fault() -> None:
    assert watch(_usual, 300) == []


@pytest.mark.parametrize(
    ("state", "other"),
    [
        ("covered", lambda image: np.full_like(image, 25)),
        ("defocused", lambda image: cv2.GaussianBlur(image, (0, 0), 9)),
    ],
)
def test_a_fault_is_told_from_its_beginning_to_its_end(state: str, other: Callable[[Image], Image]) -> None:
    events = watch(between(other))
    assert [(e.type, e.kind, e.state) for e in events] == [("new", "camera", state), ("end", "camera", state)]
    begun, ended = events
    assert begun.id == ended.id
    assert 90 <= begun.start_time - 1_795_176_000 <= 97
    assert ended.end_time is not None
    assert 120 <= ended.end_time - 1_795_176_000 <= 127
    assert begun.message


def test_a_camera_that_was_turned_is_told_of_and_its_new_view_is_accepted() -> None:
    events = watch(lambda second: _usual(second) if second < 90 else ELSEWHERE, 220)
    assert [(e.type, e.state) for e in events] == [("new", "moved"), ("end", "moved")]
    assert events[1].time - events[0].time == pytest.approx(60, abs=3)


@pytest.mark.parametrize("stays_s", [3, 8, 20])
def test_pictures_that_change_by_design_are_not_moved(stays_s: int) -> None:
    views = [_scene(seed) for seed in range(10, 20)]
    events = watch(lambda second: views[second // stays_s % len(views)], 200)
    assert [e for e in events if e.state == "moved"] == []


def test_a_moving_camera_is_not_moved_again_and_again() -> None:
    wide = np.concatenate([_scene(seed) for seed in range(20, 30)], axis=1)
    events = watch(lambda second: np.ascontiguousarray(wide[:, 25 * second : 25 * second + 640]), 200)
    assert [e for e in events if e.state == "moved"] == []


def test_a_patrol_is_soon_understood() -> None:
    """A camera that stands for minutes, then goes round for good, is told of a few times, not for ever."""
    views = [_scene(seed) for seed in range(50, 54)]
    events = watch(lambda second: views[0] if second < 120 else views[second // 15 % 4], 700)
    moved = [e.start_time - 1_795_176_000 for e in events if e.state == "moved" and e.type == "new"]
    assert 1 <= len(moved) <= 6 and moved[-1] < 500
