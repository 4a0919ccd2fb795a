"""Plain data that flows through edgecam. Everything here is immutable.

Units stand in the names: ``_ns`` nanoseconds of :func:`edgecam.core.clock.now_ns`, ``_ms`` milliseconds,
``_s`` seconds, ``_w`` watts, ``_px`` pixels, ``_wh`` a (width, height) pair.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from typing_extensions import Self

    from edgecam.core.areas import Told

Image = NDArray[np.uint8]
PowerKind = Literal["measured", "estimated"]
#: A part of a picture: (x, y, width, height), each as a share of the picture's own width or height.
Share = tuple[float, float, float, float]

#: What ``Detections.state`` holds: seen too little to be shown; shown; shown, and standing still for long.
TENTATIVE, CONFIRMED, STATIONARY = 0, 1, 2
#: Their names, in JSON and events.
STATE_NAMES = ("tentative", "confirmed", "stationary")


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


def _column(values: Any, dtype: Any, shape: tuple[int, ...], name: str) -> NDArray[Any]:
    array = np.ascontiguousarray(values, dtype=dtype)
    if array.shape != shape:
        raise ValueError(f"Detections.{name} has shape {array.shape}, expected {shape}")
    return array


@dataclass(frozen=True, slots=True)
class Detection:
    """One object of :class:`Detections`, as plain Python values.

    xyxy: (x1, y1, x2, y2), pixels of ``Frame.image``, x2 and y2 exclusive. score: in [0, 1].
    track_id: the same object's number from frame to frame; None before tracking.
    """

    label: str
    score: float
    xyxy: tuple[float, float, float, float]
    track_id: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """Objects found in one frame, as parallel arrays, validated once on construction.

    Iterating, and an index, give a :class:`Detection`; a slice, a mask or an array of positions gives
    Detections.

    xyxy: (N, 4) float32, pixels of ``Frame.image``, x2 and y2 exclusive.
    score: (N,) float32 in [0, 1].
    class_id: (N,) int32, index into ``labels``.
    labels: the detector's labels, by class id.
    track_id: (N,) int32, or None before tracking.
    velocity: (N, 4) float32, pixels per second of each box edge, or None before tracking.
    state: (N,) uint8, :data:`TENTATIVE`, :data:`CONFIRMED` or :data:`STATIONARY`, by
        :mod:`edgecam.tracking.evidence`; None where the score alone decides (single pictures).
    alternatives: for each detection the other classes that the detector gave to the same thing, best first;
        None where there is none at all.

    Raises ValueError if the shapes do not agree.
    """

    xyxy: NDArray[np.float32]
    score: NDArray[np.float32]
    class_id: NDArray[np.int32]
    labels: tuple[str, ...]
    track_id: NDArray[np.int32] | None = None
    velocity: NDArray[np.float32] | None = None
    state: NDArray[np.uint8] | None = None
    alternatives: tuple[tuple[Classification, ...], ...] | None = None

    def __post_init__(self) -> None:
        n = len(self.score)
        put = object.__setattr__
        put(self, "xyxy", _column(self.xyxy, np.float32, (n, 4), "xyxy"))
        put(self, "score", _column(self.score, np.float32, (n,), "score"))
        put(self, "class_id", _column(self.class_id, np.int32, (n,), "class_id"))
        if self.track_id is not None:
            put(self, "track_id", _column(self.track_id, np.int32, (n,), "track_id"))
        if self.velocity is not None:
            put(self, "velocity", _column(self.velocity, np.float32, (n, 4), "velocity"))
        if self.state is not None:
            put(self, "state", _column(self.state, np.uint8, (n,), "state"))
        if self.alternatives is not None and len(self.alternatives) != n:
            raise ValueError(f"Detections.alternatives has {len(self.alternatives)} entries, expected {n}")

    @classmethod
    def empty(cls, labels: Sequence[str] = ()) -> Detections:
        """No objects."""
        return cls(
            np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty(0, np.int32), tuple(labels)
        )

    def __len__(self) -> int:
        return len(self.score)

    def __iter__(self) -> Iterator[Detection]:
        return (self[i] for i in range(len(self)))

    @overload
    def __getitem__(self, index: int) -> Detection: ...

    @overload
    def __getitem__(self, index: slice | NDArray[Any]) -> Detections: ...

    def __getitem__(self, index: int | slice | NDArray[Any]) -> Detection | Detections:
        if isinstance(index, slice):
            return self.select(np.arange(len(self))[index])
        if isinstance(index, np.ndarray) and index.ndim:
            return self.select(index)
        i = range(len(self))[int(index)]  # IndexError beyond the end; -1 is the last
        x1, y1, x2, y2 = self.xyxy[i].tolist()
        track_id = None if self.track_id is None else int(self.track_id[i])
        return Detection(self.label(i), float(self.score[i]), (x1, y1, x2, y2), track_id)

    def label(self, i: int) -> str:
        """The label of detection ``i``."""
        return self.labels[int(self.class_id[i])]

    def select(self, index: NDArray[Any]) -> Detections:
        """The detections at ``index`` (a boolean mask or positions), in that order."""
        return replace(
            self,
            xyxy=self.xyxy[index],
            score=self.score[index],
            class_id=self.class_id[index],
            track_id=None if self.track_id is None else self.track_id[index],
            velocity=None if self.velocity is None else self.velocity[index],
            state=None if self.state is None else self.state[index],
            alternatives=None
            if self.alternatives is None
            else tuple(self.alternatives[i] for i in np.arange(len(self))[index]),
        )

    def state_name(self, i: int) -> str:
        """``tentative``, ``confirmed`` or ``stationary``: what stands in JSON for detection ``i``."""
        return "confirmed" if self.state is None else STATE_NAMES[int(self.state[i])]

    def to_supervision(self) -> Any:
        """The same objects as ``supervision.Detections`` (imported here, and nowhere else).

        Labels stand in ``data["class_name"]``, tracks in ``tracker_id``. Raises MissingExtraError where the
        package supervision is not installed.
        """
        from edgecam.core.supervision import to_supervision

        return to_supervision(self)

    @classmethod
    def from_supervision(cls, detections: Any, labels: Sequence[str] | None = None) -> Self:
        """Objects that another detector gave as ``supervision.Detections``. Does not import supervision.

        labels: by class id; None takes them from ``data["class_name"]``, else the class ids' numbers.
        """
        from edgecam.core.supervision import from_supervision

        return cls(**from_supervision(detections, labels))

    def predicted_xyxy(self, dt_s: float) -> NDArray[np.float32]:
        """Boxes moved on by ``dt_s`` seconds at their tracked velocity; (N, 4) float32, unclipped."""
        if self.velocity is None or dt_s <= 0.0:
            return self.xyxy
        moved: NDArray[np.float32] = self.xyxy + self.velocity * np.float32(dt_s)
        return moved


@dataclass(frozen=True, slots=True)
class Classification:
    """One class the classifier gave to a frame or a crop, with its probability."""

    label: str
    class_id: int
    score: float


#: No objects, without a label: shared, so that a result without tentative tracks costs nothing.
NO_DETECTIONS = Detections.empty()


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
