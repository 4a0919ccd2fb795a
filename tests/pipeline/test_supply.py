"""Workers that read the sources themselves: each source's order, sources side by side, limits, the end."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable

import numpy as np
import pytest
from numberedsource import NumberedSource

from edgecam.core.errors import EndOfStream
from edgecam.core.types import Frame
from edgecam.pipeline.feed import Given, ReadInTurn
from edgecam.pipeline.pipeline import Pipeline
from edgecam.pipeline.vision import Vision
from edgecam.pipeline.workers import Eye
from edgecam.telemetry.collector import StatsCollector


def frame(index: int) -> Frame:
    return Frame(np.zeros((8, 8, 3), np.uint8), index, 0, "s")


def pull(supply: ReadInTurn, threads: int, admit: Callable[[int, Given], None]) -> None:
    def work() -> None:
        while True:
            try:
                supply.take(0.05, admit)
            except EndOfStream:
                return

    pullers = [threading.Thread(target=work) for _ in range(threads)]
    for puller in pullers:
        puller.start()
    for puller in pullers:
        puller.join(30)
        assert not puller.is_alive()


def test_each_source_is_read_by_one_at_a_time_and_admitted_in_order() -> None:
    counts = [itertools.count() for _ in range(3)]
    inside = [0, 0, 0]
    admitted: list[list[int]] = [[], [], []]

    def read(source: int) -> Frame:
        inside[source] += 1
        assert inside[source] == 1
        index = next(counts[source])
        if index == 300:
            inside[source] -= 1
            raise EndOfStream("done")
        return frame(index)

    def admit(source: int, taken: Given) -> None:
        admitted[source].append(taken.frame.index)
        inside[source] -= 1

    pull(ReadInTurn(3, read), 4, admit)
    assert admitted == [list(range(300))] * 3


def test_two_sources_are_read_side_by_side() -> None:
    both = threading.Barrier(2)  # breaks, and the test with it, where one read waits for the other's end

    def read(_: int) -> Frame:
        both.wait(10)
        raise EndOfStream("done")

    pull(ReadInTurn(2, read), 2, lambda *_: None)
    assert not both.broken


def test_one_worker_takes_from_sixteen_sources_in_turn() -> None:
    supply = ReadInTurn(16, lambda _: frame(0))
    served = [0] * 16
    for _ in range(1600):
        index = supply.take(1.0, lambda index, _: index)
        assert index is not None
        served[index] += 1
    assert served == [100] * 16


def test_who_finds_the_only_source_being_read_waits_its_time_and_is_told_nothing_came() -> None:
    reading, go_on = threading.Event(), threading.Event()

    def read(_: int) -> Frame:
        reading.set()
        assert go_on.wait(30)
        raise EndOfStream("done")

    supply = ReadInTurn(1, read)
    other = threading.Thread(target=supply.take, args=(1.0, lambda *_: None))
    other.start()
    assert reading.wait(30)
    assert supply.take(0.05, lambda index, _: index) is None
    go_on.set()
    other.join(30)
    with pytest.raises(EndOfStream):
        supply.take(0.05, lambda index, _: index)


def test_closed_it_gives_nothing_more() -> None:
    supply = ReadInTurn(1, lambda _: frame(0))
    assert supply.take(1.0, lambda index, _: index) == 0
    supply.close()
    with pytest.raises(EndOfStream):
        supply.take(1.0, lambda index, _: index)


def test_a_limit_of_frames_is_read_exactly_and_by_the_workers_alone() -> None:
    names: set[str] = set()

    class Told(NumberedSource):
        def read(self, timeout_s: float) -> Frame | None:
            names.add(threading.current_thread().name)
            return super().read(timeout_s)

    eyes = [Eye(Told(10**6, is_live=False), Vision(None, None)) for _ in range(3)]
    pipeline = Pipeline(eyes, [], StatsCollector("test", None, None), frames=25, concurrency=2)
    pipeline.start()
    assert pipeline.wait(30)
    pipeline.stop()
    assert [(a.captured, a.inferred, a.stopped) for a in pipeline.accounts()] == [(25, 25, 0)] * 3
    assert names <= {"vision-0", "vision-1"}


def test_stopped_in_the_middle_every_frame_that_was_read_is_a_result() -> None:
    source = NumberedSource(10**9, is_live=False)
    pipeline = Pipeline(
        [Eye(source, Vision(None, None))], [], StatsCollector("test", None, None), concurrency=2
    )
    pipeline.start()
    assert not pipeline.wait(0.2)
    pipeline.stop()
    account = pipeline.accounts()[0]
    assert account.captured == account.inferred > 0


def test_cameras_are_refused() -> None:
    with pytest.raises(ValueError, match="sources that wait"):
        Pipeline(
            [Eye(NumberedSource(1, is_live=True), Vision(None, None))],
            [],
            StatsCollector("test", None, None),
            concurrency=2,
        )
