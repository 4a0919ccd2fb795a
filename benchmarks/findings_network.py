"""Findings of findings.py about a hostile camera: its headers, its redirection, its rates."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "capture"))
from checkout import LIVE, QUIET, Checkout  # noqa: E402
from hostile import answering, hostile_server  # noqa: E402

SDP = "v=0\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n{}a=control:track\r\n"
OK = b"RTSP/1.0 200 OK\r\n"
SETUP = OK + b"Session: 1\r\nTransport: RTP/AVP/TCP;interleaved=0-1\r\n\r\n"


def interleaved(payload: bytes, sequence: int, marker: bool, timestamp: int) -> bytes:
    head = bytes((0x80, 96 | marker << 7)) + (sequence & 0xFFFF).to_bytes(2, "big")
    data = head + timestamp.to_bytes(4, "big") + b"\0\0\0\7" + payload
    return b"$\0" + len(data).to_bytes(2, "big") + data


def described(more: str = "") -> bytes:
    text = SDP.format(more).encode()
    return OK + b"Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%b" % (len(text), text)


def playing(then: Callable[[socket.socket], None], more: str = "") -> Callable[[socket.socket], None]:
    return answering(OK + b"\r\n", described(more), SETUP, OK + b"\r\n", then=then)


def finding_2(of: Checkout) -> tuple[bool, str]:
    """One header freezes every camera."""
    header = b"RTSP/1.0 401 No\r\nWWW-Authenticate: Digest " + b"a" * 40_000 + b"\r\n\r\n"
    with hostile_server(answering(header, then=lambda _peer: time.sleep(1))) as port:
        uri = f"rtsp://me:pw@127.0.0.1:{port}/x"
        ended = of.run("--source", uri, *QUIET, "--reconnect", "off", within_s=150)
    return ended.status == 3 and ended.cpu_s < 10, str(ended)


def finding_3(of: Checkout) -> tuple[bool, str]:
    """A redirection carries the password to another host."""
    asked: list[bytes] = []

    def elsewhere(peer: socket.socket) -> None:
        while data := peer.recv(65536):
            asked.append(data)
            number = data.partition(b"CSeq: ")[2].partition(b"\r")[0] or b"1"
            basic = b'WWW-Authenticate: Basic realm="x"\r\nContent-Length: 0\r\n\r\n'
            peer.sendall(b"RTSP/1.0 401 No\r\nCSeq: %b\r\n%b" % (number, basic))

    def first(peer: socket.socket) -> None:
        while data := peer.recv(65536):
            number = data.partition(b"CSeq: ")[2].partition(b"\r")[0] or b"1"
            moved = b"RTSP/1.0 302 Moved\r\nCSeq: %b\r\nLocation: rtsp://localhost:%d/y\r\n"
            peer.sendall(moved % (number, other) + b"Content-Length: 0\r\n\r\n")

    with hostile_server(elsewhere) as other, hostile_server(first) as port:
        uri = f"rtsp://me:s3cr3t@127.0.0.1:{port}/x"
        ended = of.run("--source", uri, *QUIET, "--reconnect", "off")
    told = [data for data in asked if b"Authorization" in data]
    return not told and bool(
        asked
    ), f"{len(asked)} requests elsewhere, {len(told)} with the password; {ended}"


def finding_5(of: Checkout) -> tuple[bool, str]:
    """A rate that is no number ends all cameras."""
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = 320, 192, "yuv420p"
    encoder.time_base = Fraction(1, 30)
    encoder.options = {"tune": "zerolatency", "g": "10"}
    units: list[list[bytes]] = []
    for n in range(60):
        frame = av.VideoFrame.from_ndarray(np.full((192, 320, 3), n * 4, np.uint8), format="rgb24")
        frame.pts = n
        coded = [bytes(packet).replace(b"\0\0\0\1", b"\0\0\1") for packet in encoder.encode(frame)]
        units += [[unit for unit in data.split(b"\0\0\1") if unit] for data in coded]

    def pictures(peer: socket.socket) -> None:
        sequence = 0
        for n in range(600):
            for i, unit in enumerate(units[n % 60]):
                last = i == len(units[n % 60]) - 1
                peer.sendall(interleaved(unit, sequence, last, 9000 + n * 3000))
                sequence += 1
            time.sleep(0.03)

    said = []
    for n, rate in enumerate(("nan", "inf", "1e308", "1e-308")):
        with hostile_server(playing(pictures, f"a=framerate:{rate}\r\n")) as port:
            words = (
                "--source",
                f"rtsp://127.0.0.1:{port}/x",
                *LIVE,
                *QUIET,
                "--record",
                of.folder / f"five{n}",
            )
            said.append(of.run(*words, "--duration", "4").status)
    return said == [0, 0, 0, 0], f"exits with nan, inf, 1e308, 1e-308: {said}"
