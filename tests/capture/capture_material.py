"""Things to open: small videos, pictures, and an HTTP camera, made on the spot."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from edgecam.capture.generated.synthetic import SyntheticSource
from edgecam.core.types import Image

SIZE_WH = (320, 180)


def pictures(count: int, size_wh: tuple[int, int] = SIZE_WH) -> list[Image]:
    """Synthetic frames; the number of each can be read back with framecode.read_code."""
    found = []
    with SyntheticSource(size_wh, frames=count) as source:
        for _ in range(count):
            frame = source.read(1.0)
            assert frame is not None
            found.append(frame.image)
    return found


def write_video(
    path: Path, pts_ms: Sequence[int], codec: str = "libx264", faststart: bool = False, duration_ms: int = 33
) -> Path:
    """A video whose frame n carries the code n and the timestamp ``pts_ms[n]``."""
    options = {"movflags": "+faststart"} if faststart else {}
    with av.open(str(path), "w", options=options) as container:
        stream: Any = container.add_stream(codec, rate=30)
        stream.width, stream.height = SIZE_WH
        stream.pix_fmt = "yuv420p"
        stream.time_base = Fraction(1, 1000)
        stream.codec_context.time_base = Fraction(1, 1000)
        stream.codec_context.gop_size = 5
        for image, at in zip(pictures(len(pts_ms)), pts_ms, strict=True):
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            frame.pts, frame.time_base = at, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_pictures(folder: Path, count: int = 5) -> Path:
    """Pictures named so that plain sorting gets them wrong (2 before 10)."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, image in enumerate(pictures(count)):
        cv2.imwrite(str(folder / f"shot{index * 5}.png"), image)
    return folder


class HttpCamera:
    """MJPEG over HTTP, as network cameras serve it. ``pause`` stops its pictures, not its connection.

    count: pictures in its round; each carries its number. sent: pictures sent to the last watcher.
    """

    def __init__(
        self,
        rate_hz: float = 30.0,
        password: str | None = None,
        tls: ssl.SSLContext | None = None,
        count: int = 30,
    ) -> None:
        camera = self
        self.pause = threading.Event()
        self.stop = threading.Event()
        self.junk = False
        shots = [cv2.imencode(".jpg", image)[1].tobytes() for image in pictures(count)]
        self.sent = 0

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if password and self.headers.get("Authorization") is None:
                    self.send_response(401)
                    self.send_header("WWW-Authenticate", 'Basic realm="camera"')
                    self.end_headers()
                    return
                if self.path == "/missing":
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=shot")
                self.end_headers()
                number = 0
                while not camera.stop.wait(1.0 / rate_hz):
                    if camera.pause.is_set():
                        continue
                    shot = b"\xff\xd8" + b"junk" * 200 if camera.junk else shots[number % len(shots)]
                    head = b"--shot\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(shot)
                    try:
                        self.wfile.write(head + shot + b"\r\n")
                    except OSError:  # the watcher left
                        return
                    number += 1
                    camera.sent = number

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = False
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="http camera")
        self._thread.start()

    def close(self) -> None:
        self.stop.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def http_camera(**how: Any) -> Iterator[HttpCamera]:
    camera = HttpCamera(**how)
    try:
        yield camera
    finally:
        camera.close()


def eventually(true: Callable[[], bool], within_s: float = 20.0) -> bool:
    """Whether ``true`` becomes so in time."""
    limit = time.monotonic() + within_s
    while not true():
        if time.monotonic() > limit:
            return False
        time.sleep(0.02)
    return True


def no_readers() -> bool:
    """All reader threads have ended."""
    return not [thread for thread in threading.enumerate() if thread.name.startswith("reader")]


def open_files() -> int:
    """How many descriptors this process holds."""
    return len(list(Path("/proc/self/fd").iterdir()))


def same(a: Image, b: Image) -> bool:
    return bool(np.array_equal(a, b))


def sockets(port: int, column: int) -> int:
    """TCP connections of this machine whose local (1) or remote (2) port is ``port``, not yet closed by
    us.
    """
    lines = Path("/proc/self/net/tcp").read_text().splitlines()[1:]
    rows = [line.split() for line in lines]
    return sum(
        int(row[column].split(":")[1], 16) == port and row[9] != "0" and row[3] != "0A" for row in rows
    )


def client_sockets(port: int) -> int:
    return sockets(port, 2)


def server_sockets(port: int) -> int:
    return sockets(port, 1)
