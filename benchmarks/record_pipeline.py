"""CPU per 720p frame of the whole program at 15 fps, with and without recording, in one run.

    python benchmarks/record_pipeline.py [--rounds 5] [--seconds 6] [--model default]

One edgecam runs with a 720p camera at 15 fps and its detector. In turns of some seconds, it has no sink; as
its sink the smallest PyAV program that encodes the same pictures with the same x264 settings, with and
without the overlay; or the recorder. CPU is the process's, all threads, minus that of the turns without
recording before and after. Limits (issue 6, 6): annotating and queueing at most 1.5 ms a frame; the recorder
within 10 % of the PyAV program.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from canned import demo_pictures, machine, opener
from two_cameras import app_with

from edgecam.app.app import App
from edgecam.core.ports import Sink
from edgecam.core.types import Image, Result
from edgecam.media.encoder import choose_encoder
from edgecam.pipeline.fanout import SinkLane
from edgecam.record.recorder import Recorder, RecordOptions

SIZE_WH, RATE_HZ = (1280, 720), 15.0
ANNOTATE_LIMIT_MS, OVER_MINIMUM = 1.5, 1.10


class SmallestPyAV:
    """swscale's conversion, x264 with the recorder's settings, a file. painter: draws first, or None."""

    def __init__(self, path: Path, preset: str, painter: Callable[[Result], Image] | None) -> None:
        self._container: Any = av.open(str(path), "w")
        self._stream: Any = self._container.add_stream("libx264", rate=Fraction(RATE_HZ))
        self._stream.width, self._stream.height = SIZE_WH
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.thread_count = 1
        self._stream.codec_context.gop_size = int(RATE_HZ)
        bits = int(0.25 * SIZE_WH[0] * SIZE_WH[1] * RATE_HZ)
        self._stream.options = {
            "preset": preset, "tune": "zerolatency", "crf": "23",
            "maxrate": str(bits), "bufsize": str(2 * bits),
        }  # fmt: skip
        self._painter = painter
        self._count = 0

    def open(self) -> None: ...

    def write(self, result: Result) -> None:
        image = result.frame.image if self._painter is None else self._painter(result)
        frame = av.VideoFrame.from_ndarray(image, format="bgr24")
        frame.pts = self._count
        self._count += 1
        self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        if self._container is not None:
            self._container.mux(self._stream.encode(None))
            self._container.close()
            self._container = None


class OnlyPaint:
    """Draws the overlay and discards the picture. times: CPU ms of its thread per picture."""

    def __init__(self, painter: Callable[[Result], Image], times: list[float]) -> None:
        self._painter = painter
        self._times = times

    def open(self) -> None: ...

    def write(self, result: Result) -> None:
        began = time.thread_time()
        self._painter(result)
        self._times.append((time.thread_time() - began) * 1e3)

    def close(self) -> None: ...


def recorder(folder: Path, preset: str, painter: Callable[[Result], Image] | None, app: App) -> Recorder:
    options = RecordOptions(
        view="annotated" if painter else "clean", nominal_hz=RATE_HZ, preset=preset, sidecar=True,
        keep_free_percent=0,
    )  # fmt: skip
    made = Recorder(folder, painter=painter, options=options, stats_provider=app.states.stats)
    made.open()
    return made


def turn(app: App, make: Callable[[], Sink] | None, seconds: float) -> float:
    """CPU milliseconds of the process per result, with a sink or without."""
    lane = None
    if make is not None:
        lane = SinkLane(make(), "bench", lossless=False)
        app.pipeline.add_sink(lane)
    app.wait(0.7)  # the first frames include the cost of opening
    (before,), cpu = app.pipeline.accounts(), time.process_time()
    app.wait(seconds)
    cpu = time.process_time() - cpu
    (after,) = app.pipeline.accounts()
    if lane is not None:
        app.pipeline.remove_sink(lane)
        if lane.dropped:
            print(
                f"  {lane.dropped} frames were dropped before the sink: this machine is too busy", flush=True
            )
    return cpu * 1e3 / max(1, after.inferred - before.inferred)


def queueing_ms(app: App, folder: Path, preset: str) -> float:
    """Wall time of one ``publish`` to a recording lane, which is its whole cost to the vision thread."""
    lane = SinkLane(recorder(folder, preset, app.annotate, app), "bench", lossless=False)
    lane.start()
    times = []
    for _ in range(60):
        result = app.pipeline.latest.get(0)
        if result is not None:
            began = time.perf_counter()
            lane.publish(result)
            times.append((time.perf_counter() - began) * 1e3)
        time.sleep(1 / RATE_HZ)
    lane.close(10.0)
    return statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="default")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--preset", help="x264's (default: what the recorder chooses here)")
    options = parser.parse_args()
    print(json.dumps(machine()))
    preset = options.preset or choose_encoder(SIZE_WH, RATE_HZ).preset or "ultrafast"
    pictures = demo_pictures(90, SIZE_WH, RATE_HZ)
    app = app_with(options.model, ["synthetic:"], opener(pictures, RATE_HZ))
    spent: dict[str, list[float]] = {}
    painted: list[float] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        makers: dict[str, Callable[[], Sink]] = {
            "PyAV's minimum, clean": lambda: SmallestPyAV(folder / "a.mp4", preset, None),
            "recorder, clean": lambda: recorder(folder / "clean", preset, None, app),
            "annotating alone": lambda: OnlyPaint(app.annotate, painted),
            "PyAV's minimum, annotated": lambda: SmallestPyAV(folder / "b.mp4", preset, app.annotate),
            "recorder, annotated": lambda: recorder(folder / "annotated", preset, app.annotate, app),
        }
        app.start()
        try:
            app.wait(2.0)
            for number in range(options.rounds):
                for what, make in makers.items():
                    without = turn(app, None, options.seconds / 2)
                    with_it = turn(app, make, options.seconds)
                    without = (without + turn(app, None, options.seconds / 2)) / 2
                    spent.setdefault(what, []).append(with_it - without)
                    spent.setdefault("without recording", []).append(without)
                    print(
                        f"\rround {number + 1} of {options.rounds}: {what} {spent[what][-1]:.2f} ms   ",
                        end="" if sys.stderr.isatty() else "\n",
                        file=sys.stderr,
                        flush=True,
                    )
            queue_ms = queueing_ms(app, folder / "queue", preset)
        finally:
            app.stop()
    cost = {what: statistics.median(values) for what, values in spent.items()}
    base = cost.pop("without recording")
    print(f"x264 {preset}, {options.rounds} rounds, medians; CPU ms per frame of the whole program")
    print(f"  {'without recording':<28} {base:6.2f} ms  {base * RATE_HZ / 10:5.1f} % of a core")
    for what, value in cost.items():
        print(f"  {what:<28} {value:+6.2f} ms  {value * RATE_HZ / 10:+5.1f} % of a core, {value / base:+.0%}")
    clean = cost["recorder, clean"] / cost["PyAV's minimum, clean"]
    annotated = cost["recorder, annotated"] / cost["PyAV's minimum, annotated"]
    paint_ms = statistics.median(painted)
    hot = paint_ms + queue_ms
    print(
        f"  annotating {paint_ms:.2f} ms (CPU of its thread), queueing {queue_ms:.3f} ms (wall, on the "
        f"vision thread): {hot:.2f} ms"
    )
    report = {
        **machine(),
        "preset": preset,
        "without_ms": round(base, 2),
        **{what: round(value, 2) for what, value in cost.items()},
        "hot_path_ms": round(hot, 2),
        "over_minimum_clean": round(clean, 3),
        "over_minimum_annotated": round(annotated, 3),
        "within": hot <= ANNOTATE_LIMIT_MS and max(clean, annotated) <= OVER_MINIMUM,
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
