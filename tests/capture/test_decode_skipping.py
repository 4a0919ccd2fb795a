"""Pictures that nobody would look at are left undecoded, counted, and only those."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from capture_material import http_camera
from rtsp_camera import RtspCamera
from stream_kit import take
from v4l2_sim import SimCamera

from edgecam.capture import SourceOptions, open_source
from edgecam.capture import decode_skipping as skipping
from edgecam.capture.base import LiveSource
from edgecam.capture.decode_skipping import RECENT, DecodeSkipping
from edgecam.capture.generated.frame_code import read_code
from edgecam.capture.live.reconnect import ReconnectingSource
from edgecam.capture.v4l2.source import V4L2Source
from edgecam.core.clock import now_ns
from edgecam.core.errors import CaptureError
from edgecam.core.ports import Source
from edgecam.core.types import Frame

MS = 1_000_000


def experienced(monkeypatch: pytest.MonkeyPatch, gap_ms: int, decoding_ms: int) -> tuple[DecodeSkipping, int]:
    """One that has seen pictures come every ``gap_ms`` and decoded them all; and when the last one came."""
    one, at_ns = DecodeSkipping(), 0
    for _ in range(RECENT + 1):
        at_ns += gap_ms * MS
        assert not one.passes_over(at_ns)
        monkeypatch.setattr(skipping, "now_ns", lambda at=at_ns: at + decoding_ms * MS)
        one.decoded(at_ns)
    return one, at_ns


def test_passed_over_if_the_next_is_there_and_decoded_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    one, at_ns = experienced(monkeypatch, gap_ms=30, decoding_ms=12)
    busy_ms = 41
    one.busy_for = lambda ns: busy_ms * MS > ns
    assert not one.passes_over(at_ns + 30 * MS)
    busy_ms = 43
    assert one.passes_over(at_ns + 60 * MS)
    assert one.count == 1


def test_one_late_picture_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    one, at_ns = experienced(monkeypatch, gap_ms=30, decoding_ms=12)
    one.busy_for = lambda ns: ns < 43 * MS
    assert one.passes_over(at_ns + 500 * MS)
    assert one.passes_over(at_ns + 530 * MS)


def test_nothing_is_passed_over_before_it_is_known_how_pictures_come() -> None:
    one = DecodeSkipping()
    one.busy_for = lambda ns: True
    for i in range(RECENT):
        assert not one.passes_over(i * MS)
        one.decoded(now_ns())
    assert one.count == 0


def pass_over(source: Source, count: int, within_s: float = 20.0) -> None:
    """Read, with nobody ever free to look, until ``count`` more pictures were passed over."""
    before, limit = source.undecoded, time.monotonic() + within_s
    source.skip_decoding(lambda ns: True)
    while source.undecoded < before + count:
        source.read(0.05)
        assert time.monotonic() < limit, f"{source.undecoded - before} of {count} passed over"


def test_a_webcam(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    camera = SimCamera(monkeypatch, tmp_path, rate_hz=200.0)
    # silence is looked for meanwhile: a picture that is passed over is a sign of life
    with V4L2Source(camera.path, SourceOptions(size_wh=(320, 180), read_timeout_s=0.3)) as source:
        last = take(source, RECENT + 2)[-1]
        began = time.monotonic()
        while time.monotonic() - began < 0.6:
            pass_over(source, 10)
        passed = source.undecoded
        source.skip_decoding(lambda ns: False)
        (frame,) = take(source, 1)
        assert frame.index > last.index + passed - 1  # the driver's own count goes on
        assert read_code(frame.image) in range(4)
        camera.silent = True
        with pytest.raises(CaptureError, match="no frame for"):
            take(source, 1)


def test_a_webcam_that_hangs_while_pictures_are_passed_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    camera = SimCamera(monkeypatch, tmp_path, rate_hz=200.0)
    options = SourceOptions(size_wh=(320, 180), frozen_after_s=0.3)
    with V4L2Source(camera.path, options) as source:
        take(source, RECENT + 2)
        source.skip_decoding(lambda ns: True)
        camera.same_picture = True
        with pytest.raises(CaptureError, match="the very same picture"):
            take(source, 1)


def test_http_and_rtsp_go_on_counting(rtsp: RtspCamera) -> None:
    with http_camera(count=2000) as camera:
        for url in (f"http://127.0.0.1:{camera.port}/video", rtsp.url()):
            with open_source(url, SourceOptions(reconnect="off")) as source:
                last = take(source, RECENT + 2)[-1]
                pass_over(source, 10)
                source.skip_decoding(lambda ns: False)
                newer = take(source, 3)
                assert newer[0].index >= last.index + 10
                assert newer[0].index < newer[1].index < newer[2].index
                assert all(frame.size_wh == source.size_wh for frame in newer)


def test_a_camera_whose_pictures_are_passed_over_for_long_is_not_lost() -> None:
    """As by a network that takes longer for a picture than a camera may be silent."""
    with http_camera(count=2000) as camera:
        url = f"http://127.0.0.1:{camera.port}/video"
        with open_source(url, SourceOptions(reconnect="off", read_timeout_s=0.4)) as source:
            take(source, RECENT + 2)
            began = time.monotonic()
            while time.monotonic() - began < 1.2:
                pass_over(source, 3)
            camera.pause.set()
            with pytest.raises(CaptureError, match=r"nothing new for|no answer within"):
                take(source, 1)


class Breaking(LiveSource):
    """A camera that passes two pictures over and then breaks."""

    def _read(self, timeout_s: float) -> Frame | None:
        if self._index == 3:
            raise CaptureError("cam: broke")
        self._index += 1
        if self._index > 1 and self._skipping.busy_for is not None and self._skipping.busy_for(0):
            self._skipping.count += 1
            return None
        return Frame(np.zeros((6, 8, 3), np.uint8), self._index - 1, now_ns(), "cam")


def test_a_camera_that_comes_back_is_told_as_well() -> None:
    with ReconnectingSource(lambda: Breaking("cam"), backoff_first_s=0.01, backoff_last_s=0.01) as source:
        source.skip_decoding(lambda ns: True)
        limit = time.monotonic() + 10
        while source.epoch < 2:
            source.read(0.05)
            assert time.monotonic() < limit
        assert source.undecoded == 4
        pass_over(source, 2)
        assert source.undecoded == 6
