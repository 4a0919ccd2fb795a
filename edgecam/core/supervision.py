"""To and from the ``Detections`` of the package supervision, for its zones, trackers and painters."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecam.core.errors import MissingExtraError

if TYPE_CHECKING:
    from edgecam.core.types import Detections

#: Where supervision keeps the labels, one for each object (supervision/config.py: CLASS_NAME_DATA_FIELD).
CLASS_NAME = "class_name"


def to_supervision(detections: Detections) -> Any:
    """See :meth:`edgecam.core.types.Detections.to_supervision`."""
    try:
        import supervision
    except ModuleNotFoundError as error:
        if error.name != "supervision":
            raise
        first = "" if importlib.util.find_spec("pip") else f"{sys.executable} -m ensurepip && "
        raise MissingExtraError(
            "to_supervision() needs the package supervision, which is not installed: "
            f"{first}{sys.executable} -m pip install supervision"
        ) from None
    return supervision.Detections(
        xyxy=detections.xyxy.copy(),
        confidence=detections.score.copy(),
        class_id=detections.class_id.astype(int),
        tracker_id=None if detections.track_id is None else detections.track_id.astype(int),
        data={CLASS_NAME: np.array([found.label for found in detections], dtype=str)},
    )


def from_supervision(detections: Any, labels: Sequence[str] | None = None) -> dict[str, Any]:
    """The fields of :class:`edgecam.core.types.Detections`."""
    count = len(detections.xyxy)
    ids = np.zeros(count, np.int32) if detections.class_id is None else detections.class_id.astype(np.int32)
    score = np.ones(count, np.float32) if detections.confidence is None else detections.confidence
    if labels is None:
        known = dict(zip(ids.tolist(), map(str, detections.data.get(CLASS_NAME, ())), strict=False))
        labels = [known.get(i, str(i)) for i in range(int(ids.max(initial=-1)) + 1)]
    tracks = detections.tracker_id
    return {
        "xyxy": detections.xyxy,
        "score": score,
        "class_id": ids,
        "labels": tuple(labels),
        "track_id": None if tracks is None else tracks.astype(np.int32),
    }
