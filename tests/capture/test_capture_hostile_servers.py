"""What a network camera may do to its visitor: nothing but be lost."""

# Private names are touched here, for what an assembler holds has no other face; its bound is what is
# tested.

from __future__ import annotations

import math
import socket
import threading
import time

import cv2
import numpy as np
import pytest
from capture_material import http_camera
from hostile import answering, endless, h264_units, hostile_server, peak_mb, resized_jpeg
from rtp_parts import SDP

from edgecam.capture import SourceOptions, open_source
from edgecam.capture.limits import PICTURE_BYTES
from edgecam.capture.network.address import redirected
from edgecam.capture.network.rtp import H264, Assembler, parse_rtp
from edgecam.capture.network.rtsp_auth import authorization, parse_fields
from edgecam.capture.network.sdp import parse_sdp
from edgecam.core.errors import SourceOpenError

OFF = SourceOptions(reconnect="off", read_timeout_s=1.0)
OK = b"RTSP/1.0 200 OK\r\n"
DESCRIBED = OK + b"Content-Length: %d\r\n\r\n%b" % (len(SDP), SDP.encode())
SETUP = OK + b"Session: 1\r\nTransport: RTP/AVP/TCP;interleaved=0-1\r\n\r\n"


def interleaved(payload: bytes, sequence: int, marker: bool = False, timestamp: int = 9000) -> bytes:
    head = bytes((0x80, 96 | marker << 7)) + sequence.to_bytes(2, "big") + timestamp.to_bytes(4, "big")
    data = head + b"\0\0\0\7" + payload
    return b"$\0" + len(data).to_bytes(2, "big") + data


def refused(url: str, within_s: float = 20.0) -> str:
    began = time.monotonic()
    with pytest.raises(SourceOpenError) as caught:
        open_source(url, OFF).close()
    assert time.monotonic() - began < within_s
    return str(caught.value)


def test_one_header_freezes_nobody() -> None:
    """26 s for 60,000 bytes, in one regular expression, with every other camera standing still meanwhile."""
    began = time.process_time()
    for text in ("a" * 200_000, "a " * 100_000, "a=" * 100_000, 'a="' * 70_000, " " * 200_000, "=" * 9999):
        parse_fields(text)
        authorization([f"Digest {text}"], "user", "pw", "OPTIONS", "rtsp://h/")
    assert time.process_time() - began < 1.0
    assert parse_fields('realm="a, b=c" , Nonce=17, qop="auth,auth-int",opaque=""') == {
        "realm": "a, b=c", "nonce": "17", "qop": "auth,auth-int", "opaque": "",
    }  # fmt: skip


@pytest.mark.parametrize("ending", [b"\r\n\r\n", b""])
def test_a_line_is_limited_also_within_one_chunk(ending: bytes) -> None:
    header = b"RTSP/1.0 401 No\r\nWWW-Authenticate: Digest " + b"a" * 60_000 + ending
    with hostile_server(answering(header, then=lambda peer: time.sleep(1))) as port, http_camera() as camera:
        with open_source(f"http://127.0.0.1:{camera.port}/", OFF) as healthy:
            done = threading.Event()
            seen = [0]

            def watch() -> None:
                while not done.is_set():
                    seen[0] += healthy.read(0.5) is not None

            watcher = threading.Thread(target=watch)
            watcher.start()
            began = time.monotonic()
            words = refused(f"rtsp://me:pw@127.0.0.1:{port}/x")
            took_s = time.monotonic() - began
            time.sleep(max(0.0, 1.0 - took_s))
            done.set()
            watcher.join()
    assert "a line of more than" in words
    assert took_s < 8 and seen[0] > 5


def test_headers_without_end_and_bodies_without_measure() -> None:
    for answer in (
        OK + b"X: y\r\n" * 200,
        OK + b"Content-Length: 2000000000\r\n\r\n",
        OK + b"Content-Length: \xc2\xb2\r\n\r\n",
    ):
        with hostile_server(answering(answer, then=endless(bytes(65536)))) as port:
            refused(f"rtsp://127.0.0.1:{port}/x")


@pytest.mark.parametrize("scheme", ["rtsp", "http"])
@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_a_redirection_does_not_carry_the_password(scheme: str, transport: str) -> None:
    asked: list[bytes] = []

    def elsewhere(peer: socket.socket) -> None:
        while data := peer.recv(65536):
            asked.append(data)
            challenge = b'401 No\r\nCSeq: 1\r\nWWW-Authenticate: Basic realm="x"\r\nContent-Length: 0\r\n\r\n'
            peer.sendall((b"RTSP/1.0 " if scheme == "rtsp" else b"HTTP/1.1 ") + challenge)

    with hostile_server(elsewhere) as other:
        version = b"RTSP/1.0" if scheme == "rtsp" else b"HTTP/1.1"
        moved = b"%b 302 Moved\r\nCSeq: 1\r\nLocation: %b://127.0.0.1:%d/y\r\nContent-Length: 0\r\n\r\n"
        moved = moved % (version, scheme.encode(), other)
        challenge = b'%b 401 No\r\nCSeq: 1\r\nWWW-Authenticate: Basic realm="x"\r\n\r\n' % version
        with hostile_server(answering(challenge, moved) if scheme == "rtsp" else answering(moved)) as port:
            options = SourceOptions(reconnect="off", rtsp_transport=transport)
            with pytest.raises(SourceOpenError, match="password"):
                open_source(f"{scheme}://me:s3cr3t@127.0.0.1:{port}/x", options)
    assert asked and not any(b"Authorization" in data for data in asked)


def test_where_credentials_may_go() -> None:
    url = "rtsp://me:pw@cam/a/b"
    assert redirected(url, "rtsp://cam:554/c") == "rtsp://me:pw@cam:554/c"
    assert redirected(url, "/c?d=1") == "rtsp://me:pw@cam/c?d=1"
    for location in ("rtsp://cam:555/c", "rtsp://cam.evil/c", "rtsps://cam/c", "rtsp://evil/c"):
        assert redirected(url, location) == location
    assert redirected(url, "rtsp://you:own@evil/c") == "rtsp://you:own@evil/c"
    for location in ("http://cam/c", "file:///etc/shadow", "rtsp://[::1/c", "rtsp://"):
        with pytest.raises(ValueError):
            redirected(url, location)
    with pytest.raises(ValueError):
        redirected("rtsps://me:pw@cam/", "rtsp://cam/")
    for here in ("127.0.0.1:8080", "[::1]", "localhost", "0.0.0.0", "[::ffff:127.0.0.1]"):
        with pytest.raises(ValueError, match="this machine"):
            redirected(url, f"rtsp://{here}/x")
    assert redirected("http://127.0.0.1:1/", "http://localhost:2/x") == "http://localhost:2/x"


@pytest.mark.parametrize("rate", ["nan", "inf", "-inf", "1e308", "1e-308", "0", "-5", "9" * 5000, "²"])
def test_a_rate_that_is_none(rate: str) -> None:
    track = parse_sdp(SDP.replace("a=framerate:25", "").rstrip() + f"\r\na=framerate:{rate}\r\n")
    assert track is not None and track.rate_hz is None
    assert rate == "0" or parse_sdp(f"m=video 0 RTP/AVP {rate}\r\n") is None


def test_packets_before_an_answer_are_few() -> None:
    flood = endless(interleaved(bytes(60_000), 1))
    with hostile_server(answering(OK + b"\r\n", DESCRIBED, SETUP, then=flood)) as port:
        before = peak_mb()
        assert "pictures where an answer should be" in refused(f"rtsp://127.0.0.1:{port}/x")
        assert peak_mb() - before < 50


def test_a_picture_without_end_is_let_go() -> None:
    assembler = Assembler(H264())
    packet = parse_rtp(interleaved(b"\x7c\x05" + bytes(60_000), 1)[4:])
    assert packet is not None
    held = 0
    for n in range(2000):
        moved = type(packet)(n & 0xFFFF, 9000, False, 96, packet.payload)
        assembler.push(moved, n)
        held = max(held, sum(map(len, assembler._parts)))
    assert held <= PICTURE_BYTES + 60_000


def test_a_huge_picture_by_rtsp_is_not_decoded() -> None:
    sps, pps, piece = h264_units(16000, 16000)

    def pictures(peer: socket.socket) -> None:
        for n in range(60):
            units = ((sps, False), (pps, False), (piece, True))
            peer.sendall(
                b"".join(interleaved(u, 3 * n + i, m, 9000 + n * 3000) for i, (u, m) in enumerate(units))
            )
            time.sleep(0.02)

    with hostile_server(answering(OK + b"\r\n", DESCRIBED, SETUP, OK + b"\r\n", then=pictures)) as port:
        before = peak_mb()
        refused(f"rtsp://127.0.0.1:{port}/x")
        assert peak_mb() - before < 200


def test_a_huge_part_over_http() -> None:
    head = b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=b\r\n\r\n--b\r\n"
    jpeg = cv2.imencode(".jpg", np.zeros((64, 64, 3), np.uint8))[1].tobytes()
    huge = resized_jpeg(jpeg, 65500, 65500)
    for part in (
        b"Content-Type: image/jpeg\r\nContent-Length: 2000000000\r\n\r\n",
        b"Content-Type: image/jpeg\r\n\r\n",
        b"Content-Length: nan\r\n\r\n",
        b"Content-Length: %d\r\n\r\n%b\r\n--b\r\n" % (len(huge), huge),
    ):
        with hostile_server(answering(head + part, then=endless(bytes(65536)))) as port:
            before = peak_mb()
            refused(f"http://127.0.0.1:{port}/")
            assert peak_mb() - before < 150


def test_a_part_without_a_length_ends_at_its_boundary() -> None:
    head = b'HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary="--b"\r\n\r\n'
    jpeg = cv2.imencode(".jpg", np.full((48, 64, 3), 99, np.uint8))[1].tobytes()

    def serve(peer: socket.socket) -> None:
        peer.recv(65536)
        peer.sendall(head)
        for _ in range(100):
            peer.sendall(b"--b\r\nContent-Type: image/jpeg\r\n\r\n" + jpeg + b"\r\n")
            time.sleep(0.03)

    with hostile_server(serve) as port, open_source(f"http://127.0.0.1:{port}/", OFF) as source:
        frame = None
        while frame is None:
            frame = source.read(1.0)
        assert frame.size_wh == (64, 48) and math.isclose(frame.image.mean(), 99, abs_tol=3)
