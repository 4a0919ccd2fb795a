"""From the command to the first result, `--display none` (limit 1.2 s); `edgecam --help` (limit 0.15 s).

    python benchmarks/startup.py [--model default] [--source synthetic:] [--repeats 7]

Whole: a real `edgecam ... --json -`, until its first line arrives; best and median of the repeats (other load
on the machine only adds time). Then a table of the parts: imports by package (`-X importtime`), and the
stages of one start in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import time

from canned import machine

LIMIT_S, HELP_LIMIT_S = 1.2, 0.15
#: What a run imports, by package; the rest is edgecam's own and the standard library.
PACKAGES = ("numpy", "cv2", "onnxruntime", "msgspec", "av", "rich", "edgecam")

STAGES = """
import sys, time
marks = [("interpreter", time.perf_counter())]
def mark(name): marks.append((name, time.perf_counter()))
from edgecam.cli.main import _parse; from edgecam.config import load
mark("import edgecam.cli.main, edgecam.config")
import numpy; mark("import numpy")
import cv2; mark("import cv2")
import onnxruntime; mark("import onnxruntime")
from edgecam.cli.run import run
from edgecam.app.app import App; mark("import edgecam.cli.run, edgecam.app.app")
config = load(_parse(sys.argv[1:])); mark("parse, config")
from edgecam.app.models import Models
from edgecam.inference.tuning.tune import tune
tune(config.detector, "detection", mode=config.tune); mark("tuning, remembered")
models = Models(config, None); mark("model: load, optimise, first run")
del models
from edgecam.capture import open_source
open_source(config.source[0]).close(); mark("source: import, open")
for (_, a), (name, b) in zip(marks, marks[1:]):
    print(f"{(b - a) * 1e3:8.1f} {name}")
"""


def arguments(model: str, source: str) -> list[str]:
    return ["--source", source, "--detector", model, "--classifier", "off", "--display", "none"]


def first_result_s(model: str, source: str) -> tuple[float, float]:
    """(seconds from the command to the first JSON line, CPU seconds of the whole process to its end)."""
    import resource

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    command = [sys.executable, "-m", "edgecam", *arguments(model, source), "--json", "-", "--frames", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        took = time.perf_counter() - started
        process.stdout.read()
    if process.returncode or not line:
        raise SystemExit(f"edgecam ended with {process.returncode}: {' '.join(command)}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return took, cpu


def help_s() -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "edgecam", "--help"], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


def imports_ms(model: str, source: str) -> dict[str, float]:
    """Milliseconds of import by package, each module counted once, under its own package."""
    command = [
        *[sys.executable, "-X", "importtime", "-m", "edgecam"],
        *[*arguments(model, source), "--frames", "1"],
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = dict.fromkeys((*PACKAGES, "standard library and others"), 0.0)
    for own_us, name in re.findall(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)", done.stderr):
        package = name.split(".")[0]
        found[package if package in found else "standard library and others"] += int(own_us) / 1e3
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="default")
    parser.add_argument("--source", default="synthetic:")
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    print(json.dumps(machine()))
    first_result_s(options.model, options.source)  # tunes, and warms up the disk cache
    runs = [first_result_s(options.model, options.source) for _ in range(options.repeats)]
    helps = [help_s() for _ in range(options.repeats)]
    imports = imports_ms(options.model, options.source)
    print(f"{'import':<36} {'ms':>7}")
    for name, ms in imports.items():
        print(f"  {name:<34} {ms:7.1f}")
    print("stages of one start, in order          ms")
    command = [sys.executable, "-c", STAGES, *arguments(options.model, options.source)]
    for line in subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines():
        ms, name = line.split(maxsplit=1)
        print(f"  {name:<34} {float(ms):7.1f}")
    walls = [wall for wall, _ in runs]
    cpu = statistics.median(cpu for _, cpu in runs)
    print(
        f"first result: best {min(walls):.2f} s, median {statistics.median(walls):.2f} s (limit {LIMIT_S}), "
        f"CPU {cpu:.2f} s\n--help: best {min(helps):.3f} s, median {statistics.median(helps):.3f} s "
        f"(limit {HELP_LIMIT_S})"
    )
    print(
        json.dumps(
            {
                **machine(),
                "first_result_best_s": round(min(walls), 3),
                "first_result_median_s": round(statistics.median(walls), 3),
                "first_result_cpu_s": round(cpu, 3),
                "help_best_s": round(min(helps), 3),
                "help_median_s": round(statistics.median(helps), 3),
                "within": statistics.median(walls) <= LIMIT_S and statistics.median(helps) <= HELP_LIMIT_S,
            }
        )
    )


if __name__ == "__main__":
    main()
