"""A detector's worst mistakes on labelled pictures: the false detections with the highest scores, and the
largest objects that it misses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecam.nn.detection.data import DetectionSet
from edgecam.nn.detection.evaluation.evaluate import PictureDetections
from edgecam.nn.detection.evaluation.matching import iou_matrix
from edgecam.nn.detection.evaluation.pictures import TILE, fit

_FALSE, _MISSED = (60, 60, 255), (0, 220, 255)  # BGR
#: From this overlap (IoU) on, a false detection counts as one of an object, and not of nothing.
_OF_SOMETHING = 0.3


@dataclass(frozen=True)
class Failure:
    """One mistake. ``weight`` orders mistakes of one kind: the score of a false detection, or the share of
    the picture that a missed object covers."""

    picture: int
    box: NDArray[np.float32]
    text: str
    weight: float
    false: bool


def failures(
    found: Sequence[PictureDetections], data: DetectionSet, thresholds: NDArray[np.float32], iou: float = 0.5
) -> list[Failure]:
    """All mistakes at the thresholds, worst first.

    A detection on an ignored region is no mistake. Nor is one of a class of which the set has no box at all:
    the object may well be there.
    """
    made = []
    judged = np.zeros(len(data.labels), bool)
    for image in data.images:
        judged[image.class_id[~image.ignore]] = True
    for number, (image, one) in enumerate(zip(data.images, found, strict=True)):
        sure = (one.score >= thresholds[one.class_id]) & judged[one.class_id]
        boxes, said, score = one.xyxy[sure], one.class_id[sure], one.score[sure]
        truth, is_class = image.boxes[~image.ignore], image.class_id[~image.ignore]
        overlap = iou_matrix(boxes, truth)[0]
        inside = iou_matrix(boxes, image.boxes[image.ignore])[1]
        free = np.ones(len(truth), bool)
        for row in range(len(boxes)):
            same = np.where(free & (is_class == said[row]), overlap[row], -1.0)
            if same.size and same.max() >= iou:
                free[same.argmax()] = False
                continue
            if inside.shape[1] and inside[row].max() >= iou:
                continue
            there = "nothing"
            if overlap.shape[1] and overlap[row].max() >= _OF_SOMETHING:
                there = data.labels[is_class[overlap[row].argmax()]]
            label = data.labels[said[row]]
            text = f"{label} {score[row]:.2f}: " + (there if there != label else "badly placed, or twice")
            made.append(Failure(number, boxes[row], text, float(score[row]), True))
        for box, class_id in zip(truth[free], is_class[free], strict=True):
            share = float(np.prod(box[2:] - box[:2]))
            made.append(Failure(number, box, f"missed: {data.labels[class_id]}", share, False))
    return sorted(made, key=lambda f: -f.weight)


def worst_sheet(
    path: Path,
    data: DetectionSet,
    found: Sequence[PictureDetections],
    pictures: Callable[[int], NDArray[np.uint8]],
    thresholds: NDArray[np.float32],
    *,
    count: int = 40,
    columns: int = 8,
) -> None:
    """Write a sheet of ``count`` tiles: one half the false detections with the highest scores, the other half
    the largest misses. Each picture appears at most once in each half."""
    every = failures(found, data, thresholds)
    tiles = []
    for false in (True, False):
        shown: set[int] = set()
        for one in every:
            if one.false == false and one.picture not in shown and len(shown) < count // 2:
                shown.add(one.picture)
                tiles.append(_tile(pictures(one.picture), one))
    blank = np.zeros((TILE[1], TILE[0], 3), np.uint8)
    tiles += [blank] * (-len(tiles) % columns or (columns if not tiles else 0))
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(
        str(path), np.vstack([np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)])
    )


def _tile(picture: NDArray[np.uint8], one: Failure) -> NDArray[np.uint8]:
    tile, place = fit(picture, TILE)
    colour = _FALSE if one.false else _MISSED
    x1, y1, x2, y2 = place(one.box)
    cv2.rectangle(tile, (x1, y1), (x2, y2), colour, 2, cv2.LINE_AA)
    cv2.rectangle(tile, (0, 0), (TILE[0], 16), (0, 0, 0), -1)
    cv2.putText(tile, one.text, (3, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.42, colour, 1, cv2.LINE_AA)
    return tile
