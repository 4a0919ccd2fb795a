"""Measure the share of Python itself, without NumPy, OpenCV or ONNX Runtime, in the work besides the
inference (limit 0.3 ms).

    python benchmarks/python_share.py --py-spy PATH [--seconds 40] [--model default]

py-spy (`pip install py-spy`, 0.4) samples a process that does every frame's work on one thread, with native
frames. A sample counts for a library if that library is below the last Python frame, else for Python itself.
The share of samples outside `Session.run`, times CPU time per frame, gives milliseconds.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from canned import machine

LIMIT_MS = 0.3
PYTHON = re.compile(r"\.py:\d+\)$")
LIBRARIES = ("numpy", "_multiarray", "cv2", "onnxruntime", "libblas", "openblas")


def spin(model: str, seconds: float) -> None:
    """Do all of a frame's work repeatedly; prints frames and CPU seconds."""
    from canned import demo_pictures
    from per_frame import Parts

    from edgecam.core.types import Frame, Result

    parts = Parts(demo_pictures(20), model, 1)

    def beside() -> None:
        parts.resize()

    def after() -> None:
        parts.found = parts.postprocess()
        parts.at_ns += 33_000_000
        parts.tracked = parts.tracker.update(parts.found, parts.at_ns)
        parts.result = Result(parts.frame, parts.tracked)
        parts.compose()

    ends, frames, cpu = time.monotonic() + seconds, 0, time.process_time()
    while time.monotonic() < ends:
        parts.index += 1
        parts.frame = Frame(parts.pictures[parts.index % len(parts.pictures)], parts.index, 0, "canned:")
        beside()
        parts.raw = parts.lane.bound.run()
        after()
        frames += 1
    print(json.dumps({"frames": frames, "cpu_s": time.process_time() - cpu}))


def sort_samples(raw: str) -> tuple[int, Counter[str], Counter[str]]:
    """(all samples, samples outside the inference by library, Python's own by function)."""
    everything, who, functions = 0, Counter[str](), Counter[str]()
    for line in raw.splitlines():
        stack, _, count = line.rpartition(" ")
        frames = stack.split(";")
        python = [i for i, frame in enumerate(frames) if PYTHON.search(frame)]
        names = [frame.split(" ")[0].replace("spin.<locals>.", "") for frame in frames]
        if "spin" not in names:
            continue
        everything += int(count)
        if "Bound.run" in names or not ("beside" in names or "after" in names):
            continue
        below = frames[python[-1] + 1 :]
        library = next((lib for frame in below for lib in LIBRARIES if lib in frame), "")
        if not library and "numpy" in frames[python[-1]]:
            library = "numpy"  # NumPy's own Python code
        who[library or "python"] += int(count)
        if not library:
            functions[re.sub(r":\d+\)", ")", frames[python[-1]])] += int(count)
    return everything, who, functions


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--py-spy", default="py-spy")
    parser.add_argument("--seconds", type=float, default=40)
    parser.add_argument("--model", default="default")
    parser.add_argument("--spin", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.spin:
        spin(options.model, options.seconds)
        return
    print(json.dumps(machine()))
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "samples.txt"
        inner = [
            sys.executable,
            __file__,
            "--spin",
            "--seconds",
            str(options.seconds),
            "--model",
            options.model,
        ]
        done = subprocess.run(
            [options.py_spy, "record", "-n", "-r", "300", "-f", "raw", "-o", str(target), "--", *inner],
            check=True,
            capture_output=True,
            text=True,
        )
        said = next(line for line in done.stdout.splitlines() if line.startswith('{"frames"'))
        everything, who, functions = sort_samples(target.read_text(encoding="utf-8"))
    run = json.loads(said)
    per_sample_ms = run["cpu_s"] * 1e3 / run["frames"] / everything
    for name, count in who.most_common():
        print(f"  {name:<14} {count * per_sample_ms:6.3f} ms   ({count} samples)")
    for name, count in functions.most_common(10):
        print(f"      {count * per_sample_ms:6.3f}  {name}")
    own = who["python"] * per_sample_ms
    print(
        json.dumps(
            {
                **machine(),
                "frames": run["frames"],
                "samples": everything,
                "beside_ms": round(sum(who.values()) * per_sample_ms, 3),
                "python_ms": round(own, 3),
                "within": own <= LIMIT_MS,
            }
        )
    )


if __name__ == "__main__":
    main()
