"""Resident memory with the default detector: headless (limit 150 MB) and with the window (limit 250 MB).

    python benchmarks/memory.py [--seconds 12] [--source SOURCE ...] [--no-window] [--tune off] [--steps]

A real `edgecam` process is read from /proc while it runs: the highest RSS from its third second on, its
anonymous part (heap, frames, tensors; the rest are libraries' pages, which processes share and the kernel may
drop), and the peak since the start. The window runs under Xvfb (`xvfb-run`). Without --source:
`synthetic:` and `demo:` as cameras, and a 720p H.264 file. `--steps`: what each step of a start adds, step by
step in one process, before the start's code is unmapped.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import av
from canned import machine
from end_to_end import make_video

LIMITS_MB = {"none": 150.0, "window": 250.0}
SETTLED_S = 3.0

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
from edgecam.cli.run import run; step("edgecam")
from edgecam.inference.detector import OnnxDetector
d = OnnxDetector(sys.argv[1], threads=1); step("detector: session and first run")
from edgecam.capture import open_source
s = open_source(sys.argv[2]); step("source opened")
frames = [s.read(1.0) for _ in range(4)]; step("four frames, as many as wait at most")
for f in frames: d.detect(f)
step("detections on them")
"""


def resident_mb(pid: int) -> dict[str, float]:
    """RSS, its anonymous part and the peak, in 10⁶ bytes."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    found = {line.split(":")[0]: int(line.split()[1]) * 1024 / 1e6 for line in rollup.splitlines()[1:]}
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    return {"rss": found["Rss"], "anonymous": found["Anonymous"], "peak": peak * 1024 / 1e6}


def repeat(video: Path, out: Path, times: int) -> None:
    """Repeat the same pictures in one file without encoding them again: long enough for the fastest run."""
    with av.open(str(out), "w") as target:
        made, offset = None, 0
        for _ in range(times):
            with av.open(str(video)) as source:
                stream = source.streams.video[0]
                made = made or target.add_stream_from_template(stream)
                for packet in source.demux(stream):
                    if packet.dts is not None and packet.pts is not None:
                        packet.pts, packet.dts = packet.pts + offset, packet.dts + offset
                        packet.stream = made
                        target.mux(packet)
                offset += stream.duration or 0


#: Groups of mappings by a part of their path, the first match counts; all others are "other libraries".
GROUPS = {
    "onnxruntime": "ONNX Runtime",
    "/cv2/": "cv2",
    "opencv_python": "cv2",
    "/av/": "PyAV, FFmpeg",
    "av.libs": "PyAV, FFmpeg",
    "numpy": "NumPy",
    "PyQt6": "Qt",
    "python3": "Python",
}


def by_mapping(pid: int) -> dict[str, float]:
    """RSS by group of mappings, in 10⁶ bytes."""
    sums: dict[str, float] = {}
    group = ""
    for line in Path(f"/proc/{pid}/smaps").read_text(encoding="utf-8", errors="replace").splitlines():
        words = line.split(maxsplit=5)
        if not words[0].endswith(":"):
            path = words[5] if len(words) == 6 else ""
            group = next((name for part, name in GROUPS.items() if part in path), "other libraries")
            group = {"": "anonymous mappings", "[heap]": "main heap"}.get(path, group)
        elif words[0] == "Rss:":
            sums[group] = sums.get(group, 0.0) + int(words[1]) * 1024 / 1e6
    return dict(sorted(sums.items(), key=lambda item: -item[1]))


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


def run(
    display: str, source: str, seconds: float, more: list[str]
) -> tuple[dict[str, float], dict[str, float]]:
    """The highest resident memory from SETTLED_S on, with the peak; and RSS by mapping at the end."""
    command = [sys.executable, "-m", "edgecam", "--source", source, "--display", display]
    command += ["--duration", str(seconds + 30), *more]
    if display == "window":
        command = ["xvfb-run", "-a", "-s", "-screen 0 1280x800x24", *command]
    worst: dict[str, float] = {"rss": 0.0}
    parts: dict[str, float] = {}
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        started = time.monotonic()
        pid = process.pid
        while time.monotonic() - started < seconds and process.poll() is None:
            time.sleep(0.5)
            pid = child_of(process.pid) if display == "window" else process.pid
            if time.monotonic() - started < SETTLED_S:
                continue
            try:
                now = resident_mb(pid)
            except OSError:
                continue
            worst = {**max(worst, now, key=lambda found: found["rss"]), "peak": now["peak"]}
        if process.poll() is not None:
            assert process.stderr is not None
            raise SystemExit(f"edgecam ended with {process.returncode}: {process.stderr.read()}")
        parts = by_mapping(pid)
        os.kill(pid, signal.SIGTERM)
        process.communicate(timeout=20)
    return worst, parts


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="default")
    parser.add_argument("--source", action="append", default=[])
    parser.add_argument("--seconds", type=float, default=12)
    parser.add_argument(
        "--classifier", default="off", help="off, as limits are the default detector's; or a name"
    )
    parser.add_argument("--tune", default="auto", help="auto: as a user has it; off: the float model")
    parser.add_argument("--no-window", action="store_true")
    parser.add_argument("--steps", action="store_true", help="what each step of a start adds")
    options = parser.parse_args()
    print(json.dumps(machine()))
    figures: dict[str, dict[str, float]] = {}
    within = True
    displays = ["none"] if options.no_window or not shutil.which("xvfb-run") else ["none", "window"]
    more = ["--detector", options.model, "--classifier", options.classifier, "--tune", options.tune]
    more += ["--threads", "1"] if options.tune == "off" else []
    with tempfile.TemporaryDirectory() as folder:
        short, video = Path(folder) / "short.mp4", Path(folder) / "720p.mp4"
        make_video(short, 300)
        repeat(short, video, max(2, round(options.seconds)))
        sources = options.source or ["synthetic:?live=1", "demo:?live=1", str(video)]
        for display in displays:
            for source in sources:
                found, parts = run(display, source, options.seconds, more)
                how = "headless" if display == "none" else "window"
                title = f"{how}, {source.replace(str(video), 'H.264 file')}"
                figures[title] = {name: round(mb, 1) for name, mb in found.items()}
                within &= found["rss"] <= LIMITS_MB[display]
                print(
                    f"{title}: {found['rss']:.0f} MB resident (limit {LIMITS_MB[display]:.0f}), "
                    f"{found['anonymous']:.0f} of it anonymous; peak since the start {found['peak']:.0f}"
                )
                print("   " + ", ".join(f"{name} {mb:.0f}" for name, mb in parts.items() if mb >= 0.5))
        if options.steps:
            print("where it goes, MB: after, more")
            subprocess.run([sys.executable, "-c", STEPS, options.model, sources[-1]], check=True)
    print(json.dumps({**machine(), "mb": figures, "within": within}))


if __name__ == "__main__":
    main()
