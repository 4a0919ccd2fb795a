"""Resident memory with the default detector: headless (limit 150 MB) and with the window (limit 250 MB).

    python benchmarks/memory.py [--model default] [--seconds 8] [--source SOURCE] [--no-window]

A real `edgecam` process is read from /proc while it runs: RSS, and what of it is private.
The window runs under Xvfb (`xvfb-run`). Then where it goes: the same steps in one process, one after another.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from canned import machine

LIMITS_MB = {"none": 150.0, "window": 250.0}

STEPS = """
import sys
def rss():
    with open("/proc/self/statm") as f: return int(f.read().split()[1]) * 4096 / 1e6
last = rss(); print(f"{last:7.1f} {last:7.1f} python")
def step(name):
    global last
    now = rss(); print(f"{now:7.1f} {now - last:+7.1f} {name}"); last = now
import numpy; step("numpy")
import cv2; step("cv2")
import onnxruntime; step("onnxruntime")
from edgecam.run import run; step("edgecam")
from edgecam.inference.detector import OnnxDetector
d = OnnxDetector(sys.argv[1], threads=1); step("detector: session and first run")
from edgecam.capture import open_source
s = open_source(sys.argv[2]); step("source opened")
frames = [s.read(1.0) for _ in range(4)]; step("four frames, as many as wait at most")
for f in frames: d.detect(f)
step("detections on them")
"""


def resident_mb(pid: int) -> dict[str, float]:
    """RSS, private and peak in 10⁶ bytes."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    found = {line.split(":")[0]: int(line.split()[1]) * 1024 / 1e6 for line in rollup.splitlines()[1:]}
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    return {
        "rss": found["Rss"],
        "private": found["Private_Clean"] + found["Private_Dirty"],
        "peak": peak * 1024 / 1e6,
    }


def child_of(pid: int) -> int:
    """The Python process below `xvfb-run`'s shell, or `pid` itself."""
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = status.read_text(encoding="ascii", errors="replace").rsplit(")", 1)[1].split()
            name = (status.parent / "cmdline").read_bytes()
        except OSError:
            continue
        if int(words[1]) == pid and b"edgecam" in name:
            return int(status.parent.name)
    return pid


def run(display: str, model: str, source: str, seconds: float, more: list[str]) -> dict[str, float]:
    """The most resident memory seen while edgecam runs."""
    command = [sys.executable, "-m", "edgecam", "--source", source, "--detector", model, "--display", display]
    command += ["--duration", str(seconds + 10), "--tune", "off", "--threads", "1", *more]
    if display == "window":
        command = ["xvfb-run", "-a", "-s", "-screen 0 1280x800x24", *command]
    worst: dict[str, float] = {"rss": 0.0}
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        deadline = time.monotonic() + seconds
        pid = process.pid
        while time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.5)
            pid = child_of(process.pid) if display == "window" else process.pid
            try:
                now = resident_mb(pid)
            except OSError:
                continue
            worst = max(worst, now, key=lambda found: found["rss"])
        if process.poll() is not None:
            assert process.stderr is not None
            raise SystemExit(f"edgecam ended with {process.returncode}: {process.stderr.read()}")
        import os

        os.kill(pid, signal.SIGTERM)
        process.communicate(timeout=20)
    return worst


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="default")
    parser.add_argument("--source", default="synthetic:?live=1")
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument(
        "--classifier", default="off", help="off, as limits are the default detector's; or a name"
    )
    parser.add_argument("--no-window", action="store_true")
    options = parser.parse_args()
    print(json.dumps(machine()))
    figures: dict[str, dict[str, float]] = {}
    displays = ["none"] if options.no_window or not shutil.which("xvfb-run") else ["none", "window"]
    for display in displays:
        found = run(
            display, options.model, options.source, options.seconds, ["--classifier", options.classifier]
        )
        figures[display] = {name: round(mb, 1) for name, mb in found.items()}
        title = "headless" if display == "none" else "with the window"
        print(
            f"{title}: {found['rss']:.0f} MB resident (limit {LIMITS_MB[display]:.0f}), "
            f"{found['private']:.0f} MB of it private, peak {found['peak']:.0f} MB"
        )
    print("where it goes, MB: after, more")
    subprocess.run([sys.executable, "-c", STEPS, options.model, options.source], check=True)
    within = all(figures[display]["rss"] <= LIMITS_MB[display] for display in figures)
    print(json.dumps({**machine(), "mb": figures, "within": within}))


if __name__ == "__main__":
    main()
