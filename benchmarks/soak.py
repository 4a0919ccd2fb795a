"""A soak: edgecam with every feature on for minutes or hours, its memory, threads and descriptors watched.

    python benchmarks/soak.py --minutes 10 [--out FOLDER] [--plot docs/img/soak.png]
    python benchmarks/soak.py --read FOLDER [--plot OUT.png]

The real program in a window (under Xvfb, if there is no screen), with two sources (`demo:` as a camera, and a
real RTSP camera on 127.0.0.1 where GStreamer's server is installed, else `synthetic:`), detector, tracker,
classifier, motion gate, recording cut into short clips with so little `--keep-bytes` that retention deletes
all the time, snapshots, JSON lines, a power meter (a command) and the governor. Every ten seconds its RSS and
the anonymous part of it, threads, descriptors and CPU time are written to FOLDER/samples.csv, and its log is
searched for ERROR.

The limits, after warm-up: resident memory rises by less than 0.5 MB an hour, threads and descriptors end as
they began, no ERROR. `--read` evaluates and draws what an earlier or running soak has written.

Caches fill for the first half hour (up to 10 MB an hour were measured, which stop by themselves), and the
fit is accurate to 1 or 2 MB an hour only. So a short run (CI's ten minutes, beside the tests) fails only if
its rise is 40 MB an hour or more by three standard errors (one of ten minutes without a leak had 22 ± 10).
The exit status is 1 where something is not within its limit.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np
from canned import machine
from memory import child_of, resident_mb

ROOT = Path(__file__).resolve().parents[1]
LIMIT_MB_PER_HOUR = 0.5
#: The limit for a run shorter than this; see above.
SHORT_LIMIT_MB_PER_HOUR, LONG_MINUTES = 40.0, 120.0
EVERY_S = 10.0
#: Left out at the start: caches, pools and tables of the libraries are still filling.
WARM_UP_SHARE, LONGEST_WARM_UP_S = 0.2, 900.0
#: In a run of ten minutes, heaps and caches rose for six (260 to 273 MB) and stayed level from then on.
LEAST_WARM_UP_S, MOST_SHARE = 360.0, 0.6
ERROR = re.compile(r"^(ERROR|CRITICAL)|Traceback|^\w*Error\b", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample at ``seconds`` since the start. MB are 10⁶ bytes; cpu_s is since the process started."""

    seconds: float
    rss_mb: float
    anonymous_mb: float
    threads: int
    descriptors: int
    cpu_s: float
    errors: int
    deleted: int
    clips: int


def command(options: argparse.Namespace, rtsp: str | None, work: Path) -> list[str]:
    """The command line with every feature on."""
    second = rtsp or f"synthetic:?live=1&rate={options.rate:g}&size=640x360"
    return [
        *[sys.executable, "-m", "edgecam", "-v"],
        *["--source", f"demo:?live=1&rate={options.rate:g}&size=640x360", "--source", second],
        *["--display", "window", "--detect-rate", f"{options.detect_rate:g}", "--gate", "motion"],
        *["--classify", "crops", "--classify-score", "0.2", "--tune", "off", "--threads", "1"],
        *["--record", str(work / "clips"), "--segment", "15s", "--keep-bytes", options.keep_bytes],
        *["--keep-free", "0", "--keep-days", "1", "--snapshot-on", "person:0.5,motion"],
        *["--snapshots", str(work / "snapshots"), "--json", str(work / "results.jsonl")],
        *["--power-command", "echo 5.4", "--max-watts", "20", "--max-age", "2s"],
        *["--duration", f"{options.minutes * 60 + 60:.0f}s"],
    ]


@contextmanager
def rtsp_camera(rate_hz: float) -> Iterator[str | None]:
    """The address of a real RTSP camera, or None if there is no server for one."""
    server = ROOT / "tests" / "capture" / "rtsp_server.py"
    try:
        process = subprocess.Popen(
            ["/usr/bin/python3", str(server), "--rate", f"{rate_hz:g}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
    except OSError:
        yield None
        return
    with process:
        assert process.stdout is not None
        line = process.stdout.readline()
        try:
            yield f"rtsp://127.0.0.1:{line.split()[1]}/cam" if line.startswith("port") else None
        finally:
            process.kill()


def take(pid: int, started: float, work: Path) -> Sample:
    """Take one sample of the process; OSError once it has ended."""
    proc = Path(f"/proc/{pid}")
    rollup = (proc / "smaps_rollup").read_text(encoding="ascii")
    own = next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Anonymous:"))
    stat = (proc / "stat").read_text(encoding="utf-8", errors="replace").rsplit(")", 1)[1].split()
    log = (work / "log.txt").read_text(encoding="utf-8", errors="replace")
    return Sample(
        round(time.monotonic() - started, 1),
        round(resident_mb(pid)["rss"], 2),
        round(own * 1024 / 1e6, 2),
        int(stat[17]),
        len(list((proc / "fd").iterdir())),
        (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK"),
        len(ERROR.findall(log)),
        log.count("was deleted"),
        len(list((work / "clips").glob("*.mp4"))),
    )


def soak(options: argparse.Namespace, work: Path) -> int:
    """Run the soak, and write samples.csv and log.txt; returns the program's exit status."""
    for name in ("clips", "snapshots"):
        (work / name).mkdir(parents=True, exist_ok=True)
    with (
        rtsp_camera(options.rate) as rtsp,
        (work / "log.txt").open("w", encoding="utf-8") as log,
        (work / "samples.csv").open("w", encoding="utf-8", newline="") as table,
    ):
        words = command(options, rtsp, work)
        if not os.environ.get("DISPLAY"):
            words = ["xvfb-run", "-a", "-s", "-screen 0 1280x800x24", *words]
        print(" ".join(words), flush=True)
        rows = csv.writer(table)
        rows.writerow([field.name for field in fields(Sample)])
        with subprocess.Popen(words, stdout=log, stderr=log, cwd=ROOT) as process:
            started = time.monotonic()
            pid = process.pid
            try:
                while process.poll() is None and time.monotonic() - started < options.minutes * 60:
                    time.sleep(EVERY_S)
                    pid = child_of(process.pid) if words[0] == "xvfb-run" else process.pid
                    try:
                        rows.writerow(astuple(take(pid, started, work)))
                    except (OSError, StopIteration):
                        continue
                    table.flush()
            finally:  # also if the soak itself is stopped early
                if process.poll() is None:
                    os.kill(pid, signal.SIGTERM)
                status = process.wait(60)
    return status


def read(work: Path) -> list[Sample]:
    """The samples in samples.csv."""
    with (work / "samples.csv").open(encoding="utf-8", newline="") as table:
        rows = list(csv.reader(table))[1:]
    return [
        Sample(float(r[0]), float(r[1]), float(r[2]), int(r[3]), int(r[4]), float(r[5]), *map(int, r[6:9]))
        for r in rows
    ]


def slope(samples: list[Sample], values: list[float]) -> tuple[float, float, float]:
    """Least squares: (value at 0, rise per hour, its standard error by blocks).

    Nearby samples are correlated, so the error comes from the residuals' means over twelve blocks.
    """
    hours = np.array([s.seconds for s in samples]) / 3600
    rise, start = np.polyfit(hours, values, 1)
    left = np.asarray(values) - (start + rise * hours)
    blocks = [block for block in np.array_split(np.arange(len(hours)), 12) if len(block)]
    means = np.array([left[block].mean() for block in blocks])
    places = np.array([hours[block].mean() for block in blocks])
    spread = float(np.sqrt((means**2).sum() / max(1, len(means) - 2) / ((places - places.mean()) ** 2).sum()))
    return float(start), float(rise), spread


def judge(samples: list[Sample]) -> dict[str, object]:
    """The figures, and whether they are within the limits."""
    whole_s = samples[-1].seconds
    least_s = min(LEAST_WARM_UP_S, MOST_SHARE * whole_s)
    warm_s = min(LONGEST_WARM_UP_S, max(least_s, WARM_UP_SHARE * whole_s))
    warm = [s for s in samples if s.seconds >= warm_s]
    _, rise, error = slope(warm, [s.rss_mb for s in warm])
    quarter = max(1, len(warm) // 4)
    found: dict[str, object] = {
        "minutes": round(samples[-1].seconds / 60, 1),
        "warm_up_minutes": round(warm_s / 60, 1),
        "rss_mb": [min(s.rss_mb for s in warm), max(s.rss_mb for s in warm)],
        "mb_per_hour": round(rise, 3),
        "mb_per_hour_error": round(error, 3),
        "cpu_share": round((warm[-1].cpu_s - warm[0].cpu_s) / (warm[-1].seconds - warm[0].seconds), 3),
        "errors": samples[-1].errors,
        "clips_deleted": samples[-1].deleted,
    }
    constant = True
    for name in ("threads", "descriptors"):
        seen = [getattr(s, name) for s in warm]
        first, last = float(np.median(seen[:quarter])), float(np.median(seen[-quarter:]))
        found[name] = {"first": first, "last": last, "least": min(seen), "most": max(seen)}
        constant &= first == last
    is_long = samples[-1].seconds >= LONG_MINUTES * 60
    level = rise < LIMIT_MB_PER_HOUR if is_long else rise - 3 * error < SHORT_LIMIT_MB_PER_HOUR
    found["within"] = level and constant and not samples[-1].errors
    return found


def plot(samples: list[Sample], figures: dict[str, object], out: Path) -> None:
    """RSS with the fitted line, and its anonymous part; threads and descriptors below."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    warm_s = float(str(figures["warm_up_minutes"])) * 60
    warm = [s for s in samples if s.seconds >= warm_s]
    start, rise, _ = slope(warm, [s.rss_mb for s in warm])
    minutes = [s.seconds / 60 for s in samples]
    figure, (top, bottom) = plt.subplots(2, 1, figsize=(9, 5.6), sharex=True, height_ratios=[2.2, 1])
    top.plot(minutes, [s.rss_mb for s in samples], color="#0072B2", lw=1.2, label="resident (RSS)")
    top.plot(
        minutes,
        [s.anonymous_mb for s in samples],
        color="#009E73",
        lw=1.2,
        label="anonymous: heap, frames, tensors",
    )
    ends = [warm[0].seconds, warm[-1].seconds]
    label = f"fit after warm-up: {rise:+.2f} ± {figures['mb_per_hour_error']} MB per hour"
    fitted = [start + rise * s / 3600 for s in ends]
    top.plot([s / 60 for s in ends], fitted, color="#D55E00", lw=1.6, ls="--", label=label)
    top.set_ylabel("MB")
    top.set_ylim(0, 1.25 * max(s.rss_mb for s in samples))
    top.legend(loc="lower right", frameon=False)
    bottom.plot(minutes, [s.descriptors for s in samples], color="#CC79A7", lw=2.4, label="open descriptors")
    bottom.plot(minutes, [s.threads for s in samples], color="#333333", lw=1.0, ls="--", label="threads")
    bottom.set_ylim(0, None)
    bottom.set_xlabel("minutes")
    bottom.legend(loc="lower right", frameon=False, ncols=2)
    for axis in (top, bottom):
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(alpha=0.25)
    top.set_title(
        f"{figures['minutes']:.0f} minutes with every feature on: {figures['clips_deleted']} clips deleted "
        f"by retention, {figures['errors']} errors, {float(str(figures['cpu_share'])):.0%} of one core",
        loc="left",
        fontsize=11,
    )
    figure.tight_layout()
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--rate", type=float, default=5, help="frames per second of each camera")
    parser.add_argument("--detect-rate", type=float, default=2, help="detections per second, all cameras")
    parser.add_argument("--keep-bytes", default="3MB")
    parser.add_argument("--out", type=Path, help="keep samples.csv and log.txt here")
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--read", type=Path, metavar="FOLDER", help="judge what stands there; run nothing")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    print(json.dumps(machine()))
    work = options.read or options.out or Path(tempfile.mkdtemp(prefix="edgecam-soak-"))
    status = 0
    if options.read is None:
        work.mkdir(parents=True, exist_ok=True)
        status = soak(options, work)
    samples = read(work)
    if len(samples) < 12:
        raise SystemExit(f"only {len(samples)} samples in {work}; its log.txt says why, or it was too short")
    figures = judge(samples)
    if options.plot:
        plot(samples, figures, options.plot)
    within = bool(figures["within"]) and not status
    print(json.dumps({**machine(), **figures, "status": status, "within": within}))
    if options.read is None and options.out is None and within:
        shutil.rmtree(work)
    if not within:
        raise SystemExit(f"not within the limits; its samples and log are in {work}")


if __name__ == "__main__":
    main()
