"""The cost of rules: a result with ten zones, four lines, five rules and twenty tracks; a replay's rate.

It is measured as CPU time of this thread; the lowest of twelve blocks represents a quiet machine. The time of
a million iterations of a plain loop in the same run (``unit``) makes machines comparable.

    python benchmarks/rules_cost.py [--hours 10]
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path

from edgecam.app.replay import play
from edgecam.core.clock import from_ms, isoformat_ms
from edgecam.record.library.catalogue import ClipInfo
from edgecam.rules.engine import RuleEngine
from edgecam.rules.objects import Seen
from edgecam.rules.reading import build

SIZE_WH = (1280, 720)
START_MS = 1_795_082_331_000


def unit_s() -> float:
    begun = time.thread_time()
    total = 0
    for n in range(1_000_000):
        total += n
    return time.thread_time() - begun


def rules() -> object:
    zones = []
    for n in range(10):
        x, y = 0.02 + 0.19 * (n % 5), 0.3 + 0.35 * (n // 5)
        corners = [(x, y), (x + 0.1, y - 0.05), (x + 0.17, y), (x + 0.17, y + 0.3), (x, y + 0.3)]
        zones.append({"name": f"zone{n}", "points": corners, "loitering": n % 3})
    lines = [f"line{n}=0.0,{0.3 + 0.15 * n} 1.0,{0.35 + 0.15 * n}" for n in range(4)]
    told = ["person@zone1", "car@zone2:0.6", "any>line1", "person<>line2"]
    return build(zones, lines, [*told, {"name": "crowd", "on": "person@zone3", "count": 3}])


def walking(count: int, at_s: float) -> list[Seen]:
    """Tracks that always move, through every zone and line, each on a path of its own."""
    seen = []
    for n in range(count):
        x = 0.5 + 0.48 * math.sin(at_s * (0.11 + 0.013 * n) + n)
        y = 0.6 + 0.38 * math.sin(at_s * (0.13 + 0.011 * n) + 2 * n)
        cx, cy = x * SIZE_WH[0], y * SIZE_WH[1]
        seen.append(
            Seen(n + 1, "person" if n % 3 else "car", 0.8, cx - 30.0, cy - 150.0, cx + 30.0, cy, False)
        )
    return seen


def per_result(tracks: int, rate_hz: float, seconds: float) -> list[float]:
    engine = RuleEngine("front", rules())  # type: ignore[arg-type]
    took = []
    for index in range(int(seconds * rate_hz)):
        at_ns = round(index / rate_hz * 1e9)
        seen = walking(tracks, at_ns / 1e9)
        begun = time.thread_time()
        engine.observe(at_ns, START_MS + at_ns // 1_000_000, SIZE_WH, seen)
        took.append(time.thread_time() - begun)
    return took[1:]  # the first one prepares the zones


def sidecar(path: Path, hours: float, rate_hz: float) -> int:
    """Write lines as a recorder does, of a scene with one to three moving tracks in a third of the time."""
    with path.open("w", encoding="ascii") as file:
        for index in range(int(hours * 3600 * rate_hz)):
            at_s = index / rate_hz
            busy = int(at_s / 60) % 3 == 0
            found = [
                {
                    "label": s.label,
                    "class_id": 0,
                    "score": s.score,
                    "xyxy": [round(s.x1, 1), round(s.y1, 1), round(s.x2, 1), round(s.y2, 1)],
                    "track_id": s.track_id,
                    "state": "confirmed",
                    "classes": [{"label": "x", "score": 0.5}],
                }
                for s in (walking(1 + int(at_s / 20) % 3, at_s) if busy else ())
            ]
            line = {
                "v": 1,
                "source": "front",
                "file": None,
                "index": index,
                "captured_ns": round(at_s * 1e9),
                "time": isoformat_ms(from_ms(START_MS + round(at_s * 1000))),
                "width": 1280,
                "height": 720,
                "inference_ms": 11.8,
                "frame_age_ms": 19.4,
                "dropped": 0,
                "power_w": 5.4,
                "power_kind": "measured",
                "detections": found,
                "classes": [],
                "board": {
                    "power_source": "estimate",
                    "mj_per_frame": 355.1,
                    "temperature_c": 61.2,
                    "frequency_mhz": 1800,
                    "fan_rpm": None,
                    "cpu_percent": 71.0,
                    "throttled": [],
                    "capture_fps": 15.0,
                    "inference_fps": 15.0,
                    "model": "pan-mobilenet-v1-320-int8",
                },
                "recorder": {"missed": 0, "skipped": 0, "every": 1},
                "clip_s": at_s,
            }
            file.write(json.dumps(line) + "\n")
    return path.stat().st_size


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--hours", type=float, default=10.0)
    parser.add_argument("--rate", type=float, default=15.0)
    args = parser.parse_args()
    unit = min(unit_s() for _ in range(9))
    best_ms: dict[int, float] = {}
    for tracks in (0, 1, 3, 20):
        took = per_result(tracks, args.rate, 120.0)
        stretch = len(took) // 12
        best = min(statistics.mean(took[n : n + stretch]) for n in range(0, len(took) - stretch, stretch))
        best_ms[tracks] = best * 1e3
        print(
            f"{tracks:>2} tracks: {best * 1e3:.3f} ms a result (mean {statistics.mean(took) * 1e3:.3f}),"
            f" {best / unit * 1e3:.1f} thousandths of a unit"
        )
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        nbytes = sidecar(folder / "a.jsonl", args.hours, args.rate)
        started = datetime.fromtimestamp(START_MS / 1000, timezone.utc)
        clip = ClipInfo(
            1,
            "a.mp4",
            {"annotated": "a.mp4", "sidecar": "a.jsonl"},
            "front",
            started,
            args.hours * 3600,
            None,
            0,
            nbytes,
            SIZE_WH,
            (),
            (),
            "closed",
            False,
            False,
            (),
        )
        begun = time.thread_time()
        told = sum(1 for _ in play(folder, [clip], rules()))  # type: ignore[arg-type]
        took_s = time.thread_time() - begun
        rate = args.hours * 3600 / took_s
        print(
            f"replay: {args.hours:g} h at {args.rate:g} results a second ({nbytes / 1e6:.0f} MB)"
            f" in {took_s:.1f} s:"
            f" {rate:,.0f} times real time, {told} events"
        )
        within = {"20 tracks": best_ms[20] <= 0.2, "replay": rate >= 2000}
        print(json.dumps({"ms": best_ms, "unit_ms": unit * 1e3, "replay_times": rate, "within": within}))


if __name__ == "__main__":
    main()
