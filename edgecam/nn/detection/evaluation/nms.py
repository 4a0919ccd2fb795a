"""Class-aware non-maximum suppression on one picture's raw outputs, for evaluation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def detections(
    boxes: NDArray[np.float32],
    scores: NDArray[np.float32],
    *,
    score: float = 0.01,
    iou: float = 0.5,
    limit: int = 100,
    candidates: int = 500,
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
    """Turn boxes ``(N, 4)`` xyxy and scores ``(N, C)`` into the kept ``(xyxy, score, class_id)``, best first.

    Boxes of different classes never suppress each other. At most the best ``candidates`` are considered, and
    at most ``limit`` are kept.
    """
    flat = scores.reshape(-1)
    above = np.flatnonzero(flat >= score)
    if above.size > candidates:
        above = above[np.argpartition(flat[above], -candidates)[-candidates:]]
    above = above[np.argsort(-flat[above], kind="stable")]
    anchor, class_id = np.divmod(above, scores.shape[1])
    picked = boxes[anchor]
    # an offset per class keeps classes apart: coordinates are relative, and decoded ones lie well within +-8
    keep = _suppress(picked + (class_id * 16.0)[:, None].astype(np.float32), iou)[:limit]
    return picked[keep], flat[above][keep], class_id[keep].astype(np.int64)


def _suppress(boxes: NDArray[np.float32], iou: float) -> NDArray[np.int64]:
    """Greedy suppression of boxes that are sorted best first."""
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    side = np.clip(high - low, 0, None)
    inter = side[..., 0] * side[..., 1]
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    overlap = inter > iou * (area[:, None] + area[None, :] - inter)
    alive = np.ones(len(boxes), bool)
    for i in range(len(boxes)):
        if alive[i]:
            alive[i + 1 :] &= ~overlap[i, i + 1 :]
    return np.flatnonzero(alive).astype(np.int64)
