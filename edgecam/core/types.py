"""Plain data that flows through edgecam. Everything here is immutable.

Units stand in the names: ``_ns`` nanoseconds of :func:`edgecam.core.clock.now_ns`, ``_ms`` milliseconds,
``_s`` seconds, ``_w`` watts, ``_px`` pixels, ``_wh`` a (width, height) pair.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from edgecam.core.detections import (
    CONFIRMED,
    NO_DETECTIONS,
    STATE_NAMES,
    STATIONARY,
    TENTATIVE,
    Classification,
    Detection,
    Detections,
)

if TYPE_CHECKING:
    from edgecam.core.areas import Told

__all__ = [
    "CONFIRMED",
    "NO_DETECTIONS",
    "STATE_NAMES",
    "STATIONARY",
    "TENTATIVE",
    "BoardHealth",
    "Classification",
    "Detection",
    "Detections",
    "Frame",
    "Image",
    "Latency",
    "PowerKind",
    "PowerReading",
    "Result",
    "Stats",
]

Image = NDArray[np.uint8]
PowerKind = Literal["measured", "estimated"]
#: A part of a picture: (x, y, width, height), each as a share of the picture's own width or height.
Share = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture from a source.

    image: (H, W, 3) uint8, BGR, C-contiguous. Treat it as read-only: painters and sinks share it uncopied.
    index: 0, 1, 2 … in the order in which the source delivered frames (dropped ones count).
    captured_ns: monotonic time of capture, carried to the pixel, the clip and the event.
    source: the source's display name, without credentials.
    media_ns: the frame's place on the file's own timeline; None for live sources.
    file: the picture's path when the source is a folder of images.
    lores: the same view, smaller, (h, w, 3) uint8 BGR, when the camera's own scaler made one.
    """

    image: Image
    index: int
    captured_ns: int
    source: str
    media_ns: int | None = None
    file: str | None = None
    lores: Image | None = None

    @property
    def size_wh(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return int(self.image.shape[1]), int(self.image.shape[0])

    @property
    def timeline_ns(self) -> int:
        """The time a clip should give this frame: the file's own where there is one, else capture time."""
        return self.captured_ns if self.media_ns is None else self.media_ns


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """What was seen in one frame. Carries that frame, so boxes cannot land on the wrong picture.

    detections: what may be shown, told, counted and recorded on; nothing else decides that again.
    tentative: tracks that have not been seen enough for it. Only ``--show tentative`` draws them (thinly),
        and JSON lists them with their state.
    classes: the whole frame's classes, best first (empty unless the whole frame is classified).
    crop_classes: one entry per detection, best first; an empty entry where no classifier ran.
    detect_ms, track_ms, classify_ms: wall time of each stage; ``inference_ms`` is their models' share.
    completed_ns: when the result was ready.
    dropped: frames this source has dropped so far because a newer one was there.
    wall_ms: wall time of capture, milliseconds since 1970 (UTC); for a file that of its beginning plus the
    frame's place in it. 0: not settled yet. moved: cells that move (:mod:`edgecam.rules.motion`), "" where
    nobody asked. told: what the rules make of it; None where there are none.
    """

    frame: Frame
    detections: Detections
    classes: tuple[Classification, ...] = ()
    crop_classes: tuple[tuple[Classification, ...], ...] = ()
    detect_ms: float = 0.0
    track_ms: float = 0.0
    classify_ms: float = 0.0
    completed_ns: int = 0
    dropped: int = 0
    tentative: Detections = NO_DETECTIONS
    wall_ms: int = 0
    moved: str = ""
    told: Told | None = None

    @property
    def inference_ms(self) -> float:
        """Wall time in the models: detection and classification."""
        return self.detect_ms + self.classify_ms

    @property
    def frame_age_ms(self) -> float:
        """Capture to result."""
        return (self.completed_ns - self.frame.captured_ns) / 1e6


@dataclass(frozen=True, slots=True)
class PowerReading:
    """Watts, always with the meter they came from.

    kind: ``measured`` by a sensor, or ``estimated`` from load and board.
    error: relative error of the figure (0.25 is ±25 %), None where the sensor's own is not known.
    """

    power_w: float
    kind: PowerKind
    source: str
    at_ns: int
    error: float | None = None


@dataclass(frozen=True, slots=True)
class BoardHealth:
    """Heat, frequency and supply of the board; None where the board does not tell."""

    temperature_c: float | None = None
    frequency_mhz: float | None = None
    fan_rpm: int | None = None
    cpu_percent: float | None = None
    throttled_now: tuple[str, ...] = ()
    throttled_since_boot: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Latency:
    """Percentiles over a sliding window, milliseconds."""

    p50_ms: float
    p95_ms: float


@dataclass(frozen=True, slots=True)
class Stats:
    """A snapshot of rates, latencies and board state: what the overlay and the status line show.

    Rates are frames per second over the last seconds, by stage; 0.0 before two frames were seen.
    """

    capture_fps: float = 0.0
    inference_fps: float = 0.0
    display_fps: float = 0.0
    frames_in: int = 0
    frames_inferred: int = 0
    frames_dropped: int = 0
    frame_age: Latency | None = None
    display_age: Latency | None = None
    inference: Latency | None = None
    power: PowerReading | None = None
    mj_per_frame: float | None = None
    health: BoardHealth = field(default_factory=BoardHealth)
    model: str = ""
    notice: str = ""
    mj_per_inference: float | None = None
