"""A camera's password and token appear in nothing that the program writes: logs, clips, index, JSON."""

from __future__ import annotations

import base64
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests" / "capture"))

from capture_material import http_camera  # noqa: E402
from rtsp_camera import RtspCamera, have_rtsp_server  # noqa: E402

USER, PASSWORD, TOKEN = "watcher", "s3cr3tpw", "t0k3nt0k3n"


def until(true: Callable[[], bool], what: str, within_s: float = 60.0) -> None:
    limit = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < limit, what
        time.sleep(0.05)


def run_through_a_loss(
    url: str, folder: Path, lose: Callable[[], object], find: Callable[[], object], *more: str
) -> None:
    """Everything that writes is on; the camera goes away and comes back meanwhile."""
    lines, said = folder / "out.jsonl", folder / "stderr"
    words = ["--source", url, "--json", str(lines), "--record", str(folder / "clips"), *more]
    words += ["--record-view", "both", "--snapshot-on", "motion", "--snapshots", str(folder), "-vv"]
    words += ["--detector", "off", "--classifier", "off", "--display", "none", "--keep-free", "0"]
    with said.open("wb") as err, (folder / "stdout").open("wb") as out:
        program = subprocess.Popen(
            [sys.executable, "-m", "edgecam", *words], cwd=ROOT, stdout=out, stderr=err
        )
        try:
            until(lambda: lines.exists() and lines.read_bytes().count(b"\n") > 10, "no results")
            lose()
            until(lambda: b": lost: " in said.read_bytes(), "the loss was not noticed")
            time.sleep(1.5)  # an attempt fails meanwhile
            find()
            until(lambda: b": recovered" in said.read_bytes(), "it did not come back")
        finally:
            program.send_signal(signal.SIGINT)
            try:
                program.wait(30)
            finally:
                program.kill()
    assert program.returncode == 0, said.read_text()[-2000:]


def assert_nowhere(folder: Path) -> None:
    files = [path for path in folder.rglob("*") if path.is_file()]
    kinds = {path.suffix for path in files}
    assert {".mp4", ".jsonl", ".sqlite"} <= kinds, kinds
    basic = base64.b64encode(f"{USER}:{PASSWORD}".encode())[:12]
    for path in files:
        data = path.read_bytes()
        for secret in (PASSWORD.encode(), TOKEN.encode(), basic):
            assert secret not in data, f"{secret!r} in {path.name}"


def test_rtsp(tmp_path: Path) -> None:
    if not have_rtsp_server():
        pytest.skip("no RTSP server here: needs python3-gi gir1.2-gst-rtsp-server-1.0")
    camera = RtspCamera("--user", USER, "--password", PASSWORD)
    try:
        url = camera.url(user=f"{USER}:{PASSWORD}@") + f"?token={TOKEN}"
        run_through_a_loss(url, tmp_path, camera.kill, camera.start)
    finally:
        camera.kill()
    assert_nowhere(tmp_path)


def test_http(tmp_path: Path) -> None:
    with http_camera(password=PASSWORD) as camera:
        url = f"http://{USER}:{PASSWORD}@127.0.0.1:{camera.port}/video?token={TOKEN}"
        run_through_a_loss(url, tmp_path, camera.pause.set, camera.pause.clear)
    assert_nowhere(tmp_path)
