"""Compare checkouts in turns, as users start them: an unpaced 720p file on 1 and 2 threads, a 30 fps camera.

    python benchmarks/turns.py CHECKOUT CHECKOUT [--rounds 5] [--frames 150] [--seconds 8] [--only CASE]

The checkouts run one after the other in each round, so that other load affects all alike. The output has
medians, and the ratios of the last checkout's to the first's. A run's figures come from its own summary
(rate, frame age) and from the kernel: CPU milliseconds per frame beyond a run of ten frames, and the peak
memory. On a busy machine, CPU time and memory are more reliable than rate and age. Runs use one int8
model, no classifier and no window.
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

OPTIONS = ["--tune", "off", "--classify", "off", "--display", "none"]


def run(checkout: Path, home: Path, arguments: list[str]) -> dict[str, float]:
    """One run: ``fps``, ``age_ms`` (p50), ``cpu_s``, ``memory_mb``. RuntimeError if it failed."""
    env = {"HOME": str(home), "PATH": os.environ["PATH"], "PYTHONPATH": str(checkout), "LC_ALL": "C.UTF-8"}
    command = [sys.executable, "-m", "edgecam", *OPTIONS, *arguments]
    with tempfile.TemporaryFile("w+") as said:
        child = subprocess.Popen(command, env=env, cwd=home, stderr=said, stdout=subprocess.DEVNULL)
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        text = said.read()
    rate = re.search(r"inference ([\d.]+)/s", text)
    age = re.search(r"frame age p50 ([\d.]+) ms", text)
    if child.returncode or rate is None or age is None:
        raise RuntimeError(f"{checkout}: exit code {child.returncode}: {text[-2000:]}")
    return {
        "fps": float(rate[1]),
        "age_ms": float(age[1]),
        "cpu_s": used.ru_utime + used.ru_stime,
        "memory_mb": used.ru_maxrss / 1024,
    }


def main() -> int:
    """Run the benchmark; prints one JSON object."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkouts", type=Path, nargs="+")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--frames", type=int, default=150)
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument(
        "--detector",
        default="pan-mobilenet-v1-320-int8",
        help="of all: a name, or a file where a checkout lacks it (default: %(default)s)",
    )
    parser.add_argument("--only", default="", help="the cases whose name holds this, such as '2 threads'")
    options = parser.parse_args()
    checkouts = [path.resolve() for path in options.checkouts]
    found: dict[str, dict[Path, list[dict[str, float]]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        clip = home / "clip.mp4"
        detector = ["--detector", options.detector]
        run(
            checkouts[-1],  # the demo of an older one needs more packages
            home,
            [*detector, "--source", "demo:?size=1280x720", "--frames", "60", "--record", str(clip)],
        )
        file = [*detector, "--source", str(clip), "--loop"]
        camera = [*detector, "--source", "synthetic:?live=1&size=1280x720&rate=30", "--threads", "1"]
        cases = {
            "file, 1 thread": [*file, "--threads", "1", "--frames", str(options.frames)],
            "file, 2 threads": [*file, "--threads", "2", "--frames", str(options.frames)],
            "camera at 30 fps": [*camera, "--frames", str(30 * options.seconds)],
        }
        cases = {case: arguments for case, arguments in cases.items() if options.only in case}
        for _ in range(options.rounds):
            for case, arguments in cases.items():
                few = [*arguments[:-1], "10"]
                for checkout in checkouts:
                    short, long = (run(checkout, home, given) for given in (few, arguments))
                    frames = int(arguments[-1]) - 10
                    long["cpu_ms_per_frame"] = (long.pop("cpu_s") - short["cpu_s"]) / frames * 1e3
                    long["cpu_s_of_10_frames"] = short["cpu_s"]
                    found.setdefault(case, {}).setdefault(checkout, []).append(long)
    report = {}
    for case, of in found.items():
        medians = {
            path: {name: statistics.median(one[name] for one in runs) for name in runs[0]}
            for path, runs in of.items()
        }
        first, last = medians[checkouts[0]], medians[checkouts[-1]]
        report[case] = {
            **{
                str(path): {name: round(value, 2) for name, value in of.items()}
                for path, of in medians.items()
            },
            "ratio": {name: round(last[name] / first[name], 3) for name in first if first[name]},
        }
    print(json.dumps(report, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
