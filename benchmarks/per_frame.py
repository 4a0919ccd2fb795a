"""CPU time that edgecam spends per 720p frame besides the inference, against a bare ORT loop.

    python benchmarks/per_frame.py [--model default] [--frames 150] [--repeats 5] [--threads 1]
        [--concurrent 2]

The whole: CPU seconds of the process per frame through the app (capture hand-off, resize, inference,
postprocess, track, compose, bookkeeping), minus those of `session.run()` in a bare loop; the two alternate.
Limit: 2.0 ms. Frames are already in memory, so no decoding is counted. `--concurrent N` runs as for a file
without a window: N frames at a time with a thread each, compared with N bare loops. The parts: thread CPU
time of each alone, and the most memory that each allocates (limit 1 MB). `python_share.py` measures how much
of the CPU time is Python itself.
"""

from __future__ import annotations

import argparse
import json
import statistics
import threading
import time
import tracemalloc
from typing import Any

from canned import demo_pictures, machine, opener

from edgecam.app.app import App
from edgecam.config import load
from edgecam.core.types import Detections, Frame, Image, Result
from edgecam.inference.detector import OnnxDetector
from edgecam.inference.postprocess import select
from edgecam.inference.runtime.session import Bound
from edgecam.overlay.compose import compose
from edgecam.pipeline.pipeline import Pipeline
from edgecam.pipeline.vision import Vision
from edgecam.pipeline.workers import Eye
from edgecam.telemetry.collector import StatsCollector
from edgecam.telemetry.rates import percentile
from edgecam.tracking.identities import SortTracker

LIMIT_MS, ALLOCATION_LIMIT = 2.0, 1_000_000
#: Frames per chunk. Other load on a shared machine only adds time (through caches, mostly). So beside the
#: median, the lower quartile of the chunks is given: the cost without other load.
CHUNK = 5


def quantile(values: list[float], q: float) -> float:
    return percentile(sorted(values), q)


def config_for(model: str, threads: int) -> Any:
    return load(
        {
            "source": ["synthetic:"],
            "detector": model,
            "classifier": "off",
            "threads": threads,
            "provider": "cpu",
            "tune": "off",
            "display": "none",
        },
        {},
    )


def by_chunks(marks: list[float]) -> list[float]:
    """CPU milliseconds per frame, over chunks of a few frames each."""
    return [(b - a) / CHUNK * 1e3 for a, b in zip(marks[::CHUNK], marks[CHUNK::CHUNK], strict=False)]


def whole_ms(pictures: list[Image], model: str, threads: int, frames: int, batch: bool) -> list[float]:
    """CPU milliseconds of the process per frame, by chunks, from the 10th result on; includes composing.

    batch: ``threads`` concurrent inferences.
    """
    source = opener(pictures, frames=frames + 10)
    app = App(config_for(model, threads), paced=False, opener=source, batch=batch)
    marks: list[float] = []

    def hook(result: Result) -> None:
        compose(result, app.states.stats(), app.style, result.frame.size_wh)
        marks.append(time.process_time())

    app.on_result(hook)
    app.start()
    app.pipeline.wait(120)
    app.stop()
    return by_chunks(marks[9:])


def bare_ms(detector: OnnxDetector, frames: int) -> list[float]:
    """CPU milliseconds of the process per bare `session.run()`, by chunks."""
    for _ in range(5):
        detector.session.run()
    marks = [time.process_time()]
    for _ in range(frames):
        detector.session.run()
        marks.append(time.process_time())
    return by_chunks(marks)


def bare_concurrent_ms(detector: OnnxDetector, frames: int, concurrency: int) -> list[float]:
    """The same with ``concurrency`` concurrent loops, each with its own buffers."""
    lanes = [detector._lane() for _ in range(concurrency)]
    for lane in lanes:
        lane.bound.run()

    def loop(bound: Bound) -> None:
        for _ in range(frames // concurrency):
            bound.run()

    loops = [threading.Thread(target=loop, args=(lane.bound,)) for lane in lanes]
    started = time.process_time()
    for one in loops:
        one.start()
    for one in loops:
        one.join()
    return [(time.process_time() - started) / (frames // concurrency * concurrency) * 1e3]


class _Nothing:
    """A detector that finds nothing, so that only the pipeline's own work remains."""

    name, labels, input_wh = "nothing", ("a",), (300, 300)

    def detect(self, _frame: Frame) -> Detections:
        return Detections.empty(self.labels)


def pipeline_ms(pictures: list[Image], frames: int) -> float:
    """CPU milliseconds per frame of capture hand-off, observer, fan-out and threads, without any vision."""
    collector = StatsCollector("nothing", None, None)
    source = opener(pictures, frames=frames + 10)("", None)  # type: ignore[arg-type]
    marks: list[float] = []
    pipeline = Pipeline(
        [Eye(source, Vision(_Nothing(), None))],
        [],
        collector,
        on_result=lambda _: marks.append(time.process_time()),
    )
    pipeline.start()
    pipeline.wait(60)
    pipeline.stop()
    return quantile(by_chunks(marks[9:]), 0.5)


class Parts:
    """The parts of a frame's processing, in the app's order: one resize, one inference, then the rest."""

    def __init__(self, pictures: list[Image], model: str, threads: int) -> None:
        self.app = App(config_for(model, threads), paced=False, opener=opener(pictures))
        detector = self.app.models.detector
        assert detector is not None
        self.detector, self.lane = detector, detector._lane()
        self.tracker = SortTracker(lambda: detector.thresholds, size_wh=(1280, 720))
        self.pictures, self.index = pictures, 0

    def begin(self) -> None:
        """Continue with the next frame."""
        self.frame = Frame(self.pictures[self.index % len(self.pictures)], self.index, 0, "canned:")
        self.index += 1

    def resize(self) -> None:
        self.fit = self.lane.input.resizer.frame(self.frame)

    def infer(self) -> None:
        self.raw = self.lane.bound.run()

    def postprocess(self) -> None:
        boxes, scores = self.raw[0][0], self.raw[1][0]
        xyxy, score, class_id = select(boxes, scores, self.detector._delivered)
        self.found = Detections(
            self.fit.to_pixels(xyxy, self.frame.size_wh), score, class_id, self.detector.labels
        )

    def track(self) -> None:
        self.result = Result(self.frame, self.tracker.update(self.found, self.index * 33_000_000))

    def compose(self) -> None:
        compose(self.result, self.app.states.stats(), self.app.style, self.frame.size_wh)


#: The parts in their order; all but the inference are edgecam's own.
ORDER = ("resize", "infer", "postprocess", "track", "compose")
OWN = tuple(name for name in ORDER if name != "infer")


def parts_ms(parts: Parts, rounds: int) -> dict[str, tuple[float, float]]:
    """Thread-CPU milliseconds of each part, median and lower quartile.

    Each runs once between two inferences, as in the app, so that caches are in the same state.
    """
    times: dict[str, list[float]] = {name: [] for name in ORDER}
    for _ in range(rounds):
        parts.begin()
        for name in ORDER:
            started = time.thread_time_ns()
            getattr(parts, name)()
            times[name].append((time.thread_time_ns() - started) / 1e6)
    return {name: (statistics.median(times[name]), quantile(times[name], 0.25)) for name in OWN}


def allocated(parts: Parts) -> dict[str, int]:
    """The most bytes that each part has allocated at a time (NumPy's and OpenCV's arrays are counted)."""
    most = dict.fromkeys(OWN, 0)
    for _ in range(10):
        parts.begin()
        for name in ORDER:
            before = tracemalloc.get_traced_memory()[0]
            tracemalloc.reset_peak()
            getattr(parts, name)()
            if name in most:
                most[name] = max(most[name], tracemalloc.get_traced_memory()[1] - before)
    return most


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="default")
    parser.add_argument("--frames", type=int, default=150)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--concurrent", "--abreast", type=int, default=1, help="frames side by side, instead of --threads"
    )
    options = parser.parse_args()
    concurrency: int = options.concurrent
    pictures = demo_pictures(40)
    print(json.dumps(machine()))

    detector = OnnxDetector(options.model, threads=options.threads)
    bare: list[float] = []
    whole: list[float] = []
    for _ in range(options.repeats):
        if concurrency > 1:
            bare += bare_concurrent_ms(detector, options.frames, concurrency)
            whole += whole_ms(pictures, options.model, concurrency, options.frames, batch=True)
        else:
            bare += bare_ms(detector, options.frames)
            whole += whole_ms(pictures, options.model, options.threads, options.frames, batch=False)
        print(
            f"bare {quantile(bare, 0.5):.2f} ms (quartile {quantile(bare, 0.25):.2f}) | through the app "
            f"{quantile(whole, 0.5):.2f} ({quantile(whole, 0.25):.2f})",
            flush=True,
        )
    beside = quantile(whole, 0.5) - quantile(bare, 0.5)
    beside_quiet = quantile(whole, 0.25) - quantile(bare, 0.25)

    parts = Parts(pictures, options.model, options.threads)
    table = {
        "hand-off, fan-out, bookkeeping": (pipeline_ms(pictures, 4 * options.frames),) * 2,
        **parts_ms(parts, options.frames),
    }
    tracemalloc.start()
    allocations = allocated(parts)
    tracemalloc.stop()

    print(f"\n{'CPU ms per 720p frame':<34} {'median':>7} {'quartile':>8} {'bytes at once':>14}")
    for name, (median, quartile) in table.items():
        size = allocations.get(name)
        print(f"  {name:<32} {median:7.3f} {quartile:8.3f} {'' if size is None else f'{size:14,}'}")
    sums = [sum(row[i] for row in table.values()) for i in (0, 1)]
    print(f"  {'sum of the parts':<32} {sums[0]:7.3f} {sums[1]:8.3f}")
    print(f"  {'whole: app less bare loop':<32} {beside:7.3f} {beside_quiet:8.3f}   limit {LIMIT_MS}")
    print(
        json.dumps(
            {
                **machine(),
                "model": detector.name,
                "concurrency": concurrency,
                "beside_ms": round(beside, 3),
                "beside_quartile_ms": round(beside_quiet, 3),
                "bare_ms": round(quantile(bare, 0.5), 2),
                "whole_ms": round(quantile(whole, 0.5), 2),
                "parts_ms": {name: [round(ms, 3) for ms in row] for name, row in table.items()},
                "allocated_bytes": allocations,
                "within": beside <= LIMIT_MS and max(allocations.values()) <= ALLOCATION_LIMIT,
            }
        )
    )


if __name__ == "__main__":
    main()
