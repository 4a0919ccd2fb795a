"""A service with a broken settings file: the page is there, puts it right, and the cameras come back."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from web_board import CAMERA


def ask(port: int, path: str, body: Any = None, method: str = "GET") -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", data, {"content-type": "application/json"}, method=method
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.loads(answer.read())


def eventually(port: int, path: str, good: Any) -> Any:
    deadline = time.monotonic() + 60
    while True:
        try:
            if good(found := ask(port, path)):
                return found
        except (OSError, urllib.error.URLError):
            pass
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_a_broken_file_is_put_right_on_the_page(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    file = tmp_path / "edgecam.toml"
    good = f'source = ["{CAMERA}"]\ndetector = "off"\nclassifier = "off"\nweb = "{port}"\n'
    file.write_text(good + "score = oops\n")
    env = {**os.environ, "INVOCATION_ID": "1", "XDG_STATE_HOME": str(tmp_path), "PYTHONPATH": str(Path.cwd())}
    command = [sys.executable, "-m", "edgecam", "--config", str(file), "--display", "none"]
    process = subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True)
    try:
        found = eventually(port, "/api/config", lambda f: f["problem"])
        assert "not valid TOML" in found["problem"] and found["text"].endswith("score = oops\n")
        assert ask(port, "/api/stats")["notice"].startswith("safe mode")
        assert ask(port, "/api/cameras") == []
        saved = ask(port, "/api/config", {"tag": found["tag"], "text": good}, "PUT")
        assert saved["message"].startswith("saved")
        ask(port, "/api/restart", method="POST")
        eventually(port, "/api/cameras", lambda rows: rows and rows[0]["id"] == "synthetic")
    finally:
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 0 and "safe mode" in said


def test_on_a_terminal_the_error_is_told_and_that_is_all(tmp_path: Path) -> None:
    file = tmp_path / "edgecam.toml"
    file.write_text('web = "0"\nscore = oops\n')
    env = {k: v for k, v in os.environ.items() if k != "INVOCATION_ID"} | {"PYTHONPATH": str(Path.cwd())}
    command = [sys.executable, "-m", "edgecam", "--config", str(file), "--display", "none"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "not valid TOML" in done.stderr
