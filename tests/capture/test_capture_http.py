"""HTTP cameras: healthy, silent, too fast, damaged, wrong, and left a hundred times."""

from __future__ import annotations

import socket
import statistics
import time
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
from stream_kit import IMPATIENT, OFF, served, take, until_lost

from edgecam.capture import SourceOptions, open_source
from edgecam.capture.decode.bgr import BgrConverter
from edgecam.capture.generated.frame_code import read_code
from edgecam.capture.live.reconnect import ReconnectingSource
from edgecam.capture.network.stream import StreamSource
from edgecam.core.errors import EndOfStream, SourceOpenError
from edgecam.core.types import Image


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
