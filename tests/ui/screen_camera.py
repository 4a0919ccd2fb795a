"""A camera that looks at a test's own screen: ffmpeg grabs it, and it is served as a network camera does."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from edgecam.latency.loop import MjpegServer


@contextmanager
def screen_camera(display: str, size: str, rate_hz: int = 15) -> Iterator[str]:
    """The address at which the screen is served."""
    grab = [
        "-f",
        "x11grab",
        "-draw_mouse",
        "0",
        "-framerate",
        str(rate_hz),
        "-video_size",
        size,
        "-i",
        display,
    ]
    encode = [
        "-fps_mode",
        "vfr",
        "-threads",
        "1",
        "-c:v",
        "mjpeg",
        "-q:v",
        "5",
        "-f",
        "image2pipe",
        "-",
    ]
    command = ["ffmpeg", "-nostdin", "-loglevel", "error", *grab, *encode]
    server = MjpegServer()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as ffmpeg:
        feeder = threading.Thread(target=_feed, args=(ffmpeg, server), name="screen-camera")
        feeder.start()
        try:
            yield server.url
        finally:
            ffmpeg.terminate()
            feeder.join(10)
            server.close()


def _feed(ffmpeg: subprocess.Popen[bytes], server: MjpegServer) -> None:
    assert ffmpeg.stdout is not None
    data = b""
    while chunk := ffmpeg.stdout.read1(1 << 16):  # type: ignore[attr-defined]
        data += chunk
        # inside a picture FF is always followed by 00 or a marker that is not its end
        while (end := data.find(b"\xff\xd9")) >= 0:
            server.push(data[data.find(b"\xff\xd8") : end + 2])
            data = data[end + 2 :]
