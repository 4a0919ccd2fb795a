"""CPU milliseconds per 720p frame that annotated recording costs at 15 fps, against no recording.

    python benchmarks/record_cost.py [--frames 225] [--video FILE]

Alternates three ways of handling the same results in one process, so that other load affects all alike:
nothing; the smallest PyAV program that encodes the same picture the same way; the recorder. CPU time is the
process's own, all threads.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import av
import cv2
import numpy as np

from edgecam.core.types import Detections, Frame, Image, PowerReading, Result, Stats
from edgecam.media.encoder import choose_encoder
from edgecam.overlay.compose import compose
from edgecam.overlay.scene_cv import paint_cv
from edgecam.overlay.style import Style
from edgecam.pipeline.fanout import SinkLane
from edgecam.record.recorder import Recorder, RecordOptions

WIDTH, HEIGHT, RATE = 1280, 720, 15.0
STATS = Stats(15.0, 15.0, 30.0, power=PowerReading(5.4, "estimated", "model", 0, 0.25), model="ssdlite")


def pictures(video: Path | None, n: int) -> list[Image]:
    if video is not None:
        found = []
        with av.open(str(video)) as source:
            for frame in source.decode(video=0):
                found.append(cv2.resize(frame.to_ndarray(format="bgr24"), (WIDTH, HEIGHT)))
                if len(found) == n:
                    break
        return found
    rng = np.random.default_rng(0)
    wide = cv2.resize(
        rng.integers(0, 255, (36, 256, 3), np.uint8), (WIDTH * 2, HEIGHT), interpolation=cv2.INTER_CUBIC
    )
    grain = rng.integers(-6, 7, (HEIGHT, WIDTH, 3))
    return [
        np.clip(wide[:, 4 * i % WIDTH : 4 * i % WIDTH + WIDTH] + np.roll(grain, i, 1), 0, 255).astype(
            np.uint8
        )
        for i in range(n)
    ]


def results(images: list[Image], count: int) -> list[Result]:
    found = []
    for i in range(count):
        x = 100 + 3 * i % 700
        boxes = np.array([[x, 150, x + 160, 640], [900, 200, 1040, 600]], np.float32)
        detections = Detections(
            boxes, np.array([0.9, 0.7], np.float32), np.array([0, 1], np.int32), ("person", "chair"),
            track_id=np.array([1, 2], np.int32),
        )  # fmt: skip
        at = i * round(1e9 / RATE)
        found.append(Result(Frame(images[i % len(images)], i, at, "bench:"), detections, completed_ns=at))
    return found


def annotate(result: Result) -> Image:
    return paint_cv(compose(result, STATS, Style(), (WIDTH, HEIGHT)), result.frame.image)


def cpu_ms(work: Any, items: list[Result]) -> float:
    start = time.process_time()
    for item in items:
        work(item)
    return (time.process_time() - start) * 1e3 / len(items)


def pyav_minimum(images: list[Image], preset: str, count: int) -> float:
    """The smallest PyAV program: swscale's conversion, the same x264 settings, a file."""
    with tempfile.TemporaryDirectory() as folder, av.open(f"{folder}/a.mp4", "w") as out:
        stream = out.add_stream("libx264", rate=Fraction(RATE))
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.thread_count = 1
        bits = int(0.25 * WIDTH * HEIGHT * RATE)
        stream.codec_context.gop_size = int(RATE)
        stream.options = {
            "preset": preset, "tune": "zerolatency", "crf": "23",
            "maxrate": str(bits), "bufsize": str(2 * bits),
        }  # fmt: skip
        start = time.process_time()
        for i in range(count):
            frame = av.VideoFrame.from_ndarray(images[i % len(images)], format="bgr24")
            frame.pts = i
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
        return (time.process_time() - start) * 1e3 / count


def record(items: list[Result], preset: str, painter: Any) -> float:
    with tempfile.TemporaryDirectory() as folder:
        options = RecordOptions(
            view="annotated" if painter else "clean", nominal_hz=RATE, preset=preset, live=False,
            sidecar=True, keep_free_percent=0,
        )  # fmt: skip
        recorder = Recorder(Path(folder) / "clips", painter=painter, options=options)
        recorder.open()
        start = time.process_time()
        for item in items:
            recorder.write(item)
        recorder.close()
        return (time.process_time() - start) * 1e3 / len(items)


class _Nothing:
    def open(self) -> None: ...
    def write(self, result: Result) -> None: ...
    def close(self) -> None: ...


def hot_path(items: list[Result]) -> float:
    """Median wall milliseconds per result on the vision thread, for a recorder with a lane of its own."""
    lane = SinkLane(_Nothing(), "bench", lossless=True)
    lane.start()
    times = []
    for item in items:
        start = time.perf_counter()
        lane.publish(item)
        times.append((time.perf_counter() - start) * 1e3)
        time.sleep(0.002)
    lane.close(5.0)
    return statistics.median(times)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=150)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--video", type=Path, help="real pictures instead of made-up ones")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    items = results(pictures(args.video, min(args.frames, 60)), args.frames)
    choice = choose_encoder((WIDTH, HEIGHT), RATE)
    rows: dict[str, list[float]] = {}

    def put(name: str, value: float) -> None:
        rows.setdefault(name, []).append(value)

    for preset in dict.fromkeys((choice.preset or "ultrafast", "ultrafast")):
        for _ in range(args.rounds):
            put(
                f"{preset}: PyAV's own minimum",
                pyav_minimum([r.frame.image for r in items], preset, len(items)),
            )
            put(f"{preset}: recorder, clean", record(items, preset, None))
            put(f"{preset}: recorder, annotated", record(items, preset, annotate))
    for _ in range(args.rounds):
        put("annotating alone", cpu_ms(annotate, items))
        put("hot path: queueing (wall)", hot_path(items[:100]))
    report = {name: round(min(values), 3) for name, values in rows.items()}
    print(f"{WIDTH}x{HEIGHT} at {RATE:g} fps, {len(items)} frames, best of {args.rounds}; chosen: {choice}")
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; without recording: 0 ms by definition")
    for name, value in report.items():
        print(f"  {name:<36} {value:7.3f} ms/frame  {value * RATE / 10:5.1f} % of a core")
    if args.json:
        args.json.write_text(json.dumps(report, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
