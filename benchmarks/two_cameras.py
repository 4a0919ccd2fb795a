"""Measure the cost of more cameras, and whether all are served equally.

    python benchmarks/two_cameras.py [--model default] [--seconds 6] [--repeats 3]

1. Two cameras against one: CPU seconds per second of two 720p cameras at 8 fps each, over twice those of one
   (limit 1.05), and CPU per frame unpaced with two files against one. Alternating, median.
2. Sixteen `synthetic:` cameras that together deliver more than one session can process: spread of their
   rates, (most - least) / mean (limit 0.10).
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable

from canned import demo_pictures, machine, opener

from edgecam.app.app import App
from edgecam.capture import SourceOptions, open_source
from edgecam.config import load
from edgecam.core.ports import Source
from edgecam.core.types import Image

COST_LIMIT, SPREAD_LIMIT = 1.05, 0.10


def app_with(model: str, sources: list[str], opens: Callable[[str, SourceOptions], Source]) -> App:
    config = load(
        {
            "source": sources,
            "detector": model,
            "classifier": "off",
            "threads": 1,
            "provider": "cpu",
            "tune": "off",
            "display": "none",
        },
        {},
    )
    return App(config, paced=False, opener=opens)


def busy(app: App, seconds: float) -> tuple[float, float]:
    """(CPU seconds per second, CPU seconds per result) of the process, after half a second of warming up."""
    app.start()
    try:
        app.pipeline.wait(0.5)
        at, cpu = time.perf_counter(), time.process_time()
        done = sum(account.inferred for account in app.pipeline.accounts())
        app.pipeline.wait(seconds)
        cpu = time.process_time() - cpu
        at = time.perf_counter() - at
        done = sum(account.inferred for account in app.pipeline.accounts()) - done
    finally:
        app.stop()
    return cpu / at, cpu / max(done, 1)


def two_against_one(pictures: list[Image], model: str, seconds: float, repeats: int) -> dict[str, float]:
    live, unpaced = [], []
    for _ in range(repeats):
        camera = opener(pictures, 8.0)
        one = busy(app_with(model, ["synthetic:"], camera), seconds)[0]
        two = busy(app_with(model, ["synthetic:"] * 2, camera), seconds)[0]
        file = opener(pictures)
        single = busy(app_with(model, ["synthetic:"], file), seconds)[1]
        double = busy(app_with(model, ["synthetic:"] * 2, file), seconds)[1]
        live.append(two / (2 * one))
        unpaced.append(double / single)
        print(
            f"live: one {one:.3f}, two {two:.3f} CPUs: {live[-1]:.3f} | unpaced: one {single * 1e3:.2f}, "
            f"two {double * 1e3:.2f} ms CPU per frame, ratio {unpaced[-1]:.3f}",
            flush=True,
        )
    return {"live": round(statistics.median(live), 3), "unpaced": round(statistics.median(unpaced), 3)}


def sixteen(model: str, seconds: float) -> tuple[list[int], float]:
    """(results per source, total results per second)."""
    uris = [f"synthetic:?live=1&rate=15&size=640x360&seed={i}" for i in range(16)]
    app = app_with(model, uris, open_source)
    app.start()
    try:
        app.pipeline.wait(1.0)
        before = [account.inferred for account in app.pipeline.accounts()]
        started = time.perf_counter()
        app.pipeline.wait(seconds)
        after = [account.inferred for account in app.pipeline.accounts()]
        took = time.perf_counter() - started
    finally:
        app.stop()
    counts = [b - a for a, b in zip(before, after, strict=True)]
    return counts, sum(counts) / took


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="default")
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    print(json.dumps(machine()))
    cost = two_against_one(demo_pictures(20), options.model, options.seconds, options.repeats)
    counts, rate = sixteen(options.model, 3 * options.seconds)
    mean = statistics.mean(counts)
    spread = (max(counts) - min(counts)) / mean
    print(f"sixteen: {rate:.1f} results/s, per source {min(counts)} to {max(counts)}, spread {spread:.3f}")
    print(
        json.dumps(
            {
                **machine(),
                "two_over_twice_one": cost,
                "sixteen_spread": round(spread, 3),
                "sixteen_per_s": round(rate, 1),
                "within": max(cost.values()) <= COST_LIMIT and spread <= SPREAD_LIMIT,
            }
        )
    )


if __name__ == "__main__":
    main()
