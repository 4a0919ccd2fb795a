"""Loss and recovery, with sources that break on command."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgecam.capture import SourceOptions, open_source
from edgecam.capture.base import BaseSource
from edgecam.capture.live.reader import Grab, LatestReader
from edgecam.capture.live.reconnect import ReconnectingSource, attempts_allowed, backoff_s
from edgecam.core.clock import now_ns
from edgecam.core.errors import CaptureError, ConfigError, EndOfStream, SourceOpenError
from edgecam.core.ports import Source
from edgecam.core.types import Frame


class Breaking(BaseSource):
    """A camera that gives ``good`` frames of ``size_wh`` and then breaks."""

    is_live = True

    def __init__(self, good: int, size_wh: tuple[int, int] = (8, 6)) -> None:
        super().__init__("cam")
        self._good = good
        self._size_wh = size_wh
        self.released = threading.Event()

    def _read(self, timeout_s: float) -> Frame | None:
        if self._index == self._good:
            raise CaptureError("cam: broke")
        image = np.zeros((self._size_wh[1], self._size_wh[0], 3), np.uint8)
        self._index += 1
        return Frame(image, self._index - 1, now_ns(), "cam")

    def _release(self) -> None:
        self.released.set()


def opener(*results: Source | Exception) -> Callable[[], Source]:
    """Gives or raises one result after the other, the last one for ever."""
    left = list(results)

    def open_next() -> Source:
        result = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(result, Exception):
            raise result
        return result

    return open_next


def quick(open_next: Callable[[], Source], attempts: int | None = None) -> ReconnectingSource:
    return ReconnectingSource(open_next, attempts, backoff_first_s=0.01, backoff_last_s=0.04)


def take(source: Source, count: int) -> list[Frame]:
    frames: list[Frame] = []
    limit = time.monotonic() + 20
    while len(frames) < count:
        assert time.monotonic() < limit
        frame = source.read(0.5)
        if frame is not None:
            frames.append(frame)
    return frames


GONE = SourceOpenError("cam: not there")


def test_waits_1_2_4_up_to_30_seconds() -> None:
    assert [backoff_s(n) for n in range(7)] == [1, 2, 4, 8, 16, 30, 30]
    assert backoff_s(10_000) == 30


@pytest.mark.parametrize(("given", "allowed"), [("forever", None), ("off", 0), ("3", 3), (5, 5), ("0", 0)])
def test_what_can_be_given(given: str | int, allowed: int | None) -> None:
    assert attempts_allowed(given) == allowed


def test_comes_back_and_goes_on_counting(caplog: pytest.LogCaptureFixture) -> None:
    first, second = Breaking(3), Breaking(100, (16, 12))
    with caplog.at_level(logging.INFO), quick(opener(first, GONE, GONE, second)) as source:
        assert source.epoch == 0
        frames = take(source, 6)
        assert source.epoch == 1
        assert source.size_wh == (16, 12)
        assert source.notice == ""
        assert first.released.is_set()
    assert second.released.is_set()
    assert [frame.index for frame in frames] == [0, 1, 2, 3, 4, 5]
    told = [record.getMessage() for record in caplog.records]
    assert told == ["cam: lost: broke", "cam: recovered after 2 failed attempts"]


def test_tells_what_is_going_on_while_lost() -> None:
    source = ReconnectingSource(opener(Breaking(1), GONE))
    assert source.read(0.0) is not None
    assert source.notice == ""
    assert source.read(0.0) is None
    assert source.notice == "camera lost, retrying in 1 s"
    source.close()


def test_gives_up_after_as_many_attempts_as_allowed_and_stays_so() -> None:
    with quick(opener(Breaking(1), GONE), attempts=3) as source:
        take(source, 1)
        with pytest.raises(CaptureError, match="3 attempts to reopen it failed: not there"):
            take(source, 1)
        with pytest.raises(CaptureError, match="3 attempts"):
            source.read(0.0)


def test_the_first_opening_is_not_retried() -> None:
    with pytest.raises(SourceOpenError, match="not there"):
        quick(opener(GONE))


def test_an_opening_that_hangs_holds_nobody_up_and_leaks_nothing() -> None:
    stuck, late = threading.Event(), Breaking(5)
    first = Breaking(1)
    calls = iter([first])

    def open_next() -> Source:
        for source in calls:
            return source
        stuck.wait(30.0)
        return late

    source = quick(open_next)
    take(source, 1)
    for _ in range(5):
        began = time.monotonic()
        assert source.read(0.1) is None
        assert time.monotonic() - began < 1.0
    assert source.notice == "camera lost, reconnecting"
    assert sum(thread.name.startswith("reopen") for thread in threading.enumerate()) == 1
    source.close()
    with pytest.raises(EndOfStream):
        source.read(0.0)
    stuck.set()
    assert late.released.wait(5.0), "what opened too late was not closed"


def test_a_replug_is_answered_at_once(tmp_path: Path) -> None:
    """However long the back-off has become: here it would be minutes."""
    node = tmp_path / "video0"
    second = Breaking(100)
    source = ReconnectingSource(
        opener(Breaking(1), second), backoff_first_s=300, backoff_last_s=300, node=node
    )
    with source:
        assert source.read(0.0) is not None
        for _ in range(3):
            assert source.read(0.1) is None
        node.touch()
        assert len(take(source, 3)) == 3
        assert source.epoch == 1


def test_a_lost_source_is_closed_at_once() -> None:
    """A node that is still held open would keep its number from the replugged camera."""
    first = Breaking(1)
    source = ReconnectingSource(opener(first, GONE), backoff_first_s=300)
    with source:
        source.read(0.0)
        source.read(0.0)
        assert first.released.wait(5.0)


def test_no_failure_to_reopen_ends_the_program(caplog: pytest.LogCaptureFixture) -> None:
    """Another camera without the control that was asked for, and a library's own exception."""
    failures = (ConfigError("no control 'gain'"), RuntimeError("surprise"))
    with quick(opener(Breaking(1), *failures, Breaking(100))) as source:
        assert len(take(source, 3)) == 3
    assert "surprise" in caplog.text


def test_an_end_is_no_loss() -> None:
    class Ending(Breaking):
        def _read(self, timeout_s: float) -> Frame | None:
            raise EndOfStream("cam: over")

    with quick(opener(Ending(0))) as source, pytest.raises(EndOfStream, match="over"):
        source.read(0.1)


def test_close_while_lost_is_quick() -> None:
    source = ReconnectingSource(opener(Breaking(0), GONE))
    reader = threading.Thread(target=lambda: source.read(30.0))
    reader.start()
    time.sleep(0.05)
    source.close()
    reader.join(5.0)
    assert not reader.is_alive()


def test_a_hundred_losses_leave_no_thread() -> None:
    sources: list[Breaking] = []

    def open_next() -> Source:
        sources.append(Breaking(1))
        return sources[-1]

    before = threading.active_count()
    with ReconnectingSource(open_next, backoff_first_s=0.0005, backoff_last_s=0.0005) as source:
        frames = take(source, 101)
        assert source.epoch == 100
        assert threading.active_count() <= before + 1
    assert [frame.index for frame in frames] == list(range(101))
    assert all(one.released.is_set() for one in sources)


def test_a_camera_that_is_not_there_yet_is_waited_for() -> None:
    there = False

    def opener() -> Source:
        if not there:
            raise SourceOpenError("no such camera")
        return open_source("synthetic:?live=1&size=96x64&frames=300")

    with pytest.raises(SourceOpenError, match="no such camera"):
        ReconnectingSource.wrap(opener, SourceOptions(), "cam")
    source = ReconnectingSource(opener, backoff_first_s=0.05, wait=True, name="cam")
    with source:
        assert source.name == "cam" and source.read(0.01) is None
        assert source.notice.startswith("waiting for the camera")
        there = True
        frame = None
        deadline = time.monotonic() + 10.0
        while frame is None and time.monotonic() < deadline:
            frame = source.read(0.1)
        assert frame is not None and frame.size_wh == (96, 64)
        assert source.notice == "" and source.epoch == 0


class Aborting:
    """A grabber whose blocking call ends with an error when it is aborted, as a socket's does."""

    def __init__(self) -> None:
        self.aborted = threading.Event()

    def grab(self) -> Grab | None:
        if self.aborted.wait(20):
            time.sleep(0.05)
            raise CaptureError("connection closed")
        return None

    def close(self) -> None:
        pass

    def abort(self) -> None:
        self.aborted.set()


def test_the_error_of_an_aborted_call_reaches_nobody() -> None:
    reader = LatestReader("cam", Aborting)
    got: list[object] = []

    def owner() -> None:
        try:
            got.append(reader.take(30.0))
            time.sleep(0.2)
            got.append(reader.take(0.0))
        except CaptureError as error:
            got.append(error)

    thread = threading.Thread(target=owner)
    thread.start()
    time.sleep(0.1)
    assert reader.stop(5.0)
    thread.join(5.0)
    assert got == [None, None]
