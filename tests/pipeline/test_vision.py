"""What one source's eyes do with a frame, and which frames they look at."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from edgecam.core.types import Classification, Detections, Frame
from edgecam.media.motion import MotionDetector
from edgecam.pipeline.cadence import Cadence
from edgecam.pipeline.crops import CropNamer
from edgecam.pipeline.vision import Vision


def still(index: int, at_ns: int, level: int = 0) -> Frame:
    return Frame(np.full((720, 1280, 3), level, np.uint8), index, at_ns, "still", at_ns)


def test_cadence_detects_at_the_rate_asked_for() -> None:
    cadence = Cadence(1, rate_hz=10.0)
    hits = sum(cadence.should_detect(0, still(i, i * 33_333_333)) for i in range(300))
    # 30 fps against 10 Hz is every third frame
    assert hits == 100 and cadence.skipped_rate == 200


def test_motion_gate_skips_a_still_picture_and_sees_a_moving_one() -> None:
    cadence = Cadence(1, gate=[MotionDetector().moved])
    assert cadence.should_detect(0, still(0, 0))
    assert not cadence.should_detect(0, still(1, 33_000_000))
    moved = still(2, 66_000_000)
    moved.image[100:300, 100:300] = 255
    assert cadence.should_detect(0, moved)
    # and looks again after two seconds whatever happens
    quiet = Frame(moved.image, 3, 0, "still", 2_100_000_000)
    assert cadence.should_detect(0, quiet)


def test_each_picture_of_a_folder_is_looked_at_whatever_the_rate() -> None:
    cadence = Cadence(1, rate_hz=0.1, gate=[MotionDetector().moved])
    pictures = [replace(still(i, i * 1_000_000_000), file=f"{i}.jpg") for i in range(5)]
    assert all(cadence.should_detect(0, picture) for picture in pictures)
    assert cadence.skipped_rate == cadence.skipped_still == 0


class SlowNamer:
    """A classifier that counts its calls."""

    name = "namer"
    labels = ("a",)

    def __init__(self) -> None:
        self.calls: list[float] = []

    def classify(self, image: np.ndarray, xyxy: np.ndarray | None = None) -> tuple[Classification, ...]:
        self.calls.append(-1.0 if xyxy is None else float(xyxy[0]))
        time.sleep(0.004)
        return (Classification("a", 0, 0.9),)


class Five:
    """Five boxes, best last, as one tracked group."""

    name = "five"
    labels = ("x",)
    input_wh = (32, 24)

    def detect(self, frame: Frame) -> Detections:
        left = np.arange(5, dtype=np.float32)
        boxes = np.stack([left, left * 0, left + 8, left * 0 + 8], 1)
        return Detections(
            boxes, np.linspace(0.5, 0.9, 5, dtype=np.float32), np.zeros(5, np.int32), self.labels
        )


class Fixed:
    """A tracker that numbers by position."""

    def update(self, detections: Detections, at_ns: int) -> Detections:
        ids = np.arange(len(detections), dtype=np.int32)
        still_px_s = np.zeros((len(detections), 4), np.float32)
        return Detections(
            detections.xyxy, detections.score, detections.class_id, detections.labels, ids, still_px_s
        )

    def single(self, detections: Detections) -> Detections:
        return self.update(detections, 0)

    def reset(self) -> None: ...


def test_crops_are_classified_best_first_within_the_budget_and_remembered() -> None:
    namer = SlowNamer()
    vision = Vision(Five(), Fixed(), namer, "crops", budget_ms=6.0)
    first = vision.look(still(0, 0), 0)
    assert namer.calls[0] == 4.0 and 1 <= len(namer.calls) < 5  # the best box first, not all in 6 ms
    for i in range(1, 6):
        vision.look(still(i, i * 33_000_000), 0)
    assert sorted(namer.calls) == [0.0, 1.0, 2.0, 3.0, 4.0]  # each tracked object once
    for i in range(6, 40):
        last = vision.look(still(i, i * 33_000_000), 0)
    assert not any(first.crop_classes) and all(last.crop_classes)  # one look is no opinion yet
    calls = len(namer.calls)
    vision.look(still(99, 2_400_000_000), 0)
    assert len(namer.calls) > calls  # and again after a second


class Says:
    """A classifier with one opinion after another about a crop."""

    name = "says"
    labels = ("beagle", "golf ball", "dog")

    def __init__(self, *opinions: str) -> None:
        self.opinions = list(opinions)
        self.asked = 0

    def classify(self, image: np.ndarray, xyxy: np.ndarray | None = None) -> tuple[Classification, ...]:
        self.asked += 1
        said = self.opinions[(self.asked - 1) % len(self.opinions)]
        return (Classification(said, self.labels.index(said), 0.95),) if said else ()


def named(namer: Says, label: str, seconds: int = 6, file: str | None = None) -> list[str]:
    """What is said about one tracked ``label``, once per tenth of a second."""
    crops = CropNamer(namer, 10**9, {"dog": frozenset({"beagle"})})
    box = np.array([[10, 10, 90, 90]], np.float32)
    found = Detections(box, np.array([0.9]), np.array([0]), (label,), track_id=np.array([7]))
    picture = np.zeros((100, 100, 3), np.uint8)
    said = []
    for i in range(10 * seconds):
        (names,) = crops.name(Frame(picture, i, i * 100_000_000, "s", file=file), found)
        said.append(names[0].label if names else "")
    return said


def test_a_crop_is_named_where_it_refines_the_class_and_its_looks_agree() -> None:
    steady = Says("beagle")
    said = named(steady, "dog")
    assert said[0] == "" and set(said[5:]) == {"beagle"} and steady.asked <= 10  # looks get rarer
    assert set(named(Says("golf ball"), "dog")) == {""}  # contradicts
    assert set(named(Says("dog"), "dog")) == {""}  # repeats
    assert set(named(Says("beagle", "", ""), "dog")) == {""}  # its looks do not agree
    person = Says("beagle")
    assert set(named(person, "person")) == {""} and person.asked == 0  # nothing refines a person
    assert named(Says("beagle"), "dog", file="a.jpg")[0] == "beagle"  # a picture alone has one look


def test_frames_without_detection_carry_boxes_on() -> None:
    class Moving(Fixed):
        def update(self, detections: Detections, at_ns: int) -> Detections:
            tracked = super().update(detections, at_ns)
            velocity = np.full((len(tracked), 4), 100.0, np.float32)
            return Detections(
                tracked.xyxy, tracked.score, tracked.class_id, tracked.labels, tracked.track_id, velocity
            )

    vision = Vision(Five(), Moving())
    seen = vision.look(still(0, 0), 0)
    carried = vision.look(still(1, 100_000_000), 0, detect=False)
    np.testing.assert_allclose(carried.detections.xyxy, seen.detections.xyxy + 10.0, atol=1e-4)
    assert carried.detect_ms == 0.0
