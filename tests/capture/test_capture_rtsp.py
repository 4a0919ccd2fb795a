"""RTSP cameras: healthy, frozen, killed, wrong."""

from __future__ import annotations

import logging
import socket
import statistics
import time

import pytest
from capture_material import eventually, no_readers
from rtsp_camera import RtspCamera, age_ms
from stream_kit import OFF, take

from edgecam.capture import SourceOptions, open_source
from edgecam.capture.live.reconnect import ReconnectingSource
from edgecam.capture.network.stream import StreamSource
from edgecam.core.errors import SourceOpenError


def test_rtsp_gives_the_present_and_no_backlog(rtsp: RtspCamera) -> None:
    with open_source(rtsp.url(), OFF) as source:
        assert source.description == f"{rtsp.url()}: 640x360 at 30 fps, h264 over TCP"
        take(source, 10)
        time.sleep(2.5)  # an owner that was away gets the newest picture, not the next one
        ages = [age_ms(frame) for frame in take(source, 15)]
    # some 40 ms where this was written, up to a second on starved cores; the next picture would be 2.5 s old
    assert statistics.median(ages) < 2000


def test_rtsp_size_changes_midway(rtsp: RtspCamera) -> None:
    with open_source(rtsp.url("resize"), OFF) as source:
        seen: set[tuple[int, int]] = set()
        limit = time.monotonic() + 20
        while len(seen) < 2 and time.monotonic() < limit:
            (frame,) = take(source, 1)
            assert frame.size_wh == source.size_wh
            seen.add(frame.size_wh)
    assert seen == {(640, 360), (320, 180)}


def test_rtsp_lost_packets_do_not_end_it(rtsp: RtspCamera) -> None:
    with open_source(rtsp.url("garbage"), OFF) as source:
        began = time.monotonic()
        good = 0
        while time.monotonic() - began < 3.0:
            good += sum(0 <= age_ms(frame) < 1000 for frame in take(source, 1))
    # every other second is spoilt, and a key frame heals it
    assert good > 20


def test_rtsp_by_udp(rtsp: RtspCamera) -> None:
    with open_source(
        rtsp.url(), SourceOptions(reconnect="off", rtsp_transport="udp", read_timeout_s=20.0)
    ) as source:
        assert source.description.endswith("over UDP")
        assert len(take(source, 10)) == 10


def test_rtsp_wrong_path_and_wrong_password(rtsp: RtspCamera) -> None:
    with pytest.raises(SourceOpenError, match=r"no such stream \(404\)"):
        open_source(rtsp.url("nothing"), OFF)
    camera = RtspCamera("--user", "me", "--password", "right")
    try:
        for user in ("", "me:wrong@"):
            with pytest.raises(SourceOpenError, match="user name or password is wrong") as caught:
                open_source(camera.url(user=user), OFF)
            assert "me:" not in str(caught.value)
        with open_source(camera.url(user="me:right@"), OFF) as source:
            take(source, 1)
            assert "right" not in source.name + source.description
    finally:
        camera.kill()


def test_rtsp_frozen_and_thawed(own_rtsp: RtspCamera) -> None:
    """A frozen server (SIGSTOP) is noticed in time, no read blocks, and it comes back."""
    options = SourceOptions(read_timeout_s=1.0)
    source = ReconnectingSource(lambda: StreamSource(own_rtsp.url(), options), backoff_first_s=0.2)
    with source:
        take(source, 5)
        own_rtsp.freeze()
        began, longest = time.monotonic(), 0.0
        while not source.notice:
            called = time.monotonic()
            source.read(0.2)
            longest = max(longest, time.monotonic() - called)
            assert time.monotonic() - began < 10, "not noticed"
        assert longest < 1.5, "a read blocked its owner"
        own_rtsp.thaw()
        frames = take(source, 10)
        assert source.notice == ""
        assert source.epoch == 1
        assert statistics.median(age_ms(frame) for frame in frames) < 1000, "old pictures were shown as new"
    assert eventually(no_readers)


def test_rtsp_killed_and_restarted(own_rtsp: RtspCamera, caplog: pytest.LogCaptureFixture) -> None:
    source = ReconnectingSource(
        lambda: StreamSource(own_rtsp.url(), OFF), backoff_first_s=0.2, backoff_last_s=0.5
    )
    with caplog.at_level(logging.INFO), source:
        last = take(source, 5)[-1]
        own_rtsp.kill()
        limit = time.monotonic() + 10
        while not source.notice:
            source.read(0.2)
            assert time.monotonic() < limit
        assert source.notice.startswith("camera lost, re")
        own_rtsp.start()
        frames = take(source, 5)
        assert frames[0].index > last.index
        assert source.epoch == 1
    transitions = [
        r.getMessage().split(": ")[1].split()[0] for r in caplog.records if "cam: " in r.getMessage()
    ]
    assert transitions == ["lost", "recovered"]


def test_nobody_there_and_somebody_mute() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        with pytest.raises(SourceOpenError, match="connection refused; is the camera on"):
            open_source(f"rtsp://127.0.0.1:{port}/x", OFF)
