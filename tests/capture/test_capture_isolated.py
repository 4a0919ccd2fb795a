"""A decoder process per network camera: it may crash, lie or hang, and costs its own picture only."""

from __future__ import annotations

import functools
import gc
import http.server
import itertools
import json
import os
import signal
import socket
import threading
import time
from collections import deque
from pathlib import Path
from typing import Literal

import pytest
from capture_material import eventually, http_camera, no_readers, write_video

from edgecam.app.sources import isolates
from edgecam.capture import SourceOptions, open_source
from edgecam.capture.decode_skipping import DecodeSkipping
from edgecam.capture.generated.frame_code import read_code
from edgecam.capture.limits import LOG_LINES
from edgecam.capture.network import decoder_processes, isolated
from edgecam.capture.network.isolated_wire import PICTURE
from edgecam.capture.network.picture_memory import MOST_LENT, SLOTS, SharedMemory
from edgecam.config import Config
from edgecam.core.errors import CaptureError, ConfigError, EndOfStream, SourceOpenError
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
        assert all(f.image.shape == shape for f in frames)
        codes = [read_code(f.image) for f in frames]  # as they were: nobody writes to what is looked at
        assert None not in codes and len(set(codes)) == 10
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


def test_what_it_refuses_is_told_as_ever() -> None:
    with http_camera() as camera, pytest.raises(SourceOpenError, match="no such stream"):
        open_source(f"http://127.0.0.1:{camera.port}/missing", OFF)


def test_what_nobody_will_look_at_is_not_decoded() -> None:
    with http_camera() as camera, open_source(f"http://127.0.0.1:{camera.port}/", OFF) as source:
        frame_of(source)
        source.skip_decoding(lambda _ns: True)
        assert eventually(lambda: source.read(0.2) is None and source.undecoded > 10)  # known to be there
        source.skip_decoding(lambda _ns: False)
        frame = frame_of(source)
        assert frame.index >= source.undecoded


def test_the_helper_is_started_again() -> None:
    with http_camera() as camera:
        url = f"http://127.0.0.1:{camera.port}/"
        with open_source(url, OFF) as source:
            frame_of(source)
            helper = decoder_processes._helper
            assert helper is not None
            helper._process.kill()
            helper._process.wait(20)
            frame_of(source)  # what runs goes on
            with open_source(url, OFF) as other:
                frame_of(other)


def test_a_cameras_words_are_logged_here_and_not_without_end(caplog: pytest.LogCaptureFixture) -> None:
    camera, theirs = camera_of_a_liar()
    with theirs, camera._socket:
        for number in range(LOG_LINES + 20):
            theirs.send(json.dumps({"kind": "log", "level": "x", "text": f"\x1b[31m{number}"}).encode())
            assert camera.grab() is None
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == LOG_LINES and "\x1b" not in "".join(said) and said[0].endswith("[31m0")


def isolated_by(isolate: Literal["auto", "on", "off"], *sources: str) -> bool:
    return isolates(Config(source=sources, isolate=isolate))


def test_where_it_is_the_default(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    assert isolated_by("auto", "rtsp://a/") and isolated_by("auto", "/dev/video0", "HTTP://b/")
    assert isolated_by("on", "rtsps://a/") and not isolated_by("off", "rtsp://a/", "rtsp://b/")
    assert not isolated_by("auto", "/dev/video0", "clip.mp4", "demo:", "file:///x")
    assert not caplog.records
    monkeypatch.delattr(os, "memfd_create")  # as in conda's Python
    assert not isolated_by("auto", "rtsp://a/") and not isolated_by("on", "demo:")
    assert "memfd_create" in caplog.text
    with pytest.raises(ConfigError, match="memfd_create"):
        isolated_by("on", "rtsp://a/")


def test_a_video_over_http_has_an_end(tmp_path: Path) -> None:
    write_video(tmp_path / "v.mp4", [40 * i for i in range(10)], faststart=True)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        with open_source(f"http://127.0.0.1:{server.server_address[1]}/v.mp4", OFF) as source:
            frame_of(source)
            with pytest.raises(EndOfStream):
                for _ in range(100):
                    source.read(0.5)
        server.shutdown()
        thread.join()


def camera_of_a_liar() -> tuple[isolated._IsolatedCamera, socket.socket]:
    """The owner's end, and the socket of a process that a hostile camera has taken over."""
    camera = isolated._IsolatedCamera.__new__(isolated._IsolatedCamera)
    camera._name, camera._most, camera._last_ns = "cam", 10**8, 0
    camera._memory, camera._skipping = None, DecodeSkipping()
    camera._logged_ns = deque(maxlen=LOG_LINES)
    camera._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    camera._socket.settimeout(1.0)
    return camera, theirs


@pytest.mark.parametrize(
    "record",
    [
        PICTURE.pack(b"P", SLOTS, 10, 10, 1),
        PICTURE.pack(b"P", 255, 10, 10, 1),
        PICTURE.pack(b"P", 0, 2**32 - 1, 2**32 - 1, 1),
        PICTURE.pack(b"P", 0, 0, 4, 1),
        PICTURE.pack(b"P", 0, 640, 361, 1),
        b"P",
        {"kind": "picture", "slot": 0},
        {"kind": "memory", "bytes": 10**12},
        {"kind": "memory", "bytes": "x"},
        {"kind": 5},
        [],
        "\x00",
    ],
)
def test_a_process_that_lies_is_not_believed(record: object) -> None:
    camera, theirs = camera_of_a_liar()
    with theirs, camera._socket:
        camera._share(640 * 360 * 3)
        _, (fd,), _, _ = socket.recv_fds(theirs, 1, 1)
        with pytest.raises(OSError):
            os.ftruncate(fd, 10)  # sealed: shrinking it would end the owner by SIGBUS
        os.close(fd)
        theirs.send(record if isinstance(record, bytes) else json.dumps(record).encode())
        with pytest.raises(CaptureError):
            camera.grab()


def test_pictures_are_lent_and_their_times_are_possible() -> None:
    """Slots are free again when the last view of a picture has gone; beyond some, pictures are copies."""
    camera, theirs = camera_of_a_liar()
    with theirs, camera._socket:
        camera._share(64)
        _, (fd,), _, _ = socket.recv_fds(theirs, 1, 1)
        memory = SharedMemory(fd, 64)
        held = []
        for number in range(SLOTS - 1):
            slot = memory.free_slot()
            assert slot == min(number, MOST_LENT)
            memory.place(slot, 4, 5)[:] = number
            memory.fill(slot)
            theirs.send(PICTURE.pack(b"P", slot, 5, 4, 2**62 if number else -(2**62)))
            grab = camera.grab()
            assert grab is not None and 0 <= time.monotonic_ns() - grab.captured_ns < 20e9
            held.append((grab.image[1:3, 2:4], grab.captured_ns))
            del grab
        assert [int(view[0, 0, 0]) for view, _ in held] == list(range(SLOTS - 1))
        assert all(b > a for (_, a), (_, b) in itertools.pairwise(held))
        theirs.send(PICTURE.pack(b"P", 2, 5, 4, 1))  # somebody still looks at that
        with pytest.raises(CaptureError):
            camera.grab()
        del held[2]
        assert memory.free_slot() == 2
        camera._memory = None  # the camera has gone; what is looked at stays
        held = held[:2]
        gc.collect()
        assert [int(view[1, 1, 2]) for view, _ in held] == [0, 1]
