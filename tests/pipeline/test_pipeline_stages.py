"""The network sees the next frame while the last one's boxes are worked out: in order, none lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest
from numberedsource import QuietSource

from edgecam.capture.base import FrameIteration
from edgecam.core.clock import now_ns
from edgecam.core.errors import EndOfStream
from edgecam.core.ports import Detector
from edgecam.core.types import Detections, Frame, Result
from edgecam.pipeline.cadence import Cadence
from edgecam.pipeline.pipeline import Pipeline
from edgecam.pipeline.vision import Vision
from edgecam.pipeline.workers import Eye
from edgecam.telemetry.collector import StatsCollector


class Counted(FrameIteration, QuietSource):
    """A file of ``count`` small frames; ``epoch`` rises at frame ``away``, as after a lost camera."""

    name, description, rate_hz, size_wh, is_live = "counted", "counted", None, (8, 8), False

    def __init__(self, count: int, away: int | None = None) -> None:
        self._count, self._away, self._next, self.epoch = count, away, 0, 0

    def read(self, timeout_s: float) -> Frame:
        if self._next >= self._count:
            raise EndOfStream("done")
        frame = Frame(np.zeros((8, 8, 3), np.uint8), self._next, now_ns(), self.name, self._next * 10**7)
        self._next += 1
        return frame

    def close(self) -> None:
        pass


@dataclass
class Ready:
    """A frame on its way to ``run``."""

    run: Callable[[], Callable[[], Detections]]
    dropped: bool = False

    def drop(self) -> None:
        self.dropped = True


class Overlapping:
    """A detector whose boxes for frame n are only ready once the network has begun frame n + 1."""

    name, labels, input_wh = "overlapping", ("a",), (8, 8)

    def __init__(self, last: int, fail_at: int | None = None) -> None:
        self.begun = [threading.Event() for _ in range(last + 1)]
        self.threads: set[str] = set()
        self.waiting = self.most = 0
        self._last, self._fail_at = last, fail_at

    def detect(self, frame: Frame) -> Detections:
        return self.prepare(frame).run()()

    def prepare(self, frame: Frame) -> Ready:
        return Ready(partial(self.infer, frame))

    def infer(self, frame: Frame) -> Callable[[], Detections]:
        self.threads.add(threading.current_thread().name)
        self.begun[frame.index].set()
        self.waiting += 1
        self.most = max(self.most, self.waiting)

        def objects() -> Detections:
            self.threads.add(threading.current_thread().name)
            if frame.index == self._fail_at:
                raise ValueError("broken outputs")
            if frame.index < self._last:
                assert self.begun[frame.index + 1].wait(10), "the network waited for the boxes"
            self.waiting -= 1
            box = np.array([[0, 0, frame.index + 1, 1]], np.float32)
            return Detections(box, np.ones(1, np.float32), np.zeros(1, np.int32), self.labels)

        return objects


def run(
    source: Counted, detector: Detector, frames: int | None = None, concurrency: int = 1
) -> tuple[list[Result], Pipeline]:
    results: list[Result] = []
    pipeline = Pipeline(
        [Eye(source, Vision(detector, None))],
        [],
        StatsCollector("test", None, None),
        frames=frames,
        concurrency=concurrency,
        on_result=results.append,
    )
    pipeline.start()
    assert pipeline.wait(30)
    pipeline.stop()
    return results, pipeline


def test_the_network_runs_one_frame_ahead_and_order_is_kept() -> None:
    detector = Overlapping(99)
    results, pipeline = run(Counted(100), detector)
    assert [r.frame.index for r in results] == list(range(100))
    assert [int(r.detections.xyxy[0, 2]) for r in results] == list(range(1, 101))  # each its own boxes
    assert detector.threads == {"vision-0", "results"}
    # two buffers suffice: never more than one frame being worked out and one in the network
    assert detector.most == 2
    assert pipeline.accounts()[0].inferred == 100


def test_a_limit_of_frames_is_kept_although_the_network_is_ahead() -> None:
    detector = Overlapping(9)
    results, pipeline = run(Counted(100), detector, frames=10)
    assert len(results) == 10
    assert sum(event.is_set() for event in detector.begun) == 10
    account = pipeline.accounts()[0]
    assert account.captured == account.inferred + account.stale + account.stopped


def test_what_goes_wrong_in_the_second_step_ends_the_run_and_is_re_raised() -> None:
    detector = Overlapping(99, fail_at=40)
    pipeline = Pipeline([Eye(Counted(100), Vision(detector, None))], [], StatsCollector("test", None, None))
    pipeline.start()
    assert pipeline.wait(30)
    with pytest.raises(ValueError, match="broken outputs"):
        pipeline.stop()
    assert pipeline.accounts()[0].inferred == 40


def test_a_camera_that_was_away_comes_back_to_fresh_tracks() -> None:
    class Tracker:
        def __init__(self) -> None:
            self.resets = 0

        def update(self, detections: Detections, at_ns: int) -> Detections:
            return detections

        def single(self, detections: Detections) -> Detections:
            return detections

        def reset(self) -> None:
            self.resets += 1

    tracker = Tracker()
    vision = Vision(Overlapping(0), tracker)
    frame = Counted(1).read(0)
    vision.look(frame, 0)
    assert tracker.resets == 0
    assert not vision.wants(frame, detect=False)
    assert vision.wants(frame, detect=False, fresh=True), "nothing of before the gap is carried on"
    vision.conclude(vision.sense(frame, 0, wanted=True, fresh=True))
    assert tracker.resets == 1


def test_a_camera_slower_than_the_network_needs_no_second_thread() -> None:
    class Slow(Counted):
        is_live = True

        def read(self, timeout_s: float) -> Frame:
            while len(concluding) < self._next:  # the last one is through: none is replaced by a newer one
                time.sleep(0.001)
            time.sleep(0.02)
            return super().read(timeout_s)

    class Names(Preparing):
        def prepare(self, frame: Frame) -> Ready:
            ready = super().prepare(frame)

            def run() -> Callable[[], Detections]:
                objects = ready.run()

                def named() -> Detections:
                    concluding.append(threading.current_thread().name)
                    return objects()

                return named

            return Ready(run)

    concluding: list[str] = []
    results, _ = run(Slow(30), Names())
    assert [r.frame.index for r in results] == list(range(30))
    assert concluding[0] == "results"
    assert "vision-0" in concluding  # a busy machine may have no time to spare now and then


class Concurrent:
    """A detector whose network gives frame n only once it has begun n + 1 as well, so two must be in it."""

    name, labels, input_wh = "concurrency", ("a",), (8, 8)

    def __init__(self, last: int, fail_at: int | None = None) -> None:
        self.begun = [threading.Event() for _ in range(last + 1)]
        self._last, self._fail_at = last, fail_at

    def detect(self, frame: Frame) -> Detections:
        return self.prepare(frame).run()()

    def prepare(self, frame: Frame) -> Ready:
        return Ready(partial(self.infer, frame))

    def infer(self, frame: Frame) -> Callable[[], Detections]:
        self.begun[frame.index].set()
        if frame.index == self._fail_at:
            raise ValueError("the network broke")
        if frame.index % 2 == 0 and frame.index < self._last:
            assert self.begun[frame.index + 1].wait(10), "the second frame waited for the first"
        box = np.array([[0, 0, frame.index + 1, 1]], np.float32)
        return lambda: Detections(box, np.ones(1, np.float32), np.zeros(1, np.int32), self.labels)


def test_two_concurrent_inferences_come_out_in_order() -> None:
    results, pipeline = run(Counted(200), Concurrent(199), concurrency=2)
    assert [r.frame.index for r in results] == list(range(200))
    assert [int(r.detections.xyxy[0, 2]) for r in results] == list(range(1, 201))
    assert pipeline.accounts()[0].inferred == 200


def test_a_network_that_breaks_frees_those_beside_it() -> None:
    pipeline = Pipeline(
        [Eye(Counted(100), Vision(Concurrent(99, fail_at=40), None))],
        [],
        StatsCollector("test", None, None),
        concurrency=3,
    )
    pipeline.start()
    assert pipeline.wait(30)
    with pytest.raises(ValueError, match="the network broke"):
        pipeline.stop()
    assert pipeline.accounts()[0].inferred <= 40


class Preparing:
    """Boxes that carry the number of the frame that was prepared; keeps what it made, and on which thread."""

    name, labels, input_wh = "preparing", ("a",), (8, 8)

    def __init__(self) -> None:
        self.made: list[Ready] = []
        self.ran: list[int] = []
        self.threads: set[str] = set()

    def detect(self, frame: Frame) -> Detections:
        return self.prepare(frame).run()()

    def prepare(self, frame: Frame) -> Ready:
        self.threads.add(threading.current_thread().name)

        def run() -> Callable[[], Detections]:
            self.ran.append(frame.index)
            box = np.array([[0, 0, frame.index + 1, 1]], np.float32)
            return lambda: Detections(box, np.ones(1, np.float32), np.zeros(1, np.int32), self.labels)

        ready = Ready(run)
        self.made.append(ready)
        return ready


@pytest.mark.parametrize(("concurrency", "thread"), [(1, {"capture-0"}), (2, {"vision-0", "vision-1"})])
def test_frames_of_a_file_are_prepared_where_the_network_does_not_wait(
    concurrency: int, thread: set[str]
) -> None:
    detector, results = Preparing(), list[Result]()
    pipeline = Pipeline(
        [Eye(Counted(50), Vision(detector, None))],
        [],
        StatsCollector("test", None, None),
        on_result=results.append,
        concurrency=concurrency,
        prepare=detector.prepare,
    )
    pipeline.start()
    assert pipeline.wait(30)
    pipeline.stop()
    assert [int(r.detections.xyxy[0, 2]) for r in results] == list(range(1, 51))
    assert len(detector.made) == 50 and detector.threads <= thread


def test_what_was_prepared_of_a_frame_that_is_not_detected_on_is_dropped() -> None:
    detector = Preparing()
    pipeline = Pipeline(
        [Eye(Counted(50), Vision(detector, None))],  # 10 ms apart on the file's timeline
        [],
        StatsCollector("test", None, None),
        cadence=Cadence(1, rate_hz=50),
        prepare=detector.prepare,
    )
    pipeline.start()
    assert pipeline.wait(30)
    pipeline.stop()
    assert detector.ran == list(range(0, 50, 2))
    assert [i for i, ready in enumerate(detector.made) if ready.dropped] == list(range(1, 50, 2))
