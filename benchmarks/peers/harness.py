"""The same camera and the same stop-watch for every peer. Needs numpy and OpenCV only: it runs in their
venvs.

The camera is a 720p MJPEG webcam at 30 fps as OpenCV drives one through V4L2: four buffers in a queue, the
oldest is delivered first, and while all are full the driver drops what comes. Its pictures are those of
`demo:`, encoded once; `read` decodes as `cv2.VideoCapture` does. Nothing of it needs a thread: what a driver
would have done meanwhile is worked out from the clock, so a peer's own threads are the only ones.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from pathlib import Path

import cv2
import numpy as np

BUFFERS = 4
WARM_UP = 15
LABELS_SHOWN = 0.44


class Camera:
    """`read()` -> (picture, number, capture time), as `cv2.VideoCapture.read` on a USB camera."""

    def __init__(self, folder: str, rate_hz: float) -> None:
        self._jpegs = [np.fromfile(path, np.uint8) for path in sorted(Path(folder).glob("*.jpg"))]
        assert self._jpegs, f"no pictures in {folder}"
        self._interval = 1.0 / rate_hz
        self._start = time.monotonic()
        self._queue: list[int] = []
        self._next = 0

    def _drive(self) -> None:
        """What the driver did since the last call."""
        out = int((time.monotonic() - self._start) / self._interval + 1e-6)
        while self._next <= out:
            if len(self._queue) < BUFFERS:
                self._queue.append(self._next)
                self._next += 1
            else:
                self._next = out + 1  # all buffers full: dropped

    def grab(self) -> tuple[np.ndarray, int, float]:
        """`read()` before decoding: the JPEG's bytes."""
        self._drive()
        while not self._queue:
            time.sleep(max(0.0, self._start + self._next * self._interval - time.monotonic()))
            self._drive()
        number = self._queue.pop(0)
        return self._jpegs[number % len(self._jpegs)], number, self._start + number * self._interval

    def read(self) -> tuple[np.ndarray, int, float]:
        jpeg, number, captured = self.grab()
        return cv2.imdecode(jpeg, cv2.IMREAD_COLOR), number, captured


class Watch:
    """Told of every annotated picture; says when it is enough and what came out."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._count = 0
        self._from: tuple[float, float] | None = None
        self._to = (0.0, 0.0)
        self._ages: list[float] = []
        self._numbers: set[int] = set()
        self._repeats = 0
        self._found = 0

    def done(self, number: int, captured: float, found: int) -> bool:
        """An annotated picture is ready; True if it was the last."""
        now, cpu = time.monotonic(), time.process_time()
        self._count += 1
        if self._count <= WARM_UP:
            return False
        if self._from is None:
            self._from = (now, cpu)
            return False
        self._to = (now, cpu)
        if number in self._numbers:
            self._repeats += 1
        else:
            self._numbers.add(number)
            self._ages.append((now - captured) * 1e3)
            self._found += found
        return now - self._from[0] >= self.seconds

    def result(self) -> dict[str, object]:
        assert self._from is not None
        took, cpu = self._to[0] - self._from[0], self._to[1] - self._from[1]
        ages = sorted(self._ages)
        return {
            "rate": round(len(ages) / took, 2),
            "repeats_per_s": round(self._repeats / took, 2),
            "age_p50_ms": round(statistics.median(ages), 1),
            "age_p95_ms": round(ages[int(0.95 * (len(ages) - 1))], 1),
            "cpu_share": round(cpu / took / len(os.sched_getaffinity(0)), 3),
            "cpu_ms_per_frame": round(cpu * 1e3 / len(ages), 1),
            "found_per_frame": round(self._found / len(ages), 2),
        }


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--pictures", required=True)
    parser.add_argument("--rate", type=float, default=30)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--threads", type=int, default=0, help="0: as the peer does by itself")
    return parser.parse_args()


def finish(peer: str, watch: Watch, versions: dict[str, str], note: str = "") -> None:
    print(json.dumps({"peer": peer, **watch.result(), "versions": versions, "note": note}), flush=True)


def draw(picture: np.ndarray, boxes: np.ndarray, scores: np.ndarray, classes: np.ndarray) -> None:
    """Boxes and text as every tutorial draws them."""
    for (x1, y1, x2, y2), score, label in zip(boxes.astype(int), scores, classes, strict=True):
        cv2.rectangle(picture, (x1, y1), (x2, y2), (10, 255, 0), 2)
        text = f"{label}: {int(score * 100)}%"
        (width, height), below = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.7, 2)
        top = max(y1, height + 10)
        cv2.rectangle(
            picture, (x1, top - height - 10), (x1 + width, top + below - 10), (255, 255, 255), cv2.FILLED
        )
        cv2.putText(picture, text, (x1, top - 7), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (0, 0, 0), 2)


def pick(
    boxes: np.ndarray, scores: np.ndarray, size_wh: tuple[int, int], least: float = LABELS_SHOWN
) -> tuple:
    """What the tutorials do with SSD outputs: best class, threshold, `cv2.dnn.NMSBoxes`."""
    best = scores.argmax(axis=1)
    top = scores[np.arange(len(best)), best]
    keep = top > least
    boxes, top, best = boxes[keep] * np.array([*size_wh, *size_wh], np.float32), top[keep], best[keep]
    xywh = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
    kept = np.array(cv2.dnn.NMSBoxes(xywh.tolist(), top.tolist(), least, 0.5), int).reshape(-1)
    return boxes[kept], top[kept], best[kept]
