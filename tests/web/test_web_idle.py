"""A page that nobody looks at costs little: PyAV, the heaviest of what it uses, is for viewers of video."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

#: In a process of its own, since the test's has everything loaded: asks for what stands in argv, says whether
#: PyAV is there, then looks at one live picture and says it again.
PROGRAM = """
import os, signal, sys, threading, time, urllib.request
from websockets.sync.client import connect
from edgecam.cli.main import main

port, *paths = sys.argv[1:]

def ask(path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
        assert answer.read(), path

def look():
    try:
        while True:
            try:
                ask("/api/synthetic/latest.jpg")
                break
            except OSError:
                time.sleep(0.1)
        for path in paths:
            ask(path)
        with connect(f"ws://127.0.0.1:{port}/api/synthetic/live?format=jpeg", compression=None) as link:
            link.recv(timeout=30)
        before = "av" in sys.modules
        with connect(f"ws://127.0.0.1:{port}/api/synthetic/live", compression=None, max_size=None) as link:
            link.recv(timeout=60)
        print(before, "av" in sys.modules, flush=True)
    finally:
        os.kill(os.getpid(), signal.SIGTERM)

threading.Thread(target=look).start()
source = "synthetic:?live=1&size=320x240&rate=10"
sys.exit(main(["--source", source, "--display", "none", "--threads", "1", "--web", port]))
"""

PATHS = (
    *("/", "/js/app.js", "/api/me", "/api/cameras", "/api/stats", "/api/labels", "/api/zones", "/api/rules"),
    *("/api/events", "/api/event-hours", "/api/clips", "/api/clip-hours", "/api/config", "/api/history"),
    *("/api/models", "/api/logs", "/api/openapi.json"),
)


def test_pyav_comes_with_the_first_viewer_of_video(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = str(probe.getsockname()[1])
    env = {**os.environ, "XDG_STATE_HOME": str(tmp_path), "EDGECAM_TUNE": "off", "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, port, *PATHS], capture_output=True, text=True, timeout=110, env=env
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["False", "True"], done.stderr
