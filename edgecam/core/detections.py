"""Objects found in a picture, as parallel arrays and one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from typing_extensions import Self

#: What ``Detections.state`` holds: seen too little to be shown; shown; shown, and standing still for long.
TENTATIVE, CONFIRMED, STATIONARY = 0, 1, 2
#: Their names, in JSON and events.
STATE_NAMES = ("tentative", "confirmed", "stationary")


@dataclass(frozen=True, slots=True)
class Classification:
    """One class the classifier gave to a frame or a crop, with its probability."""

    label: str
    class_id: int
    score: float


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

    Iterating, and an index, give a :class:`Detection`; a slice, a mask or an array of
    positions gives Detections.

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
        some = object.__new__(type(self))  # parts of what was validated need no validation
        put = object.__setattr__
        for name in ("xyxy", "score", "class_id", "track_id", "velocity", "state"):
            column = getattr(self, name)
            put(some, name, None if column is None else column[index])
        put(some, "labels", self.labels)
        kept = self.alternatives
        if kept is not None:
            kept = tuple(kept[i] for i in np.arange(len(self))[index])
        put(some, "alternatives", kept)
        return some

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


#: No objects, without a label: shared, so that a result without tentative tracks costs nothing.
NO_DETECTIONS = Detections.empty()
