"""Run the program of any checkout from outside, to attack its past and present versions (findings.py)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

#: A program that uses more memory is killed.
MOST_MB = 700.0
QUIET = ("--detector", "off", "--classifier", "off", "--display", "none")
LIVE = ("--source", "synthetic:?size=320x192&rate=30&live=1")


class Ended:
    """How a program ended: status (None: it was killed), seconds, CPU seconds, peak memory in MB, output."""

    def __init__(self, status: int | None, took_s: float, cpu_s: float, peak_mb: float, said: str) -> None:
        self.status, self.took_s, self.cpu_s = status, took_s, cpu_s
        self.peak_mb, self.said = peak_mb, said

    def __str__(self) -> str:
        last = [line for line in self.said.splitlines() if line.strip()][-1:]
        end = "had to be ended" if self.status is None else f"exit {self.status}"
        return f"{end}, {self.cpu_s:.0f} s of CPU, {self.peak_mb:.0f} MB: {ascii(''.join(last))[1:-1][:110]}"


class Checkout:
    """The program of a checkout, and a folder to work in."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.root, self.folder = root, folder
        home = folder / "home"
        home.mkdir()
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("EDGECAM", "XDG"))}
        self.environ = {**kept, "PYTHONPATH": str(root), "EDGECAM_TUNE": "off", "HOME": str(home)}
        self._seed: Path | None = None

    def start(self, words: Sequence[object], **more: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "edgecam", *map(str, words)],
            cwd=self.folder,
            env={**self.environ, **more},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="surrogateescape",
        )

    def run(self, *words: object, within_s: float = 120.0, **more: str) -> Ended:
        began, program = time.monotonic(), self.start(words, **more)
        peak, cpu_s, over = 0.0, 0.0, False
        while program.poll() is None:
            with suppress(OSError, IndexError):
                status = Path(f"/proc/{program.pid}/status").read_text()
                peak = max(peak, int(status.split("VmHWM:")[1].split()[0]) / 1024)
                cpu_s = time.clock_gettime(~program.pid << 3 | 2)  # its CPU clock: clock_getcpuclockid(3)
            if peak > MOST_MB or time.monotonic() - began > within_s:
                program.kill()
                over = True
            time.sleep(0.02)
        took_s = time.monotonic() - began
        assert program.stdout is not None
        said = program.stdout.read()
        return Ended(None if over else program.returncode, took_s, cpu_s, peak, said)

    def clips(self, name: str) -> Path:
        """A folder with one clip that this program recorded, its sidecar, and no index."""
        if self._seed is None:
            self._seed = self.folder / "seed"
            self.run(*LIVE, *QUIET, "--record", self._seed, "--frames", "60")
            for path in self._seed.glob(".edgecam*"):
                path.unlink()
        return Path(shutil.copytree(self._seed, self.folder / name))
