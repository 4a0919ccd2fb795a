"""An RTSP camera that freezes for a minute, and data spoilt on its way: the real server throughout."""

from __future__ import annotations

import os
import random
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import rtsp_spoiler
from capture_material import client_sockets, eventually, no_readers, open_files, server_sockets
from rtsp_camera import RtspCamera, age_ms
from rtsp_spoiler import Spoil, SpoilingProxy

from edgecam.capture import SourceOptions, open_source
from edgecam.capture.live.reconnect import ReconnectingSource
from edgecam.capture.network.stream import StreamSource

#: A time code read from a smeared picture is off by days.
PLAUSIBLE_MS = 60_000


def good_frames(source: ReconnectingSource, count: int, within_s: float = 30.0) -> float:
    """Seconds until ``count`` pictures came whose time code is plausible."""
    began = time.monotonic()
    while count:
        assert time.monotonic() - began < within_s, "it did not come back"
        frame = source.read(0.2)
        if frame is not None:
            count -= 0 <= age_ms(frame) < PLAUSIBLE_MS
    return time.monotonic() - began


def watch(source: ReconnectingSource, seconds: float) -> tuple[int, int, float]:
    """(good pictures, smeared ones, the longest read in seconds) of the next ``seconds``."""
    good = smeared = 0
    longest, until = 0.0, time.monotonic() + seconds
    while (called := time.monotonic()) < until:
        frame = source.read(0.2)
        longest = max(longest, time.monotonic() - called)
        if frame is not None:
            plausible = 0 <= age_ms(frame) < PLAUSIBLE_MS
            good, smeared = good + plausible, smeared + (not plausible)
    return good, smeared, longest


@pytest.fixture
def proxy(rtsp: RtspCamera) -> Iterator[SpoilingProxy]:
    made = SpoilingProxy(rtsp.port)
    yield made
    made.close()


@pytest.mark.parametrize("path", ["cam", "noise"])
@pytest.mark.parametrize(
    ("spoil", "never_smears"),
    [
        (rtsp_spoiler.flip_payload, False),  # a decoder cannot see every wrong bit
        (rtsp_spoiler.flip_header, False),
        (rtsp_spoiler.cut, False),
        (rtsp_spoiler.garbage_packets, True),
        (rtsp_spoiler.loose_bytes, True),
        (rtsp_spoiler.wrong_length, True),
    ],
)
def test_spoilt_packets_end_nothing(
    proxy: SpoilingProxy, spoil: Spoil, never_smears: bool, path: str
) -> None:
    """A fifth of the packets is spoilt for a while. No read blocks, and right pictures come afterwards."""
    # held back for half of this at most, and key pictures come every 0.33 s
    options = SourceOptions(reconnect="off", read_timeout_s=2.0)
    url = f"rtsp://127.0.0.1:{proxy.port}/{path}"
    with ReconnectingSource(
        lambda: StreamSource(url, options), backoff_first_s=0.1, backoff_last_s=0.3
    ) as source:
        good_frames(source, 5)
        proxy.spoil = spoil
        _, smeared, longest = watch(source, 0.8)
        proxy.spoil = None
        assert proxy.spoilt > 0
        assert longest < 1.5, "a read blocked its owner"
        assert smeared == 0 or not never_smears
        good_frames(source, 15)
        assert source.notice == ""
    assert eventually(no_readers)


def own_udp_ports() -> list[int]:
    """Where this process listens for UDP."""
    links = [link for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    mine = {str(link.readlink()).removeprefix("socket:[").rstrip("]") for link in links}
    rows = [line.split() for line in Path("/proc/self/net/udp").read_text().splitlines()[1:]]
    return [int(row[1].split(":")[1], 16) for row in rows if row[9] in mine]


def test_garbage_by_udp_ends_nothing(rtsp: RtspCamera) -> None:
    """Somebody sends noise, and packets that look like the camera's, to where its packets are awaited."""
    options = SourceOptions(reconnect="off", rtsp_transport="udp", read_timeout_s=1.0)
    dice = random.Random(0)
    with (
        ReconnectingSource(lambda: StreamSource(rtsp.url(), options), backoff_first_s=0.1) as source,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger,
    ):
        good_frames(source, 5)
        ports = own_udp_ports()
        assert ports
        sent = 0
        until = time.monotonic() + 1.0
        while time.monotonic() < until:
            for port in own_udp_ports():
                head = bytes((0x80, 96)) if dice.random() < 0.5 else b""
                stranger.sendto(head + dice.randbytes(dice.randint(1, 1300)), ("127.0.0.1", port))
                sent += 1
            source.read(0.02)
        assert sent > 20
        good_frames(source, 15)
    assert eventually(no_readers)


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_frozen_for_long(own_rtsp: RtspCamera) -> None:
    """With the times that users get: noticed in 3 s, tried again at 1, 2, 4 … 30 s, back by itself."""
    frozen_s = 60.0 if os.environ.get("EC_SYSTEM") == "long" else 20.0
    with open_source(own_rtsp.url(), SourceOptions()) as source:
        assert isinstance(source, ReconnectingSource)
        good_frames(source, 10)
        files = open_files() - server_sockets(own_rtsp.port)
        own_rtsp.freeze()
        frozen, noticed, longest = time.monotonic(), 0.0, 0.0
        while time.monotonic() - frozen < frozen_s:
            called = time.monotonic()
            frame = source.read(0.2)
            longest = max(longest, time.monotonic() - called)
            if frame is not None:
                assert not noticed, "a picture came from a frozen camera"
            if source.notice and not noticed:
                noticed = time.monotonic() - frozen
        own_rtsp.thaw()
        back = good_frames(source, 1, within_s=60.0)
        good, smeared, _ = watch(source, 2.0)
        assert eventually(lambda: client_sockets(own_rtsp.port) == 1)
        held = open_files() - server_sockets(own_rtsp.port)
        print(
            f"\nnoticed after {noticed:.2f} s, longest read {longest:.2f} s, back {back:.1f} s after the thaw"
            f", then {good} pictures in 2 s; descriptors {files} before, {held} after"
        )
        assert 0 < noticed < 4.0  # 3 s where nothing else runs; a busy machine may take its time
        assert longest < 1.5
        assert back < 40.0
        assert good > 10 and smeared == 0
        assert source.epoch == 1 and source.notice == ""
        assert held <= files + 1
    assert eventually(no_readers)
