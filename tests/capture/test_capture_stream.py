"""RTSP and HTTP cameras: healthy, frozen, killed, wrong, and left a hundred times."""

from __future__ import annotations

import functools
import http.server
import logging
import socket
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest
from av.video.frame import VideoFrame
from capture_material import (
    client_sockets,
    eventually,
    http_camera,
    no_readers,
    open_files,
    server_sockets,
    write_video,
)
from rtsp_camera import RtspCamera, age_ms

from edgecam.capture import SourceOptions, open_source
from edgecam.capture.decode.bgr import BgrConverter
from edgecam.capture.generated.frame_code import read_code
from edgecam.capture.live.reconnect import ReconnectingSource
from edgecam.capture.network.stream import StreamSource
from edgecam.core.errors import CaptureError, EndOfStream, SourceOpenError
from edgecam.core.ports import Source
from edgecam.core.types import Frame, Image

# a healthy camera may take long to answer on a busy machine; those that shall be found slow say so
OFF = SourceOptions(reconnect="off", read_timeout_s=20.0)
IMPATIENT = SourceOptions(reconnect="off", read_timeout_s=0.5)


def take(source: Source, count: int, within_s: float = 60.0) -> list[Frame]:
    frames: list[Frame] = []
    limit = time.monotonic() + within_s
    while len(frames) < count:
        assert time.monotonic() < limit, f"only {len(frames)} frames within {within_s} s"
        frame = source.read(0.2)
        if frame is not None:
            frames.append(frame)
    return frames


def until_lost(source: Source, within_s: float = 20.0) -> tuple[str, float, float]:
    """The CaptureError's words, how long it took, and the longest single read, seconds."""
    began, longest = time.monotonic(), 0.0
    while time.monotonic() - began < within_s:
        called = time.monotonic()
        try:
            source.read(0.2)
        except CaptureError as error:
            return str(error), time.monotonic() - began, longest
        longest = max(longest, time.monotonic() - called)
    raise AssertionError("not noticed")


def test_rtsp_gives_the_present_and_no_backlog(rtsp: RtspCamera) -> None:
    with open_source(rtsp.url(), OFF) as source:
        assert source.description == f"{rtsp.url()}: 640x360 at 30 fps, h264 over TCP"
        take(source, 10)
        time.sleep(1.0)  # an owner that is away for a second gets the newest picture, not the next one
        ages = [age_ms(frame) for frame in take(source, 15)]
    # some 40 ms where this was written; a player's buffer would make it seconds
    assert statistics.median(ages) < 700


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


def test_a_server_that_takes_the_call_and_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgecam.capture.network.stream.CONNECT_TIMEOUT_S", 0.4)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        for scheme in ("rtsp", "http"):
            with pytest.raises(SourceOpenError, match=r"no answer within \d"):
                open_source(f"{scheme}://127.0.0.1:{listener.getsockname()[1]}/x", OFF)


def test_http_pictures_in_order() -> None:
    with http_camera() as camera, open_source(f"http://127.0.0.1:{camera.port}/video", OFF) as source:
        assert source.description == f"http://127.0.0.1:{camera.port}/video: 320x180, mjpeg"
        codes = [read_code(frame.image) for frame in take(source, 10)]
    assert codes == sorted(codes, key=lambda code: code if code is not None else -1)
    assert None not in codes


def test_http_pictures_that_are_whole_take_the_short_way(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_self: object, _frame: object) -> None:
        raise AssertionError("through libavcodec and swscale")

    monkeypatch.setattr(BgrConverter, "__call__", fail)
    with http_camera() as camera, open_source(f"http://127.0.0.1:{camera.port}/video", OFF) as source:
        assert len(take(source, 5)) == 5


def test_http_wrong_password_and_wrong_path() -> None:
    with http_camera(password="right") as camera:
        with pytest.raises(SourceOpenError, match="user name or password is wrong"):
            open_source(f"http://127.0.0.1:{camera.port}/video", OFF)
        with open_source(f"http://me:right@127.0.0.1:{camera.port}/video", OFF) as source:
            take(source, 1)
    with http_camera() as camera, pytest.raises(SourceOpenError, match=r"no such stream \(404\)"):
        open_source(f"http://127.0.0.1:{camera.port}/missing", OFF)


def test_http_that_stops_is_lost_in_time_and_comes_back() -> None:
    with http_camera() as camera:
        options = SourceOptions(read_timeout_s=0.5)
        url = f"http://127.0.0.1:{camera.port}/video"
        with ReconnectingSource(lambda: StreamSource(url, options), backoff_first_s=0.1) as source:
            take(source, 3)
            camera.pause.set()
            limit = time.monotonic() + 10
            while not source.notice:
                source.read(0.2)
                assert time.monotonic() < limit, "not noticed"
            camera.pause.clear()
            take(source, 3)
            assert source.epoch == 1


def test_http_that_sends_more_than_can_be_decoded_is_not_shown_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decoding takes three times as long as the camera takes to make a picture."""
    convert = BgrConverter.__call__

    def slow(self: BgrConverter, frame: VideoFrame) -> Image:
        time.sleep(0.1)
        return convert(self, frame)

    monkeypatch.setattr(BgrConverter, "__call__", slow)
    with http_camera(count=200) as camera:
        with open_source(f"http://127.0.0.1:{camera.port}/video", OFF) as source:
            behind = []
            while camera.sent < 120:
                frame = source.read(1.0)
                if frame is not None:
                    code = read_code(frame.image)
                    assert code is not None
                    behind.append(camera.sent - code)
    # in turn, the last one would be some eighty pictures old
    assert statistics.median(behind[-10:]) < 25


def test_http_that_sends_junk_is_lost(caplog: pytest.LogCaptureFixture) -> None:
    with http_camera() as camera, open_source(f"http://127.0.0.1:{camera.port}/video", IMPATIENT) as source:
        take(source, 3)
        camera.junk = True
        words, _, longest = until_lost(source)
    assert "nothing new for" in words
    assert longest < 1.5
    assert sum("damaged data" in record.getMessage() for record in caplog.records) <= 1


@contextmanager
def served(folder: Path) -> Iterator[str]:
    handler = functools.partial(Quiet, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


def test_a_video_over_http_has_an_end(tmp_path: Path) -> None:
    write_video(tmp_path / "v.mp4", [40 * i for i in range(10)], faststart=True)
    (tmp_path / "page.html").write_text("<html><body>no video</body></html>")
    with served(tmp_path) as address:
        with open_source(f"{address}/v.mp4", OFF) as source:
            for _ in range(2):
                with pytest.raises(EndOfStream):
                    take(source, 1000)
        with pytest.raises(SourceOpenError, match="not video"):
            open_source(f"{address}/page.html", OFF)


def test_an_address_of_one_picture_gives_it_and_ends(tmp_path: Path) -> None:
    picture = np.full((48, 64, 3), (200, 120, 40), np.uint8)
    for name in ("photo.jpg", "photo.png"):
        cv2.imwrite(str(tmp_path / name), picture)
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    with served(tmp_path) as address:
        for name in ("photo.jpg", "photo.png"):
            with open_source(f"{address}/{name}", OFF) as source:
                frame = source.read(5.0)
                assert frame is not None and np.abs(frame.image.astype(int) - picture).max() < 8
                with pytest.raises(EndOfStream):
                    take(source, 1)
        with pytest.raises(SourceOpenError, match=r"broken\.jpg is a picture that cannot be read"):
            open_source(f"{address}/broken.jpg", OFF)


@pytest.mark.slow
def test_a_hundred_readers_left_behind_leak_nothing() -> None:
    """The camera stops, its reader hangs, the owner leaves: a hundred times over."""
    options = SourceOptions(reconnect="off", read_timeout_s=0.02)
    with http_camera(rate_hz=500) as camera:
        url = f"http://127.0.0.1:{camera.port}/video"

        def cycle() -> None:
            camera.pause.clear()
            with StreamSource(url, options) as source:
                camera.pause.set()
                until_lost(source)

        for _ in range(3):
            cycle()
        assert eventually(no_readers)
        # the server's side keeps its connections until it writes to them; only ours are counted
        mine = client_sockets(camera.port)
        files = open_files() - server_sockets(camera.port)
        for _ in range(100):
            cycle()
        assert eventually(no_readers)
        assert client_sockets(camera.port) == mine == 0
        assert open_files() - server_sockets(camera.port) <= files + 1
