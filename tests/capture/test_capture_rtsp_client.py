"""Our RTSP client and RTP assembly: against recorded descriptions, made packets, and the real server."""

# Private names are touched here, for sessions are kept alive after minutes; the client's clock is set
# back instead of waiting for them.

from __future__ import annotations

import contextlib
import re
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction

import av
import numpy as np
import pytest
from capture_material import client_sockets, eventually, no_readers, open_files, pictures, server_sockets
from rtp_parts import SDP, fragments
from rtsp_camera import RtspCamera, age_ms

from edgecam.capture import SourceOptions, open_source
from edgecam.capture.live.reader import Grab
from edgecam.capture.network import rtsp as camera_module
from edgecam.capture.network.rtp import H264, Picture, parse_rtp
from edgecam.capture.network.rtsp_client import RtspClient, UnsupportedError
from edgecam.capture.network.sdp import VideoTrack
from edgecam.core.errors import CaptureError, SourceOpenError

OFF = SourceOptions(reconnect="off")


@contextmanager
def scripted(*answers: bytes) -> Iterator[str]:
    """A server that gives one answer per request and then hangs up; yields its address."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        peer, _ = listener.accept()
        with peer:
            for answer in answers:
                if not peer.recv(4096):
                    return
                peer.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"rtsp://127.0.0.1:{listener.getsockname()[1]}/x"
    finally:
        listener.close()
        thread.join(10)


@pytest.mark.parametrize(
    "answers",
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n",),
        (b"RTSP/1.0 200 OK\r\n\r\n", b"RTSP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nv=0\n"),
        (b"RTSP/1.0 200 OK\r\n\r\n", b"RTSP/1.0 500 Sorry\r\n\r\n"),
    ],
)
def test_what_the_client_does_not_know_is_left_to_another(answers: tuple[bytes, ...]) -> None:
    with scripted(*answers) as url:
        client = RtspClient(url, 2.0, 2.0)
        with pytest.raises(UnsupportedError):
            client.play(5.0)
        client.close()


def test_hanging_up_in_the_middle_is_told() -> None:
    with scripted(b"RTSP/1.0 200 OK\r\n\r\n", b"RTSP/1.0 200 O") as url:
        client = RtspClient(url, 2.0, 2.0)
        with pytest.raises(CaptureError, match="closed the connection"):
            client.play(5.0)
        client.close()


def test_garbage_for_an_answer_is_refused_in_words() -> None:
    junk = np.random.default_rng(0).bytes(20_000)
    with scripted(junk) as url, pytest.raises(SourceOpenError, match=r"^rtsp://127.0.0.1:\d+/x: "):
        open_source(url, OFF)


def test_a_picture_that_overtakes_the_answer_to_play_is_kept() -> None:
    ok = b"RTSP/1.0 200 OK\r\n"
    described = ok + b"Content-Length: %d\r\n\r\n%b" % (len(SDP), SDP.encode())
    setup = ok + b"Session: 1\r\nTransport: RTP/AVP/TCP;interleaved=4-5\r\n\r\n"
    play = b"$\4\0\3abc$\5\0\4RTCP" + ok + b"\r\n$\4\0\3def"
    with scripted(ok + b"\r\n", described, setup, play) as url:
        client = RtspClient(url, 2.0, 2.0)
        client.play(2.0)
        assert [client.packet(), client.packet()] == [b"abc", b"def"]
        client.close()


def test_an_old_nonce_is_renewed_once() -> None:
    refused = b'RTSP/1.0 401 Unauthorized\r\nWWW-Authenticate: Digest realm="c", nonce="new"\r\n\r\n'
    with scripted(refused, refused + b"$\0\0\3abc") as url:
        client = RtspClient(url.replace("//", "//me:right@"), 2.0, 2.0)
        client._keep_alive_s, client._first_by_ns = 0.0, 1 << 62
        client._alive_ns = 0
        client._send("OPTIONS", url, {})
        client._keep_alive_s = 60.0
        assert client.packet() == b"abc"
        assert 'nonce="new"' in client._challenges[0]
        assert client._sequence == 2
        client.close()


def test_sessions_are_kept_alive(rtsp: RtspCamera) -> None:
    client = RtspClient(rtsp.url(), 5.0, 3.0)
    try:
        client.play(5.0)
        client._keep_alive_s = 0.1
        before = client._sequence
        limit = time.monotonic() + 1.0
        while time.monotonic() < limit:
            assert parse_rtp(client.packet()) is not None
        assert client._sequence - before >= 3
    finally:
        client.close()


@pytest.mark.parametrize(
    ("path", "codec"), [("single", "h264"), ("noise", "h264"), ("hevc", "hevc"), ("jpeg", "mjpeg")]
)
def test_encodings_and_large_pictures(rtsp: RtspCamera, path: str, codec: str) -> None:
    # HEVC is encoded in software here, and comes late on a busy machine
    with open_source(rtsp.url(path), SourceOptions(reconnect="off", read_timeout_s=20.0)) as source:
        assert source.description.endswith(f"{codec} over TCP")
        ages: list[int] = []
        while len(ages) < 10:
            frame = source.read(1.0)
            if frame is not None:
                ages.append(age_ms(frame))
    # a code that was read wrongly is off by days; the encoder of this test may be late by seconds
    assert all(0 <= age < 60_000 for age in ages)


def test_digest_at_the_real_server() -> None:
    camera = RtspCamera("--user", "me", "--password", "right", "--digest")
    try:
        with pytest.raises(SourceOpenError, match="user name or password is wrong"):
            open_source(camera.url(user="me:wrong@"), OFF)
        with open_source(camera.url(user="me:right@"), OFF) as source:
            assert source.read(3.0) is not None
    finally:
        camera.kill()


def h264_picture() -> list[bytes]:
    """The units of one key picture."""
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = 320, 180, "yuv420p", Fraction(1, 30)
    encoder.options = {"tune": "zerolatency"}
    frame = av.VideoFrame.from_ndarray(pictures(1)[0], format="bgr24")
    data = b"".join(bytes(packet) for part in (frame, None) for packet in encoder.encode(part))
    return [one for one in re.split(rb"\x00\x00\x00?\x01", data) if one]


class FreezingCamera:
    """Serves RTSP as far as its first picture, and then keeps the line open and says nothing."""

    def __init__(self) -> None:
        codec, units = H264(), h264_picture()
        payloads = [part for one in units for part in fragments(codec, one, 1000)]
        self._burst = b""
        for i, payload in enumerate(payloads):
            head = struct.pack(">BBHII", 0x80, 96 | (0x80 if i == len(payloads) - 1 else 0), i, 0, 1)
            self._burst += b"$\0" + struct.pack(">H", len(head) + len(payload)) + head + payload
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=200)
        self.port = self._listener.getsockname()[1]
        self.goodbyes = 0
        self._peers: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, name="freezing camera")
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            self._peers.append(peer)
            while True:
                request = peer.recv(4096)
                answer = b"RTSP/1.0 200 OK\r\n"
                if request.startswith(b"DESCRIBE"):
                    answer += b"Content-Length: %d\r\n\r\n%b" % (len(SDP), SDP.encode())
                elif request.startswith(b"SETUP"):
                    answer += b"Session: 1\r\nTransport: RTP/AVP/TCP;interleaved=0-1\r\n\r\n"
                else:
                    answer += b"\r\n"
                if request.startswith((b"TEARDOWN", b"PLAY")) or not request:
                    break
                peer.sendall(answer)
            if request.startswith(b"PLAY"):
                peer.sendall(answer + self._burst)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)
        for peer in self._peers:
            with contextlib.suppress(BlockingIOError):
                self.goodbyes += peer.recv(4096, socket.MSG_DONTWAIT).startswith(b"TEARDOWN")
            peer.close()


def test_a_hundred_frozen_cameras_left_behind_leak_nothing() -> None:
    """Each freezes after a picture; it is noticed in time, left at once, and told goodbye."""
    camera = FreezingCamera()
    url = f"rtsp://127.0.0.1:{camera.port}/x"
    options = SourceOptions(reconnect="off", read_timeout_s=0.04)

    def cycle() -> None:
        with open_source(url, options) as source:
            assert source.size_wh == (320, 180)
            assert source.read(1.0) is not None
            with pytest.raises(CaptureError, match="nothing"):
                for _ in range(1000):
                    source.read(0.02)

    try:
        cycle()
        assert eventually(no_readers)
        files = open_files() - server_sockets(camera.port)
        for _ in range(100):
            cycle()
        assert eventually(no_readers)
        assert client_sockets(camera.port) == 0
        assert open_files() - server_sockets(camera.port) <= files + 1
    finally:
        camera.close()
    assert camera.goodbyes == 101


def test_a_camera_too_fast_for_this_board_is_not_shown_late(
    rtsp: RtspCamera, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Decoding a picture takes three times as long as the camera takes to make one."""
    decode = camera_module.RtspCamera._decode

    def slow(self: camera_module.RtspCamera, picture: Picture) -> Grab | None:
        time.sleep(0.1)
        return decode(self, picture)

    monkeypatch.setattr(camera_module.RtspCamera, "_decode", slow)
    monkeypatch.setattr(camera_module, "BEHIND_S", 0.3)
    with open_source(rtsp.url(), OFF) as source:
        limit = time.monotonic() + 6.0
        ages: list[int] = []
        while time.monotonic() < limit:
            frame = source.read(0.5)
            if frame is not None:
                ages.append(age_ms(frame))
    # without skipping the last ones would be four seconds old
    assert max(ages[-5:]) < 2000
    assert sum("sends more than can be decoded" in record.getMessage() for record in caplog.records) == 1


def test_a_server_that_plays_but_stays_silent_is_called_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if it goes on sending its reports."""
    monkeypatch.setattr("edgecam.capture.network.stream.FIRST_PICTURE_S", 0.6)
    camera = FreezingCamera()
    burst, camera._burst = camera._burst, b"$\1\0\4RTCP"
    calls = []
    play = RtspClient.play

    def count(self: RtspClient, first_packet_s: float) -> VideoTrack:
        calls.append(first_packet_s)
        if len(calls) == 2:
            camera._burst = burst
        return play(self, first_packet_s)

    monkeypatch.setattr(RtspClient, "play", count)
    try:
        with open_source(f"rtsp://127.0.0.1:{camera.port}/x", OFF) as source:
            assert source.read(1.0) is not None
        assert calls == pytest.approx([0.2, 0.4])
    finally:
        camera.close()
