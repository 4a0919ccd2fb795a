"""Measure the time from a camera's picture to the result, with detection running, over minutes.

    python benchmarks/camera_latency.py [--way rtsp|http] [--minutes 10] [--size 1280x720] [--plot FILE.png]

A camera in a process of its own draws the monotonic time into photographs, encodes them at 30 fps and serves
them on loopback: RTSP by GStreamer (tests/capture/rtsp_server.py, needs its Python bindings), or MJPEG over
HTTP. edgecam runs as from the command line: its own client, the default detector, tracker and classifier.
Age = the time when the result is ready minus the drawn time, so it includes the camera's own encoding. Limits
(issue 5, 4): p50 at most 20 ms above the inference's p50; p95 at most 60 ms; the last fifth of the run no
more than 5 ms above the first.
"""

from __future__ import annotations

import argparse
import contextlib
import http.server
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from canned import demo_pictures, machine

from edgecam.app.app import App
from edgecam.config import load
from edgecam.core.types import Image, Result
from edgecam.telemetry.rates import percentile

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "tests" / "capture"))
CAMERA_PYTHON = "/usr/bin/python3"
ABOVE_INFERENCE_MS, P95_MS, GROWTH_MS = 20.0, 60.0, 5.0
#: The first seconds are left out: models allocate memory and the tracker fills up.
SETTLE_S = 5.0
BITS, CODE_ROWS = 32, 40


def draw_time(image: Image) -> None:
    """Draw it as tests/capture/rtsp_server.py does: 32 blocks over the top rows, the highest bit first."""
    value = time.monotonic_ns() // 1_000_000 & 0xFFFFFFFF
    width = image.shape[1] // BITS
    for i in range(BITS):
        image[:CODE_ROWS, i * width : (i + 1) * width] = 235 if value >> (BITS - 1 - i) & 1 else 16


class MjpegCamera(http.server.BaseHTTPRequestHandler):
    """Draws, encodes and sends pictures at 30 fps; runs in the camera's process."""

    pictures: Sequence[Image] = ()
    rate_hz = 30.0

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=shot")
        self.end_headers()
        start, number = time.monotonic(), 0
        while True:
            late = time.monotonic() - (start + number / self.rate_hz)
            if late < 0:
                time.sleep(-late)
            image = self.pictures[number % len(self.pictures)]
            draw_time(image)
            shot = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()
            head = b"--shot\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(shot)
            try:
                self.wfile.write(head + shot + b"\r\n")
            except OSError:
                return
            number += 1

    def log_message(self, *_: object) -> None:
        pass


def serve_mjpeg(pictures: Path) -> None:
    cv2.setNumThreads(1)
    MjpegCamera.pictures = list(np.load(pictures))
    server = http.server.HTTPServer(("127.0.0.1", 0), MjpegCamera)
    print("port", server.server_address[1], flush=True)
    server.serve_forever()


@contextlib.contextmanager
def camera(way: str, size_wh: tuple[int, int]) -> Iterator[str]:
    """Start the camera's process; yields its address."""
    with tempfile.TemporaryDirectory() as folder:
        pictures = demo_pictures(20, size_wh)
        command = [sys.executable, __file__, "--serve", f"{folder}/pictures.npy"]
        if way == "rtsp":
            with Path(folder, "pictures.i420").open("wb") as file:
                for image in pictures:
                    file.write(cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420).tobytes())
            server = str(ROOT / "tests" / "capture" / "rtsp_server.py")
            command = [CAMERA_PYTHON, server, "--pictures", f"{folder}/pictures.i420"]
            command += ["--size", f"{size_wh[0]}x{size_wh[1]}"]
        else:
            np.save(f"{folder}/pictures.npy", np.stack(pictures))
        # GStreamer's Python prints only the port to stdout
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            words = process.stdout.readline().split()
            if len(words) != 2:
                raise SystemExit("the camera did not start; for rtsp it needs gir1.2-gst-rtsp-server-1.0")
            path = "pictures" if way == "rtsp" else "video"
            yield f"{way}://127.0.0.1:{words[1]}/{path}"
        finally:
            process.kill()
            process.wait()


class Ages:
    """For each result: seconds since the start, age and inference in ms. The vision thread writes them."""

    def __init__(self) -> None:
        self.start_ns = time.monotonic_ns()
        self.rows: list[tuple[float, float, float]] = []
        self.unreadable = 0

    def __call__(self, result: Result) -> None:
        image = result.frame.image
        centres = ((np.arange(BITS) + 0.5) * image.shape[1] / BITS).astype(int)
        drawn = 0
        for bit in image[CODE_ROWS // 4, centres, 1] > 127:
            drawn = drawn << 1 | int(bit)
        # the drawn time is in whole milliseconds, rounded down: by half of one on average
        age = (result.completed_ns / 1e6 - drawn) % 2**32 - 0.5
        at_s = (result.completed_ns - self.start_ns) / 1e9
        if age > 60_000:  # a misread code is wrong by days
            self.unreadable += 1
        elif at_s >= 0:
            self.rows.append((at_s, age, result.inference_ms))


def measure(url: str, minutes: float, options: argparse.Namespace) -> tuple[Ages, dict[str, object]]:
    config = {"source": [url], "display": "none", "detector": options.model}
    if options.threads:
        config["threads"] = options.threads
    app = App(load(config, {}), paced=False, say=lambda text: print(text, file=sys.stderr))
    ages = Ages()
    app.on_result(ages)
    app.start()
    loads: list[float] = []
    try:
        app.wait(SETTLE_S)
        ages.rows.clear()
        ages.start_ns = time.monotonic_ns()
        seconds = minutes * 60
        for second in range(1, int(seconds) + 1):
            if app.wait(max(0.0, second - (time.monotonic_ns() - ages.start_ns) / 1e9)):
                break
            loads.append(os.getloadavg()[0])
            recent = sorted(age for at_s, age, _ in ages.rows[-40:] if at_s > second - 1) or [float("nan")]
            done = int(30 * second / seconds)
            bar = "█" * done + "·" * (30 - done)
            clock = f"{second // 60}:{second % 60:02d} of {minutes:g} min"
            text = f"{bar} {clock}, age p50 {percentile(recent, 0.5):.0f} ms"
            if sys.stderr.isatty():
                print(f"\r{text}", end="", file=sys.stderr, flush=True)
            elif second % 60 == 0:
                print(text, file=sys.stderr, flush=True)
    finally:
        app.stop()
    (account,) = app.pipeline.accounts()
    about = {"captured": account.captured, "inferred": account.inferred, "stale": account.stale}
    return ages, {**about, "load_mean": round(statistics.mean(loads), 2)}


def judge(ages: Ages) -> dict[str, object]:
    """Percentiles, and whether the age grew."""
    age = sorted(row[1] for row in ages.rows)
    inference = sorted(row[2] for row in ages.rows)
    fifth = len(ages.rows) // 5
    first = statistics.median(row[1] for row in ages.rows[:fifth])
    last = statistics.median(row[1] for row in ages.rows[-fifth:])
    p50, p95 = percentile(age, 0.5), percentile(age, 0.95)
    inference_p50 = percentile(inference, 0.5)
    return {
        "results": len(age),
        "age_p50_ms": round(p50, 1),
        "age_p95_ms": round(p95, 1),
        "age_p99_ms": round(percentile(age, 0.99), 1),
        "age_max_ms": round(age[-1], 1),
        "inference_p50_ms": round(inference_p50, 1),
        "p50_above_inference_ms": round(p50 - inference_p50, 1),
        "first_fifth_p50_ms": round(first, 1),
        "last_fifth_p50_ms": round(last, 1),
        "within": p50 - inference_p50 <= ABOVE_INFERENCE_MS and p95 <= P95_MS and last - first <= GROWTH_MS,
    }


def every(ages: Ages, column: int, q: float, seconds: int = 5) -> tuple[list[float], list[float]]:
    """Minutes, and the quantile ``q`` of ``column`` over each ``seconds`` of the run."""
    bins: dict[int, list[float]] = {}
    for row in ages.rows:
        bins.setdefault(int(row[0] // seconds), []).append(row[column])
    return [at * seconds / 60 for at in bins], [percentile(sorted(found), q) for found in bins.values()]


def plot(path: Path, runs: dict[str, Ages], title: str) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(len(runs), 1, figsize=(9, 0.9 + 2.6 * len(runs)), sharex=True, squeeze=False)
    for axis, (way, ages) in zip(axes[:, 0], runs.items(), strict=True):
        minutes, age50 = every(ages, 1, 0.5)
        age95, inference50 = every(ages, 1, 0.95)[1], every(ages, 2, 0.5)[1]
        axis.fill_between(minutes, age50, age95, color="#0072B2", alpha=0.2, lw=0, label="age, p50 to p95")
        axis.plot(minutes, age50, color="#0072B2", lw=1.6, label="age, p50")
        axis.plot(minutes, inference50, color="#009E73", lw=1.2, label="inference, p50")
        axis.axhline(P95_MS, color="#D55E00", lw=1, ls="--", label="limit of p95")
        axis.set_ylabel(f"{way}: ms")
        axis.set_ylim(0, max(70.0, 1.1 * max(age95)))
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(alpha=0.25)
    axes[0, 0].legend(loc="upper right", frameon=False, ncols=4, fontsize=8)
    axes[0, 0].set_title(title, loc="left", fontsize=10)
    axes[-1, 0].set_xlabel("minutes")
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--way", choices=("rtsp", "http", "both"), default="both")
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--size", default="1280x720")
    parser.add_argument("--model", default="default")
    parser.add_argument("--threads", type=int, help="inference threads (default: edgecam's own choice)")
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--rows", type=Path, help="every result as CSV: way, seconds, age, inference")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve_mjpeg(options.serve)
        return
    width, height = (int(part) for part in options.size.split("x"))
    print(json.dumps(machine()))
    runs, within = {}, True
    for way in ("rtsp", "http") if options.way == "both" else (options.way,):
        with camera(way, (width, height)) as url:
            runs[way], about = measure(url, options.minutes, options)
        verdict = judge(runs[way])
        within &= bool(verdict["within"])
        print(
            json.dumps({"way": way, "size": options.size, "minutes": options.minutes, **verdict, **about}),
            flush=True,
        )
    if options.plot:
        title = f"From the drawn time to the result, {options.size} at 30 fps, detection running"
        plot(options.plot, runs, title)
    if options.rows:
        lines = [f"{way},{t:.3f},{a:.1f},{i:.1f}" for way, ages in runs.items() for t, a, i in ages.rows]
        options.rows.write_text("way,s,age_ms,inference_ms\n" + "\n".join(lines) + "\n")
    print(json.dumps({**machine(), "within": within}))


if __name__ == "__main__":
    main()
