"""Cuts and cross-fades end tracks; a moving camera, a passer-by and a lamp do not."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edgecam.core.types import Detections, Frame, Image
from edgecam.pipeline.vision import Vision
from edgecam.tracking.identities import SortTracker
from edgecam.tracking.scene_change import SceneChange

STEP_NS = 33_333_333
NOISE = np.random.default_rng(0).normal(0, 4, (460, 740)).astype(np.float32)


def scene(seed: int) -> NDArray[np.float32]:
    """A made-up picture, larger than what is seen of it: smooth shapes, as photographs have."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(20, 235, (9, 14)).astype(np.float32)
    fine = rng.uniform(-25, 25, (45, 70)).astype(np.float32)
    size = (840, 560)
    made = cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC) + cv2.resize(fine, size)
    return made.astype(np.float32)


def seen(picture: NDArray[np.float32], x: float = 60.0, y: float = 60.0, noise: int = 0) -> Image:
    view = picture[round(y) : round(y) + 360, round(x) : round(x) + 640]
    view = view + NOISE[noise % 97 : noise % 97 + 360, noise % 89 : noise % 89 + 640]
    return np.repeat(view.clip(0, 255).astype(np.uint8)[:, :, None], 3, axis=2)


def frame(image: Image, index: int) -> Frame:
    return Frame(image, index, index * STEP_NS, "made up", index * STEP_NS)


def looks(pictures: list[Image]) -> list[str]:
    watch = SceneChange()
    return [watch.look(watch.sample(image), i * STEP_NS) for i, image in enumerate(pictures)]


@pytest.mark.parametrize("wh", [(1, 1), (8, 8), (3, 500), (500, 3), (17, 9)])
def test_the_smallest_pictures_are_scenes_too(wh: tuple[int, int]) -> None:
    dark, bright = (np.full((wh[1], wh[0], 3), level, np.uint8) for level in (20, 200))
    assert set(looks([dark] * 3 + [bright] * 3)) <= {"same", "cut", "fade"}


def blend(a: Image, b: Image, share: float) -> Image:
    return cv2.addWeighted(a, 1 - share, b, share, 0).astype(np.uint8)


def test_a_hard_cut_is_seen_at_its_first_picture() -> None:
    one, other = scene(1), scene(2)
    pictures = [seen(one, noise=i) for i in range(10)] + [seen(other, noise=i) for i in range(10, 20)]
    assert looks(pictures) == ["same"] * 10 + ["cut"] + ["same"] * 9


@pytest.mark.parametrize("length", [10, 24])
def test_a_cross_fade_is_seen_while_it_lasts(length: int) -> None:
    one, other = scene(1), scene(2)
    pictures = [seen(one, 60 + i, noise=i) for i in range(10)]
    pictures += [
        blend(seen(one, 70 + i, noise=i), seen(other, 60 + i, noise=99 + i), (i + 1) / (length + 1))
        for i in range(length)
    ]
    pictures += [seen(other, 60 + length + i, noise=200 + i) for i in range(20)]
    found = looks(pictures)
    assert set(found[:10]) == {"same"} and "cut" not in found
    first = found.index("fade")
    assert first < 10 + 0.5 * length
    assert found[first : 10 + length].count("fade") >= 0.75 * (10 + length - first)
    assert set(found[10 + length + 6 :]) == {"same"}


def _pan(picture: NDArray[np.float32], i: int) -> Image:
    return seen(picture, 20 + 3 * i, 60, i)


def _shake(picture: NDArray[np.float32], i: int) -> Image:
    rng = np.random.default_rng(i)
    return seen(picture, 60 + rng.normal(0, 8), 60 + rng.normal(0, 8), i)


def _lamp(picture: NDArray[np.float32], i: int) -> Image:
    return seen(picture * (0.6 + 0.4 * np.cos(i / 9)), noise=i)


def _passer_by(picture: NDArray[np.float32], i: int) -> Image:
    image = seen(picture, noise=i)
    image[40:360, 20 * i - 150 : max(0, 20 * i)] = 35
    return image


@pytest.mark.parametrize("what", [_pan, _shake, _lamp, _passer_by])
def test_what_is_no_other_scene(what: Callable[[NDArray[np.float32], int], Image]) -> None:
    for seed in (2, 3):
        assert set(looks([what(scene(seed), i) for i in range(25)])) == {"same"}, (what.__name__, seed)


class Always:
    """A detector that finds one person at one place whatever is shown."""

    name, labels, input_wh = "always", ("person",), (32, 32)

    def detect(self, _frame: Frame) -> Detections:
        box = np.array([[100, 100, 200, 300]], np.float32)
        return Detections(box, np.array([0.9]), np.array([0]), self.labels)


def test_tracks_end_with_their_scene_and_nothing_is_shown_in_a_fade() -> None:
    one, other = scene(1), scene(2)
    tracker = SortTracker(np.array([0.5], np.float32), size_wh=(640, 360), evidence=True)
    vision = Vision(Always(), tracker, scenes=SceneChange())
    pictures = [seen(one, noise=i) for i in range(20)] + [seen(other, noise=i) for i in range(20, 40)]
    results = [vision.look(frame(image, i), 0) for i, image in enumerate(pictures)]
    assert len(results[19].detections) == 1 and len(results[20].detections) == 0
    before, after = results[19].detections.track_id, results[39].detections.track_id
    assert before is not None and after is not None and before[0] != after[0]
    tracker.reset()
    vision = Vision(Always(), tracker, scenes=SceneChange())
    for i in range(10):
        vision.look(frame(seen(one, noise=i), i), 0)
    for i in range(20):
        image = blend(seen(one, noise=i), seen(other, noise=99 + i), (i + 1) / 21)
        result = vision.look(frame(image, 10 + i), 0)
    assert len(result.detections) == 0 and len(result.tentative) == 0
