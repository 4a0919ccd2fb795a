"""How steady labels and boxes are on real videos: the shipped detector and the tracker, every frame.

    PYTHONPATH=. python benchmarks/stable_boxes.py ../shared/data/videos/* [--model fast]

Label flips: the most changes of one object's label in any second. An object is a track together with its
successor: one that begins within a second where another one was last shown (IoU at least 0.5).

Jitter: the standard deviation of the box's centre and of its edges over each second in which the picture
under the box does not change, in pixels and as a share of the box's size (the root of its area). A picture
does not change if the mean difference of its blurred grey values from the second's start stays below 2.5 of
255, in the box and in the ring around it (least squares would find no movement). "detector" is the same
figure for the boxes before tracking.

Frozen: eight frames of each video, each shown for 2 s at the video's own rate with new noise (normal, 4 of
255) and a flicker of 2 % (as of a lamp), so that nothing moves: the same figures over the last second.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecam.app.models import LOW_RATIO
from edgecam.capture.open import open_source
from edgecam.core.types import Detections, Frame
from edgecam.inference.detector import OnnxDetector
from edgecam.tracking.identities import SortTracker, widened_iou

#: The largest difference in grey levels, after blurring, that noise and compression may cause.
STILL = 2.5
#: Width of the grey pictures that are kept for comparison, pixels.
GREY_W = 192
WINDOW_S = 1.0
#: The fewest boxes from which a spread is computed.
FEWEST = 5
PIXELS = "centre px: median, p95 (detector) | edge px: median, p95 (detector)"
STILL_HEAD = f"still seconds | {PIXELS}"
SAME_IOU = 0.5


@dataclass
class Shown:
    """One object over time: seconds, boxes, the detector's box at each (NaN if it found none), labels."""

    at_s: list[float] = field(default_factory=list)
    xyxy: list[NDArray[np.float32]] = field(default_factory=list)
    raw: list[NDArray[np.float32]] = field(default_factory=list)
    label: list[str] = field(default_factory=list)
    frame: list[int] = field(default_factory=list)


#: Frozen frames: how many of each video, and their noise and flicker.
FROZEN, NOISE, FLICKER, FROZEN_S = 8, 4.0, 0.02, 2.0


def media_ns(frame: Frame) -> int:
    """The frame's time in the video, not the time when it was decoded."""
    assert frame.media_ns is not None
    return frame.media_ns


def frozen(video: Path, detector: OnnxDetector) -> tuple[list[Shown], float]:
    """(objects on frozen frames, in the last second of each; the total of label changes)."""
    kept: list[Shown] = []
    frames, gap_ns = [], 0
    with open_source(str(video)) as source:
        for frame in source:
            if len(frames) > 1 and not gap_ns:
                gap_ns = media_ns(frames[1]) - media_ns(frames[0])
            frames.append(frame if len(frames) < 2 or frame.index % 10 == 0 else None)
    chosen = [f for f in frames if f is not None]
    rng = np.random.default_rng(0)
    flips = 0
    for number in np.linspace(0, len(chosen) - 1, FROZEN).round().astype(int):
        one = chosen[number]
        tracker = SortTracker(lambda: detector.thresholds, size_wh=(one.image.shape[1], one.image.shape[0]))
        objects: list[Shown] = []
        of_track: dict[int, Shown] = {}
        for step in range(int(FROZEN_S * 1e9 / gap_ns)):
            noisy = one.image * (1 + FLICKER * np.sin(step * 1.7)) + rng.normal(0, NOISE, one.image.shape)
            image = noisy.clip(0, 255).astype(np.uint8)
            at_ns = step * gap_ns
            found = detector.detect(Frame(image, step, at_ns, ""))
            record(tracker.update(found, at_ns), found, step * gap_ns / 1e9, step, of_track, objects)
        flips += sum(most_flips(o)[0] for o in objects)
        for o in objects:
            late = [i for i, t in enumerate(o.at_s) if t >= FROZEN_S / 2]
            if len(late) >= FEWEST:
                kept.append(
                    Shown([o.at_s[i] for i in late], [o.xyxy[i] for i in late], [o.raw[i] for i in late])
                )
    return kept, flips


def iou(box: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    return widened_iou(box[None], others, np.zeros(1))[0]


def watch(video: Path, detector: OnnxDetector) -> tuple[list[Shown], NDArray[np.uint8], tuple[int, int]]:
    """(objects, small blurred greys of every frame, the picture's size)."""
    objects: list[Shown] = []
    of_track: dict[int, Shown] = {}
    greys = []
    with open_source(str(video)) as source:
        tracker = SortTracker(lambda: detector.thresholds, size_wh=source.size_wh)
        size = source.size_wh
        first_ns: int | None = None
        for frame in source:
            at_ns = media_ns(frame)
            first_ns = at_ns if first_ns is None else first_ns
            now_s = (at_ns - first_ns) / 1e9
            found = detector.detect(frame)
            shown = tracker.update(found, at_ns)
            record(shown, found, now_s, len(greys), of_track, objects)
            small = cv2.resize(
                frame.image, (GREY_W, GREY_W * size[1] // size[0]), interpolation=cv2.INTER_AREA
            )
            greys.append(cv2.blur(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), (3, 3)))
    return objects, np.stack(greys), size


def record(
    shown: Detections, found: Detections, now_s: float, number: int, of_track: dict[int, Shown],
    objects: list[Shown],
) -> None:  # fmt: skip
    assert shown.track_id is not None
    here = {int(i) for i in shown.track_id}
    for box, class_id, track_id in zip(shown.xyxy, shown.class_id, shown.track_id, strict=True):
        one = of_track.get(int(track_id))
        if one is None:
            gone = [o for t, o in of_track.items() if t not in here and now_s - o.at_s[-1] <= WINDOW_S]
            places = np.array([o.xyxy[-1] for o in gone], np.float32).reshape(-1, 4)
            overlap = iou(box, places) if gone else np.zeros(0)
            if len(overlap) and overlap.max() >= SAME_IOU:
                one = gone[int(overlap.argmax())]
            else:
                one = Shown()
                objects.append(one)
            of_track[int(track_id)] = one
        raw = np.full(4, np.nan, np.float32)
        if len(found):
            overlap = iou(box, found.xyxy)
            if overlap.max() >= SAME_IOU:
                raw = found.xyxy[int(overlap.argmax())]
        one.at_s.append(now_s)
        one.xyxy.append(box)
        one.raw.append(raw)
        one.label.append(shown.labels[class_id])
        one.frame.append(number)


def most_flips(one: Shown) -> tuple[int, int]:
    """(total label changes, most within any second) of an object."""
    turns = [t for t, a, b in zip(one.at_s[1:], one.label, one.label[1:], strict=False) if a != b]
    return len(turns), max((sum(1 for u in turns if t <= u < t + 1.0) for t in turns), default=0)


def still_windows(
    one: Shown, greys: NDArray[np.uint8], size_wh: tuple[int, int]
) -> Iterable[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """For each second in which the object stands still: (tracked boxes, detector's boxes), both (N, 4)."""
    at, boxes, raw = np.array(one.at_s), np.array(one.xyxy, np.float64), np.array(one.raw, np.float64)
    start = 0
    while start < len(at):
        end = int(np.searchsorted(at, at[start] + WINDOW_S))
        if end - start < FEWEST or at[end - 1] - at[start] < 0.8 * WINDOW_S:
            start += 1
            continue
        if is_still(boxes[start], [greys[i] for i in one.frame[start:end]], size_wh):
            known = ~np.isnan(raw[start:end]).any(axis=1)
            yield boxes[start:end], raw[start:end][known]
            start = end
        else:
            start += max(1, (end - start) // 4)


def is_still(box: NDArray[np.float64], greys: list[NDArray[np.uint8]], size_wh: tuple[int, int]) -> bool:
    scale = GREY_W / size_wh[0]
    wide, high = (box[2:] - box[:2]) * 0.1
    grown = box + np.array([-wide, -high, wide, high])
    x1, y1 = np.floor(grown[:2] * scale).astype(int).clip(0)
    x2, y2 = np.ceil(grown[2:] * scale).astype(int)
    first = greys[0][y1:y2, x1:x2].astype(np.int16)
    if first.size < 16:
        return False
    blocks = (max(1, first.shape[1] // 6), max(1, first.shape[0] // 6))
    for grey in greys[1:]:
        change = np.abs(grey[y1:y2, x1:x2] - first).astype(np.float32)
        # the highest of the parts: a moving arm counts as movement
        parts = cv2.resize(change, blocks, interpolation=cv2.INTER_AREA)
        if change.mean() >= STILL or parts.max() >= 4 * STILL:
            return False
    return True


def spread(boxes: NDArray[np.float64]) -> tuple[float, float, float]:
    """Standard deviation of the centre (the worse axis), of the worst edge, and the box's size: pixels."""
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    size = float(np.sqrt(np.prod(np.mean(boxes[:, 2:] - boxes[:, :2], axis=0))))
    return float(centre.std(axis=0).max()), float(boxes.std(axis=0).max()), size


def summed(spreads: list[tuple[float, float, float]], before: list[tuple[float, float, float]]) -> str:
    """Two cells: median and 95th percentile for centre and edges, the detector's own in brackets."""
    if not spreads:
        return "– | –"
    now = np.percentile(spreads, [50, 95], axis=0)
    raw = np.percentile(before, [50, 95], axis=0) if before else np.full((2, 3), np.nan)
    return " | ".join(f"{now[0][i]:.2f}, {now[1][i]:.2f} ({raw[0][i]:.2f}, {raw[1][i]:.2f})" for i in (0, 1))


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("videos", nargs="+", type=Path)
    parser.add_argument("--model", default="default")
    options = parser.parse_args()
    detector = OnnxDetector(options.model, threads=1, low_ratio=LOW_RATIO)
    print(f"{detector.description}\n\n| video | objects | label changes | most in a second | {STILL_HEAD} |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    rows, summary = [], []
    for video in options.videos:
        objects, greys, size = watch(video, detector)
        flips = [most_flips(one) for one in objects]
        worst = max((most for _, most in flips), default=0)
        windows = [pair for one in objects for pair in still_windows(one, greys, size)]
        tracked = [spread(boxes) for boxes, _ in windows]
        cells = summed(tracked, [spread(own) for _, own in windows if len(own) >= FEWEST])
        changes = sum(n for n, _ in flips)
        row = f"| {video.name} | {len(objects)} | {changes} | {worst} | {len(tracked)} | {cells} |"
        print(row, flush=True)
        held, held_flips = frozen(video, detector)
        pairs = [(np.array(o.xyxy, np.float64), np.array(o.raw, np.float64)) for o in held]
        own = [raw[~np.isnan(raw).any(axis=1)] for _, raw in pairs]
        frozen_spread = [spread(boxes) for boxes, _ in pairs]
        cells = summed(frozen_spread, [spread(raw) for raw in own if len(raw) >= FEWEST])
        rows.append(f"| {video.name} | {len(held)} | {held_flips} | {cells} |")
        summary.append(
            {
                "video": video.name,
                "most_flips_per_s": worst,
                "still_centre_px_p50": round(float(np.median([s[0] for s in tracked])), 3)
                if tracked
                else None,
                "frozen_centre_px_p95": round(float(np.percentile([s[0] for s in frozen_spread], 95)), 3)
                if frozen_spread
                else None,
            }
        )
    print(f"\n| frozen frames of | objects | label changes | {PIXELS} |\n|---|---:|---:|---:|---:|")
    print("\n".join(rows))
    steady = all(s["most_flips_per_s"] <= 1 and (s["frozen_centre_px_p95"] or 0) < 1 for s in summary)
    print(json.dumps({"videos": summary, "within": steady}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
