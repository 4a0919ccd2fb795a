from __future__ import annotations

from typing import Any

import numpy as np

from edgecam.core.types import (
    BoardHealth,
    Classification,
    Detections,
    Frame,
    Latency,
    PowerReading,
    Result,
    Stats,
)
from edgecam.overlay.scene import Box, Chip, Scene, Text

LABELS = ("person", "bicycle", "car", "dog", "traffic light", "potted plant")


def make_result(
    wh: tuple[int, int],
    boxes: list[tuple[float, float, float, float]],
    labels: tuple[str, ...] = LABELS,
    tracked: bool = True,
    velocity: Any = None,
    crop: tuple[tuple[Classification, ...], ...] = (),
    classes: tuple[Classification, ...] = (),
    image: Any = None,
) -> Result:
    n = len(boxes)
    pixels = np.full((wh[1], wh[0], 3), 90, np.uint8) if image is None else image
    found = Detections(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.linspace(0.95, 0.4, n, dtype=np.float32) if n else np.empty(0, np.float32),
        np.arange(n, dtype=np.int32) % len(labels),
        labels,
        track_id=np.arange(1, n + 1, dtype=np.int32) if tracked else None,
        velocity=velocity,
    )
    frame = Frame(pixels, 41, 1_000_000_000, "demo:")
    return Result(frame, found, classes, crop, completed_ns=1_031_000_000)


FULL_STATS = Stats(
    capture_fps=29.97,
    inference_fps=24.6,
    display_fps=60.0,
    frame_age=Latency(38, 52),
    power=PowerReading(6.1, "estimated", "model", 0, 0.25),
    mj_per_frame=247.0,
    health=BoardHealth(temperature_c=61.2, throttled_now=("under-voltage",)),
    model="ssdlite mnv4-conv-s 320",
)


def texts(scene: Scene) -> str:
    """All that can be read, chip by chip."""
    return " | ".join(" ".join(m.text for m in c.marks if isinstance(m, Text)) for c in chips(scene))


def chips(scene: Scene) -> list[Chip]:
    return [item for item in scene.items if isinstance(item, Chip)]


def boxes(scene: Scene) -> list[Box]:
    return [item for item in scene.items if isinstance(item, Box)]
