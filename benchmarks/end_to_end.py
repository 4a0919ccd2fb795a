"""End-to-end rate of an unpaced 720p H.264 file against its bound, measured in one run.

    python benchmarks/end_to_end.py [--threads 1 2] [--frames 300] [--classifier] [--video FILE]

bound = 1 / max(decode time, CPU-seconds per frame / cores, inference time): no program that decodes, infers
and spends this CPU can be faster. Each part is measured alone before and after the whole app runs, in the
same process, because the machine is shared and noisy. All figures are means, so that a disturbance affects
each alike. Prints one JSON object per thread count, the median of its repeats.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

import av
import numpy as np

from edgecam.app.app import App
from edgecam.capture import SourceOptions, open_source
from edgecam.config import load
from edgecam.core.errors import EndOfStream
from edgecam.inference.detector import OnnxDetector


def make_video(path: Path, frames: int) -> None:
    """A 720p H.264 file of ``demo:``: real photographs, so that the encoder's bits are real too."""
    with open_source("demo:", SourceOptions(size_wh=(1280, 720))) as source, av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=30, options={"preset": "veryfast", "crf": "23"})
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
        for _ in range(frames):
            frame = source.read(5.0)
            assert frame is not None
            out.mux(
                stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame.image), format="bgr24"))
            )
        out.mux(stream.encode())


def decode_s(video: Path) -> float:
    """Seconds per frame of the file source alone."""
    with open_source(str(video)) as source:
        count, started = 0, time.perf_counter()
        while True:
            try:
                count += source.read(5.0) is not None
            except EndOfStream:
                return (time.perf_counter() - started) / count


def inference_s(model: Path, threads: int, rounds: int = 150) -> float:
    """Mean seconds of the session alone, on an existing buffer."""
    detector = OnnxDetector(model, threads=threads)
    for _ in range(10):
        detector.session.run()
    started = time.perf_counter()
    for _ in range(rounds):
        detector.session.run()
    return (time.perf_counter() - started) / rounds


def whole(video: Path, threads: int, classifier: bool) -> tuple[float, float, Path]:
    """(seconds, CPU-seconds) per frame of the app, from its first to its last result; the model it chose."""
    config = load(
        {
            "source": [str(video)],
            "threads": threads,
            "display": "none",
            "classifier": "default" if classifier else "off",
        },
        {},
    )
    app = App(config, paced=False)
    marks: list[tuple[float, float]] = []
    app.on_result(lambda _: marks.append((time.perf_counter(), time.process_time())))
    app.start()
    app.pipeline.wait(600)
    app.stop()
    (t0, c0), (t1, c1) = marks[0], marks[-1]
    assert app.models.detector is not None
    model = app.models.detector.path
    return (t1 - t0) / (len(marks) - 1), (c1 - c0) / (len(marks) - 1), model


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--classifier", action="store_true", help="classify the crops too")
    parser.add_argument("--video", type=Path, help="a 720p file of your own")
    options = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        video = options.video or Path(folder) / "demo-720p.mp4"
        if options.video is None:
            print(f"making a 720p H.264 file of {options.frames} frames …", flush=True)
            make_video(video, options.frames)
        for threads in options.threads:
            rows, model = [], None
            for _ in range(options.repeats):
                if model is None:
                    _, _, model = whole(video, threads, options.classifier)
                parts = [(decode_s(video), inference_s(model, threads))]
                wall, cpu, model = whole(video, threads, options.classifier)
                parts.append((decode_s(video), inference_s(model, threads)))
                decode, infer = (statistics.fmean(part) for part in zip(*parts, strict=True))
                bound = max(decode, cpu / cores, infer)
                rows.append((bound / wall, decode, infer, cpu, wall, bound))
                print(
                    f"{model.stem}, {threads} thread(s): decode {decode * 1e3:.2f} ms | "
                    f"inference {infer * 1e3:.2f} ms | "
                    f"CPU {cpu * 1e3:.2f} ms / {cores} cores | end to end {wall * 1e3:.2f} ms "
                    f"({1 / wall:.1f}/s) | bound {1 / bound:.1f}/s | ratio {bound / wall:.3f}",
                    flush=True,
                )
            ratio, decode, infer, cpu, wall, bound = sorted(rows)[len(rows) // 2]
            print(
                json.dumps(
                    {
                        "model": model.stem,
                        "threads": threads,
                        "ratio": round(ratio, 3),
                        "decode_ms": round(decode * 1e3, 2),
                        "inference_ms": round(infer * 1e3, 2),
                        "cpu_ms_per_frame": round(cpu * 1e3, 2),
                        "cores": cores,
                        "end_to_end_per_s": round(1 / wall, 1),
                        "bound_per_s": round(1 / bound, 1),
                    }
                )
            )


if __name__ == "__main__":
    main()
