"""The pipeline with small sources of its own: every frame accounted for, order kept, clean stop."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from numberedsource import NumberedSource
from pipeline_kit import Count, WholePicture, run

from edgecam.core.errors import CaptureError
from edgecam.core.types import Detections, Frame, Result
from edgecam.pipeline.fanout import QUEUE_DEPTH, TURN_S, SinkLane
from edgecam.pipeline.feed import Given
from edgecam.pipeline.pipeline import Pipeline
from edgecam.pipeline.slots import FrameSlots
from edgecam.pipeline.vision import Vision
from edgecam.pipeline.workers import Eye


class Keep:
    """A sink that keeps what it gets (and may be slow or fail)."""

    def __init__(self, delay_s: float = 0.0, fail_at: int | None = None) -> None:
        self.results: list[Result] = []
        self.closed = False
        self._delay_s = delay_s
        self._fail_at = fail_at

    def open(self) -> None: ...

    def write(self, result: Result) -> None:
        if len(self.results) == self._fail_at:
            raise OSError("no space")
        self.results.append(result)
        time.sleep(self._delay_s)

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize("concurrency", [1, 3])
def test_a_file_loses_nothing_and_keeps_its_order(concurrency: int) -> None:
    source, sink, count = NumberedSource(500, is_live=False), Keep(), Count()
    pipeline = Pipeline(
        [Eye(source, Vision(WholePicture(), None))],
        [SinkLane(sink, "keep", lossless=True)],
        count,
        concurrency=concurrency,
    )
    run(pipeline)
    assert [r.frame.index for r in sink.results] == list(range(500))
    assert all(tuple(r.detections.xyxy[0, 2:]) == r.frame.size_wh for r in sink.results)
    assert pipeline.accounts()[0].captured == pipeline.accounts()[0].inferred == count.results == 500
    assert sink.closed and source.closed.is_set()


def test_a_hundred_thousand_live_frames_are_all_accounted_for() -> None:
    source, sink, count = NumberedSource(100_000, is_live=True, seed=7), Keep(), Count()
    pipeline = Pipeline(
        [Eye(source, Vision(WholePicture(), None))], [SinkLane(sink, "keep", lossless=True)], count
    )
    run(pipeline, 90.0)
    account = pipeline.accounts()[0]
    assert account.captured == 100_000 == account.inferred + account.stale + account.stopped
    assert count.frames_in == 100_000 and count.results == account.inferred == len(sink.results)
    indices = [r.frame.index for r in sink.results]
    assert indices == sorted(set(indices)) and indices[-1] == 99_999
    # a frame's own number stands in its pixels: no result carries another's picture
    assert all(
        int(r.frame.image[0, 0] @ np.array([1, 256, 65536])) == r.frame.index for r in sink.results[::97]
    )


def test_stop_in_the_middle_accounts_for_every_frame() -> None:
    source = NumberedSource(10**9, is_live=True)
    pipeline = Pipeline([Eye(source, Vision(WholePicture(), None))], [], Count())
    pipeline.start()
    assert not pipeline.wait(0.2)
    started = time.monotonic()
    pipeline.stop()
    assert time.monotonic() - started < 2.0
    account = pipeline.accounts()[0]
    assert account.captured == account.inferred + account.stale + account.stopped


@pytest.mark.parametrize("concurrency", [1, 3])
def test_a_failing_source_is_re_raised_by_stop_after_its_frames_were_used(concurrency: int) -> None:
    source, sink = NumberedSource(100, is_live=False, fail_at=40), Keep()
    pipeline = Pipeline(
        [Eye(source, Vision(WholePicture(), None))],
        [SinkLane(sink, "keep", lossless=True)],
        Count(),
        concurrency=concurrency,
    )
    pipeline.start()
    assert pipeline.wait(10)
    with pytest.raises(CaptureError, match="cable"):
        pipeline.stop()
    assert len(sink.results) == 40 and sink.closed


@pytest.mark.parametrize("concurrency", [1, 3])
def test_one_dead_source_of_two_does_not_stop_the_other(concurrency: int) -> None:
    dead, alive = NumberedSource(100, is_live=False, fail_at=3), NumberedSource(200, is_live=False)
    eyes = [Eye(s, Vision(WholePicture(), None)) for s in (dead, alive)]
    pipeline = Pipeline(eyes, [], Count(), concurrency=concurrency)
    pipeline.start()
    assert pipeline.wait(10)
    with pytest.raises(CaptureError):
        pipeline.stop()
    assert [a.inferred for a in pipeline.accounts()] == [3, 200]


def test_a_failing_sink_ends_the_run_and_is_re_raised() -> None:
    sink = Keep(fail_at=5)
    pipeline = Pipeline(
        [Eye(NumberedSource(10_000, is_live=False), Vision(None, None))],
        [SinkLane(sink, "keep", lossless=True)],
        Count(),
    )
    pipeline.start()
    assert pipeline.wait(10)
    with pytest.raises(OSError, match="no space"):
        pipeline.stop()
    assert sink.closed


def test_a_slow_sink_of_a_live_source_drops_and_counts() -> None:
    slow = Keep(delay_s=0.01)
    lane = SinkLane(slow, "slow", lossless=False)
    pipeline = Pipeline([Eye(NumberedSource(3000, is_live=False), Vision(None, None))], [lane], Count())
    run(pipeline)
    assert lane.dropped > 0
    assert len(slow.results) + lane.dropped == 3000
    assert [r.frame.index for r in slow.results][-QUEUE_DEPTH:] == list(range(3000 - QUEUE_DEPTH, 3000))


class Listener:
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.expected: set[str] = set()
        self.beats = 0

    def expect(self, stage: str) -> None:
        self.expected.add(stage)

    def beat(self, stage: str) -> None:
        assert stage in self.expected
        self.beats += 1

    def retire(self, stage: str) -> None:
        self.expected.discard(stage)


def test_a_watched_sink_beats_while_it_has_nothing_to_do_and_not_while_it_hangs() -> None:
    class Hangs(Keep):
        inside, free = threading.Event(), threading.Event()

        def write(self, result: Result) -> None:
            self.inside.set()
            self.free.wait(30)
            super().write(result)

    sink, pulse = Hangs(), Listener()
    lane = SinkLane(sink, "record", lossless=False, only=0, pulse=pulse)
    lane.start()
    while pulse.beats < 3:  # the suite's own time limit ends this
        time.sleep(0.01)
    lane.publish(Result(Frame(np.zeros((8, 8, 3), np.uint8), 0, 0, "s"), Detections.empty()))
    assert sink.inside.wait(30)
    beats = pulse.beats
    time.sleep(3 * TURN_S)
    assert pulse.beats == beats and pulse.expected == {"sink-record-0"}
    sink.free.set()
    lane.close(30)
    assert not pulse.expected and len(sink.results) == 1


def test_frames_limits_each_source() -> None:
    eyes = [Eye(NumberedSource(10**6, is_live=live), Vision(None, None)) for live in (True, False)]
    pipeline = Pipeline(eyes, [], Count(), frames=25)
    run(pipeline)
    assert [a.inferred for a in pipeline.accounts()] == [25, 25]


def test_sixteen_sources_are_served_in_turn() -> None:
    slots, frame = FrameSlots([True] * 16), Frame(np.zeros((8, 8, 3), np.uint8), 0, 0, "s")
    served = [0] * 16
    for _ in range(1600):
        for lane in range(16):  # every camera always has something new, the first ones most of all
            slots.put(lane, Given(frame))
        index = slots.take(1.0, lambda index, _: index)
        assert index is not None
        served[index] += 1
    assert served == [100] * 16


@pytest.mark.parametrize("concurrency", [1, 3])
def test_paused_files_wait(concurrency: int) -> None:
    source = NumberedSource(10**9, is_live=False)
    pipeline = Pipeline([Eye(source, Vision(None, None))], [], Count(), concurrency=concurrency)
    pipeline.start()
    pipeline.set_paused(True)
    time.sleep(0.1)
    held = pipeline.accounts()[0].captured
    time.sleep(0.1)
    assert pipeline.accounts()[0].captured - held <= concurrency
    pipeline.set_paused(False)
    pipeline.stop()
