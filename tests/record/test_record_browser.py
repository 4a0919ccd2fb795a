"""A clip of each mode plays in a real browser, and shows the right pictures."""

import json
import queue
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from recording_kit import NS, number_in, play, recording, result

from edgecam.record.library.repair import recover

HZ = 15
BROWSER = next((b for b in ("chromium", "chromium-browser", "google-chrome") if shutil.which(b)), None)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="needs Chromium (apt-get install chromium)"),
]

# Plays each clip, then stops at a given time and sends what it sees.
PAGE = """<!doctype html><title>clips</title><video id=v muted></video><script>
const v = document.getElementById('v'), wait = (e) => new Promise((ok, no) => {
  v.addEventListener(e, ok, {once: true});
  v.addEventListener('error', () => no(v.error.message), {once: true})});
const shot = () => {const c = document.createElement('canvas');
  c.width = v.videoWidth; c.height = v.videoHeight;
  c.getContext('2d').drawImage(v, 0, 0);
  return c.toDataURL('image/png')};
(async () => { for (const [name, at] of CLIPS) { const r = {name};
  try { let loaded = wait('loadeddata'); v.src = '/' + name; await loaded;
    let ended = wait('ended'); v.playbackRate = 4; await v.play(); await ended;
    r.duration = v.duration; r.last = shot();
    let late = new Promise(f => setTimeout(f, 3000));
    let shown = Promise.race([new Promise(f => v.requestVideoFrameCallback(f)), late]);
    let sought = wait('seeked'); v.currentTime = at; await sought; await shown; r.picture = shot();
  } catch (e) { r.error = String(e) }
  await fetch('/report', {method: 'POST', body: JSON.stringify(r)}) } })();
</script>"""


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, folder: Path, clips: list[tuple[str, float]]) -> None:
        self.folder, self.page = folder, PAGE.replace("CLIPS", json.dumps(clips))
        self.reports: queue.Queue[dict[str, Any]] = queue.Queue()
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def _send(self, status: int, kind: str, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        path = self.server.folder / self.path[1:]
        if self.path == "/":
            return self._send(200, "text/html", self.server.page.encode())
        if not path.is_file():
            return self._send(404, "text/plain", b"")
        data, kind = path.read_bytes(), {".mp4": "video/mp4", ".mkv": "video/x-matroska"}[path.suffix]
        asked = re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if not asked:
            return self._send(200, kind, data, Accept_Ranges="bytes")
        first, last = int(asked[1]), int(asked[2] or len(data) - 1)
        where = f"bytes {first}-{last}/{len(data)}"
        return self._send(206, kind, data[first : last + 1], Content_Range=where, Accept_Ranges="bytes")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.reports.put(json.loads(body))
        self._send(200, "text/plain", b"ok")


def write(folder: Path, name: str, frames: int = 45, **options: Any) -> Path:
    with recording(folder / name, **options) as recorder:
        for i in range(frames):
            recorder.write(result(i, i * NS // HZ, labels=["person"] if i == 20 else []))
    return recorder.clips[0]


@pytest.fixture
def clips(tmp_path: Path) -> dict[str, tuple[float, int, int]]:
    """name -> (time to look at, number expected there, last number)."""
    write(tmp_path, "file.mp4", live=False)
    write(tmp_path, "clean.mkv")
    write(tmp_path, "constant.mp4", constant_hz=15.0)
    segment = write(tmp_path, "segments", segment_s=2.0)
    event = write(
        tmp_path,
        "events",
        record_on=("person",),
        pre_s=1.0,
        post_s=1.0,
        view="both",
        painter=lambda r: r.frame.image,
    )
    with recording(tmp_path / "killed") as recorder:
        for i in range(45):
            recorder.write(result(i, i * NS // HZ))
        assert recorder.flush(10)
        (part,) = (tmp_path / "killed").glob(".*.mp4.part")
        (tmp_path / ".crashed.mp4.part").write_bytes(part.read_bytes())
    (crashed,) = recover(tmp_path)
    segment.rename(tmp_path / "segment.mp4")
    event.rename(tmp_path / "event.mp4")
    last = play(crashed).numbers[-1]
    assert last >= 38
    return {
        "file.mp4": (1.0, 15, 44),
        "clean.mkv": (1.0, 15, 44),
        "constant.mp4": (1.0, 15, 44),
        "segment.mp4": (1.0, 15, 29),
        "event.mp4": (1.0, 15, 35),
        crashed.name: (1.0, 15, last),
    }


@pytest.fixture
def server(tmp_path: Path, clips: dict[str, tuple[float, int, int]]) -> Iterator[Server]:
    found = Server(tmp_path, [(name, at + 0.02) for name, (at, _, _) in clips.items()])
    thread = threading.Thread(target=found.serve_forever, name="pages")
    thread.start()
    yield found
    found.shutdown()
    thread.join(5)
    found.server_close()


def picture(url: str) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    import base64

    data = np.frombuffer(base64.b64decode(url.partition(",")[2]), np.uint8)
    image = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert image is not None
    return np.asarray(image, np.uint8)


def test_every_mode_plays_in_chromium(
    server: Server, clips: dict[str, tuple[float, int, int]], tmp_path: Path
) -> None:
    command = [
        str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", "--mute-audio", "--no-first-run",
        "--autoplay-policy=no-user-gesture-required", f"--user-data-dir={tmp_path / 'profile'}",
        f"http://127.0.0.1:{server.server_address[1]}/",
    ]  # fmt: skip
    browser = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        reports = [server.reports.get(timeout=90) for _ in clips]
    finally:
        browser.terminate()
        browser.wait(20)
    for report in reports:
        name = report["name"]
        _, expected, last = clips[name]
        assert "error" not in report, report
        (tmp_path / f"{name}.png").write_bytes(cv2.imencode(".png", picture(report["picture"]))[1].tobytes())
        assert number_in(picture(report["picture"])) == expected, name
        assert abs(number_in(picture(report["last"])) - last) <= 1, name
