"""Instructions per frame and per start on an emulated Cortex-A76 (Pi 5) or A72 (Pi 4), by checkout.

    ../shared/system/insn_root.sh WORK numpy onnxruntime opencv-python simplejpeg av msgspec rich \\
        typing_extensions
    python benchmarks/count.py WORK [CHECKOUT ...] [--core a76] [--source synthetic:] [--frames 10 60]

An emulator's instruction count does not depend on the machine's load, so programs can be compared on a busy
one. The difference between a run of 10 frames and one of 60 is the cost of 50 frames; the rest of the first
run is the cost of the start. Counts repeat within one per cent; they are not times. The last checkout is
compared with the first: limit 1.03 for a frame and for a start. The whole program runs as installed,
headless: its default detector's int8 file by name, one thread, no tuning, no classifier, unless other options
are given after `--`.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
#: The highest allowed ratio to the first checkout, for a frame and for a start.
LIMIT = 1.03
OPTIONS = [
    *("--detector", "pan-mobilenet-v1-320-int8"),
    *("--tune", "off", "--threads", "1", "--classify", "off"),
]
_CLASSES = ("all", "fmla", "dot", "mla", "simd", "fp", "vload", "vstore", "load", "store", "branch", "int")


def count(work: Path, core: str, checkout: Path, arguments: list[str]) -> dict[str, int]:
    """Executed instructions of one run, by class. RuntimeError with the program's output if it fails."""
    machine = {"a72": "cortex-a72", "a76": "cortex-a76"}[core]
    with tempfile.TemporaryDirectory() as home:
        # no user settings, and no OPENBLAS_*, which would change its choice of kernels
        env = {
            "HOME": home,
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{checkout}:{work / 'site'}",
            "PYTHONDONTWRITEBYTECODE": "",
            "PYTHONPYCACHEPREFIX": str(work / f"pyc-{checkout.name}"),
            "LC_ALL": "C.UTF-8",
        }
        emulator = ["qemu-aarch64", "-L", work / core, "-cpu", machine, "-plugin", work / "libinsn.so"]
        program = [work / "root/usr/bin/python3.11", "-m", "edgecam", *arguments]
        done = subprocess.run(
            [str(part) for part in (*emulator, *program)], env=env, cwd=home, capture_output=True, text=True
        )
    line = re.search(r"^COUNT exit (.*)$", done.stderr, re.MULTILINE)
    if done.returncode or line is None:
        raise RuntimeError(f"{checkout}: exit code {done.returncode}: {done.stderr[-2000:]}")
    found = dict(part.split("=") for part in line[1].split())
    return {name: int(found[name]) for name in _CLASSES}


def main() -> int:
    """Run the benchmark; returns exit code 1 if the last checkout exceeds the limit."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("work", type=Path, help="what insn_root.sh made")
    parser.add_argument("checkouts", type=Path, nargs="*", default=[ROOT])
    parser.add_argument("--core", choices=("a72", "a76"), default="a76")
    parser.add_argument("--source", default="synthetic:")
    parser.add_argument("--frames", type=int, nargs=2, default=(10, 60), metavar=("FEW", "MANY"))
    parser.add_argument("--repeats", type=int, default=1)
    own, rest = sys.argv[1:], list(OPTIONS)
    if "--" in own:
        own, rest = own[: own.index("--")], own[own.index("--") + 1 :]
    options = parser.parse_args(own)
    few, many = options.frames
    work = options.work.resolve()
    checkouts = [path.resolve() for path in options.checkouts]
    arguments = ["--source", options.source, "--display", "none", *rest]
    for checkout in checkouts:
        count(work, options.core, checkout, [*arguments, "--frames", "1"])  # compiles the imported modules
    frames: dict[Path, list[float]] = {path: [] for path in checkouts}
    starts: dict[Path, list[float]] = {path: [] for path in checkouts}
    kinds: dict[Path, dict[str, float]] = {}
    for _ in range(options.repeats):
        for path in checkouts:
            short = count(work, options.core, path, [*arguments, "--frames", str(few)])
            long = count(work, options.core, path, [*arguments, "--frames", str(many)])
            each = (long["all"] - short["all"]) / (many - few)
            frames[path].append(each)
            starts[path].append(short["all"] - few * each)
            kinds[path] = {name: (long[name] - short[name]) / (many - few) / 1e6 for name in _CLASSES}
            print(
                f"{path}: {each / 1e6:.1f} million a frame, {starts[path][-1] / 1e6:.0f} to start", flush=True
            )
    first, last = checkouts[0], checkouts[-1]
    frame, start = {}, {}
    for path in checkouts:
        frame[path], start[path] = statistics.median(frames[path]), statistics.median(starts[path])
    ratio = {"frame": frame[last] / frame[first], "start": start[last] / start[first]}
    within = max(ratio.values()) <= LIMIT
    report = {
        "core": options.core,
        "source": options.source,
        "options": rest,
        "frames": [few, many],
        "million_per_frame": {str(p): round(frame[p] / 1e6, 2) for p in checkouts},
        "million_per_start": {str(p): round(start[p] / 1e6, 1) for p in checkouts},
        "million_by_class": {str(p): {n: round(v, 2) for n, v in kinds[p].items()} for p in checkouts},
        "ratio": {name: round(value, 4) for name, value in ratio.items()},
        "limit": LIMIT,
        "within": within,
    }
    print(json.dumps(report))
    return 0 if within else 1


if __name__ == "__main__":
    sys.exit(main())
