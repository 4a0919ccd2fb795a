"""What a decoder process per network camera costs: CPU and age per frame, against decoding in the program.

    python benchmarks/isolation.py [--rounds 6] [--seconds 5]

One camera of 1280x720 at 30 fps (MJPEG over HTTP, from a process of its own) is watched both ways in turn.
CPU is that of the program and of its decoder process together; age is from a picture's arrival to its Frame.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "capture"))
CAMERA = """
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


def cpu_s(pid: int) -> float:
    """User and system time of a process."""
    words = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def resident_mb(pid: int) -> float:
    """Its own pages, without those that it shares."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Private_")) / 1024


def watch(url: str, isolated: bool, seconds: float) -> tuple[float, list[float], float]:
    """(CPU ms per frame, ages in ms, the decoder process's own MB)."""
    from edgecam.capture import SourceOptions
    from edgecam.capture.network.isolated import IsolatedStreamSource
    from edgecam.capture.network.stream import StreamSource

    kind = IsolatedStreamSource if isolated else StreamSource
    with kind(url, SourceOptions(reconnect="off")) as source:
        pids = [os.getpid()]
        if isolated:
            pids += source.processes  # type: ignore[attr-defined]
        until = time.monotonic() + 1.0
        while time.monotonic() < until:
            source.read(1.0)
        before, ages = sum(map(cpu_s, pids)), []
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            frame = source.read(1.0)
            if frame is not None:
                ages.append((time.monotonic_ns() - frame.captured_ns) / 1e6)
        spent = sum(map(cpu_s, pids)) - before
        return spent * 1e3 / max(1, len(ages)), ages, resident_mb(pids[-1]) if isolated else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=5.0)
    args = parser.parse_args()
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests' / 'capture'}"}
    camera = subprocess.Popen(
        [sys.executable, "-c", CAMERA], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    )
    assert camera.stdout is not None and camera.stdin is not None
    try:
        url = f"http://127.0.0.1:{int(camera.stdout.readline())}/"
        cpu: dict[bool, list[float]] = {False: [], True: []}
        age: dict[bool, list[float]] = {False: [], True: []}
        memory = 0.0
        for _ in range(args.rounds):
            for isolated in (False, True):
                spent, ages, own_mb = watch(url, isolated, args.seconds)
                cpu[isolated].append(spent)
                age[isolated].append(statistics.median(ages))
                memory = max(memory, own_mb)
    finally:
        camera.stdin.close()
        camera.wait(10)
    for isolated, name in ((False, "in the program"), (True, "in a process")):
        print(
            f"{name:<15} {statistics.median(cpu[isolated]):6.2f} ms CPU a frame, "
            f"{statistics.median(age[isolated]):6.2f} ms old"
        )
    more_cpu = statistics.median(b - a for a, b in zip(cpu[False], cpu[True], strict=True))
    more_age = statistics.median(b - a for a, b in zip(age[False], age[True], strict=True))
    least = min(cpu[True]) - min(cpu[False]), min(age[True]) - min(age[False])
    print(
        f"the process costs {more_cpu:.2f} ms CPU and {more_age:.2f} ms age a frame (quietest rounds: "
        f"{least[0]:.2f} and {least[1]:.2f}), {memory:.0f} MB of its own"
    )


if __name__ == "__main__":
    main()
