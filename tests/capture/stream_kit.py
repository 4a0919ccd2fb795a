"""What tests of network cameras share: options, reading until there is something, a folder over HTTP."""

from __future__ import annotations

import functools
import http.server
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgecam.capture import SourceOptions
from edgecam.core.errors import CaptureError
from edgecam.core.ports import Source
from edgecam.core.types import Frame

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
