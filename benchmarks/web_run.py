"""Run edgecam and viewers of its page in processes of their own, for the benchmarks of the page."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from websockets.sync.client import connect

from edgecam.web.live.message import unpack

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "web"))

SOURCE = "synthetic:?live=1&size=1280x720&rate=25"


class Run:
    """edgecam in a process of its own."""

    def __init__(self, *arguments: str, web: bool = True, folder: Path | None = None) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self._state = tempfile.TemporaryDirectory()
        env = {**os.environ, "EDGECAM_TUNE": "off", "XDG_STATE_HOME": self._state.name}
        command = [sys.executable, "-m", "edgecam", "--display", "none", "--reconnect", "off", *arguments]
        command += ["--web", str(self.port)] if web else []
        self.process = subprocess.Popen(
            command, env=env, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        self.origin = f"http://127.0.0.1:{self.port}"
        deadline = time.monotonic() + 90
        while web:
            with contextlib.suppress(OSError):
                if self.ask("/api/stats")["rates"]["capture_fps"] > 0:
                    break
            assert time.monotonic() < deadline and self.process.poll() is None
            time.sleep(0.2)
        del folder

    def ask(self, path: str) -> Any:
        with urllib.request.urlopen(self.origin + path, timeout=20) as answer:
            return json.loads(answer.read())

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss_mb(self, kind: str = "Rss") -> float:
        """Resident memory with all of its libraries' pages; the proportional share (Pss) would shrink while
        other programs use them.

        kind: ``Anonymous`` is the memory of this process alone.
        """
        text = Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        return float(next(x.split()[1] for x in text.splitlines() if x.startswith(f"{kind}:"))) / 1024

    def view(self, query: str = "") -> Any:
        return connect(
            f"ws://127.0.0.1:{self.port}/api/synthetic/live{query}", max_size=None, compression=None
        )

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(30)
        self._state.cleanup()


@contextlib.contextmanager
def running(*arguments: str, **more: Any) -> Iterator[Run]:
    run = Run(*arguments, **more)
    try:
        yield run
    finally:
        run.close()


class Viewers:
    """Several viewers; each reads all it gets."""

    def __init__(self, run: Run, count: int, query: str = "") -> None:
        self.links = [run.view(query) for _ in range(count)]
        self.frames = self.keys = self.bytes = 0
        #: Milliseconds from capture to arrival.
        self.ages: list[float] = []
        self._threads = [threading.Thread(target=self._read, args=(link,)) for link in self.links]
        for thread in self._threads:
            thread.start()

    def _read(self, link: Any) -> None:
        with contextlib.suppress(Exception):
            for number, message in enumerate(link):
                self.frames += 1
                header, _ = unpack(message)
                self.keys += header.key
                self.bytes += len(message)
                self.ages.append((time.monotonic_ns() - header.captured_ns) / 1e6)
                if number % 5 == 0:
                    link.send('{"seen": 1}')

    def close(self) -> None:
        for link in self.links:
            link.close()
        for thread in self._threads:
            thread.join(10)


def results(run: Run) -> int:
    """The number of results so far."""
    return int(run.ask("/api/stats")["cameras"][0]["inferred"])


def share_of(values: list[float], share: float) -> float:
    """The quantile ``share`` of the values."""
    return values[min(len(values) - 1, int(len(values) * share))]
