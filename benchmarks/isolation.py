"""Measure CPU and age per frame of a decoder process per network camera, against decoding in the program.

    python benchmarks/isolation.py [--h264] [--busy] [--rounds 6] [--seconds 5]

One camera of 1280x720 at 30 fps, in a process of its own, is read both ways in turn: MJPEG over HTTP,
or with --h264 by RTSP (GStreamer's server, as in the tests). CPU is that of the program and its decoder
process together, by their CPU clocks, from frame to frame; age is from a picture's arrival to its Frame.
Given are the median of all frames and, in brackets, that of the quietest quarter of each way. With --busy, a
decoder process must ask before each picture, as it does when the network is behind (the answer is always to
decode it).
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "capture")]
MJPEG_CAMERA = """
import sys, time
import cv2, numpy as np
import capture_material
rng = np.random.default_rng(0)
base = cv2.resize(rng.integers(0, 255, (45, 80, 3), np.uint8), (1280, 720), interpolation=cv2.INTER_CUBIC)
capture_material.pictures = lambda count: [np.roll(base, 8 * n, 1) for n in range(count)]
with capture_material.http_camera(rate_hz=30.0) as camera:
    print(camera.port, flush=True)
    sys.stdin.read()
"""


@contextlib.contextmanager
def mjpeg_camera() -> Iterator[str]:
    """Yields the address of an MJPEG camera."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests' / 'capture'}"}
    camera = subprocess.Popen(
        [sys.executable, "-c", MJPEG_CAMERA], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    )
    assert camera.stdout is not None and camera.stdin is not None
    try:
        yield f"http://127.0.0.1:{int(camera.stdout.readline())}/"
    finally:
        camera.stdin.close()
        camera.wait(10)


@contextlib.contextmanager
def h264_camera() -> Iterator[str]:
    """Yields the address of an H.264 camera."""
    from rtsp_camera import RtspCamera  # from the tests

    camera = RtspCamera()
    try:
        yield camera.url()
    finally:
        camera.kill()


def cpu_s(pid: int) -> float:
    """User and system time of a process, to the nanosecond (its CPU clock: clock_getcpuclockid(3))."""
    return time.clock_gettime(~pid << 3 | 2)


def resident_mb(pid: int) -> float:
    """Resident memory of the process without shared pages, in MB."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Private_")) / 1024


def watch(url: str, isolated: bool, seconds: float, busy: bool) -> tuple[list[float], list[float], float]:
    """(CPU ms of each frame, ages in ms, the decoder process's own MB)."""
    from edgecam.capture import SourceOptions
    from edgecam.capture.network.isolated import IsolatedStreamSource
    from edgecam.capture.network.stream import StreamSource

    kind = IsolatedStreamSource if isolated else StreamSource
    with kind(url, SourceOptions(reconnect="off")) as source:
        if busy:
            source.skip_decoding(lambda _ns: False)
        pids = [os.getpid()]
        if isinstance(source, IsolatedStreamSource):
            pids += source.processes
        until = time.monotonic() + 1.0
        while time.monotonic() < until:
            source.read(1.0)
        spent, ages = [], []
        before = sum(map(cpu_s, pids))
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            frame = source.read(1.0)
            if frame is not None:
                ages.append((time.monotonic_ns() - frame.captured_ns) / 1e6)
                now = sum(map(cpu_s, pids))
                spent.append((now - before) * 1e3)
                before = now
        return spent, ages, resident_mb(pids[-1]) if isolated else 0.0


def quiet(values: list[float]) -> float:
    """The median of the lowest quarter."""
    return sorted(values)[len(values) // 8]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--h264", action="store_true")
    parser.add_argument("--busy", action="store_true")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=5.0)
    args = parser.parse_args()
    cpu: dict[bool, list[float]] = {False: [], True: []}
    age: dict[bool, list[float]] = {False: [], True: []}
    memory = 0.0
    with h264_camera() if args.h264 else mjpeg_camera() as url:
        for _ in range(args.rounds):
            for isolated in (False, True):
                spent, ages, own_mb = watch(url, isolated, args.seconds, args.busy)
                cpu[isolated] += spent
                age[isolated] += ages
                memory = max(memory, own_mb)
    for values, unit in ((cpu, "ms CPU a frame"), (age, "ms old")):
        inside, apart = values[False], values[True]
        middle = statistics.median(inside), statistics.median(apart)
        print(
            f"{unit}: in the program {middle[0]:.2f} ({quiet(inside):.2f}), in a process {middle[1]:.2f} "
            f"({quiet(apart):.2f}), more {middle[1] - middle[0]:.2f} ({quiet(apart) - quiet(inside):.2f})"
        )
    load = os.getloadavg()[0]
    print(f"{len(cpu[False])} and {len(cpu[True])} frames, {memory:.0f} MB of its own, load {load:.1f}")


if __name__ == "__main__":
    main()
