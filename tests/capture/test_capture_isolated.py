"""A decoder process per network camera: it may crash, lie or hang, and costs its own picture only."""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import time

import numpy as np
import pytest
from capture_material import http_camera, no_readers

from edgecam.capture import SourceOptions, open_source
from edgecam.capture.network import isolated
from edgecam.core.errors import CaptureError, SourceOpenError
from edgecam.core.types import Frame

OFF = SourceOptions(reconnect="off", isolate=True)


def frame_of(source: object, within_s: float = 20.0) -> Frame:
    limit = time.monotonic() + within_s
    while time.monotonic() < limit:
        frame: Frame | None = source.read(0.5)  # type: ignore[attr-defined]
        if frame is not None:
            return frame
    raise AssertionError("no picture")


def test_the_same_pictures_and_nothing_left() -> None:
    with http_camera() as camera:
        url = f"http://127.0.0.1:{camera.port}/"
        with open_source(url, SourceOptions(reconnect="off")) as plain:
            shape, description = frame_of(plain).image.shape, plain.description
        with open_source(url, OFF) as source:
            assert isinstance(source, isolated.IsolatedStreamSource)
            frames = [frame_of(source) for _ in range(10)]
            assert source.description == description
            (pid,) = source.processes
        assert all(f.image.shape == shape and f.image.flags.owndata for f in frames)
        assert [f.index for f in frames] == sorted({f.index for f in frames})
        assert all(b.captured_ns - a.captured_ns > 0 for a, b in itertools.pairwise(frames))
        limit = time.monotonic() + 10
        while os.path.exists(f"/proc/{pid}") and time.monotonic() < limit:  # noqa: PTH110
            time.sleep(0.05)
        assert not os.path.exists(f"/proc/{pid}") and no_readers()  # noqa: PTH110


def test_a_crash_ends_one_picture_and_not_the_run() -> None:
    with http_camera() as camera:
        url = f"http://127.0.0.1:{camera.port}/"
        with open_source(url, OFF) as source, open_source(url, OFF) as other:
            frame_of(source), frame_of(other)
            os.kill(source.processes[0], signal.SIGSEGV)  # type: ignore[attr-defined]
            with pytest.raises(CaptureError, match=r"its decoder ended \(signal 11\)"):
                while True:
                    source.read(1.0)
            frame_of(other)
        with open_source(url, SourceOptions(isolate=True)) as source:  # reconnecting
            frame_of(source)
            os.kill(source._inner.processes[0], signal.SIGKILL)  # type: ignore[attr-defined]
            epoch, limit = source.epoch, time.monotonic() + 30
            while source.epoch == epoch:
                assert time.monotonic() < limit
                source.read(0.5)
            frame_of(source)


def test_what_it_refuses_is_told_as_ever() -> None:
    with http_camera() as camera, pytest.raises(SourceOpenError, match="no such stream"):
        open_source(f"http://127.0.0.1:{camera.port}/missing", OFF)


@pytest.mark.parametrize(
    "record",
    [
        {"kind": "picture", "slot": 7, "width": 10, "height": 10, "captured_ns": 1},
        {"kind": "picture", "slot": 0, "width": 10**6, "height": 10**6, "captured_ns": 1},
        {"kind": "picture", "slot": 0, "width": -4, "height": -4, "captured_ns": 1},
        {"kind": "picture", "slot": 0, "width": "x", "height": 4, "captured_ns": 1},
        {"kind": "memory", "bytes": 10**12},
        {"kind": "memory", "bytes": "x"},
        {"kind": 5},
        [],
        "\x00",
    ],
)
def test_a_process_that_lies_is_not_believed(record: object) -> None:
    """As one would that a hostile camera has taken over."""
    process = isolated._DecoderProcess.__new__(isolated._DecoderProcess)
    process._name, process._most, process._wait_s = "cam", 10**8, 1.0
    process._memory, process._slot_bytes = None, 0
    process._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs, process._socket:
        process._share(640 * 360 * 3)
        _, (fd,), _, _ = socket.recv_fds(theirs, 1, 1)
        with pytest.raises(OSError):
            os.ftruncate(fd, 10)  # sealed: shrinking it would end the owner by SIGBUS
        os.close(fd)
        theirs.send(json.dumps(record).encode())
        with pytest.raises(CaptureError):
            process.grab()
    assert np.zeros(1).size
