"""Starts, freezes and kills the RTSP server of rtsp_server.py."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest

from edgecam.core.clock import now_ns
from edgecam.core.types import Frame, Image

SYSTEM_PYTHON = "/usr/bin/python3"
SERVER = Path(__file__).with_name("rtsp_server.py")


class RtspCamera:
    """One server process. ``port`` stays the same over ``kill`` and ``start``."""

    def __init__(self, *arguments: str) -> None:
        self._arguments = arguments
        self.port = 0
        self._process: subprocess.Popen[str] | None = None
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(
            [SYSTEM_PYTHON, str(SERVER), "--port", str(self.port), *self._arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.startswith("port"):
            _, why = self._process.communicate()
            last = why.strip().splitlines()[-1] if why.strip() else "no word"
            pytest.skip(
                f"no RTSP server here ({last}): needs gir1.2-gst-rtsp-server-1.0, gstreamer1.0-plugins-ugly"
            )
        self.port = int(line.split()[1])

    def url(self, path: str = "cam", user: str = "") -> str:
        scheme = "rtsps" if "--certificate" in self._arguments else "rtsp"
        return f"{scheme}://{user}127.0.0.1:{self.port}/{path}"

    def freeze(self) -> None:
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


def have_rtsp_server() -> bool:
    """The system's Python can import GStreamer's RTSP server."""
    if not Path(SYSTEM_PYTHON).exists():
        return False
    probe = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"
    return subprocess.run([SYSTEM_PYTHON, "-c", probe], capture_output=True, check=False).returncode == 0


def drawn_ms(image: Image) -> int:
    """The time in the picture's 32 blocks, monotonic ms modulo 2**32."""
    centres = ((np.arange(32) + 0.5) * image.shape[1] / 32).astype(int)
    value = 0
    for bit in image[10, centres, 1] > 127:
        value = value << 1 | int(bit)
    return value


def age_ms(frame: Frame) -> int:
    """From the time that was drawn to now."""
    return (now_ns() // 1_000_000 & 0xFFFFFFFF) - drawn_ms(frame.image)
