"""The program as a kiosk service starts it: a real window, and a socket in systemd's place."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.window, pytest.mark.once]
pytest.importorskip("PyQt6.QtWidgets", reason="needs the extra 'ui'", exc_type=ImportError)
if shutil.which("xdotool") is None:
    pytest.skip("needs xdotool", allow_module_level=True)

ROOT = Path(__file__).resolve().parents[2]
HUNG = """
import sys, time
from edgecam.app import controls
from edgecam.cli.main import main
real = controls.Controls.displayed
def displayed(self, result, at_ns):
    real(self, result, at_ns)
    if result.frame.index > 20:
        time.sleep(8)  # a graphics driver that does not come back
controls.Controls.displayed = displayed
sys.exit(main(sys.argv[1:]))
"""


class Systemd:
    """What a service says, datagram by datagram."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.said: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(0.2)

    def hears(self, word: str, within_s: float = 40.0, again: bool = False) -> bool:
        """Whether ``word`` was said, or is in time."""
        end, start = time.monotonic() + within_s, len(self.said) if again else 0
        while not any(word in text for text in self.said[start:]):
            if time.monotonic() > end:
                return False
            try:
                self.said.append(self._socket.recv(4096).decode())
            except TimeoutError:
                continue
        return True

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    made = Systemd(tmp_path / "notify")
    yield made
    made.close()


def start(screen: Any, systemd: Systemd, program: list[str], watchdog_s: float) -> subprocess.Popen[str]:
    environ = {
        **screen.environ(),
        "NOTIFY_SOCKET": str(systemd.path),
        "WATCHDOG_USEC": str(round(watchdog_s * 1e6)),
    }
    options = [
        "--source",
        "synthetic:?live=1&rate=10&size=640x480",
        "--detector",
        "off",
        "--display",
        "fullscreen",
    ]
    return subprocess.Popen(
        [sys.executable, *program, *options], env=environ, cwd=ROOT, stderr=subprocess.PIPE, text=True
    )


def press(screen: Any, key: str) -> None:
    command = ["xdotool", "mousemove", "300", "240", "key", key]
    subprocess.run(command, env=screen.environ(), check=True, timeout=10)


def test_a_kiosk_service_feeds_the_watchdog_and_is_not_ended_by_keys(screen: Any, systemd: Any) -> None:
    child = start(screen, systemd, ["-m", "edgecam"], 8.0)
    try:
        assert systemd.hears("READY=1") and systemd.hears("WATCHDOG=1")
        press(screen, "q")
        press(screen, "Escape")
        assert systemd.hears("WATCHDOG=1", again=True) and child.poll() is None
        press(screen, "ctrl+q")  # so the other keys did arrive
        assert systemd.hears("STOPPING=1")
        assert child.wait(20) == 0
        assert "WATCHDOG=trigger" not in " ".join(systemd.said)
    finally:
        child.kill()
        child.communicate()


@pytest.mark.slow
def test_a_window_that_hangs_is_told_to_systemd(screen: Any, systemd: Any) -> None:
    child = start(screen, systemd, ["-c", HUNG], 4.0)
    try:
        assert systemd.hears("READY=1") and systemd.hears("WATCHDOG=trigger")
        assert any("window stood still for 3 s" in text for text in systemd.said)
    finally:
        child.kill()
        child.communicate()
