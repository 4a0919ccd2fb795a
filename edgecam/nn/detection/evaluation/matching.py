"""Match detections with boxes: the basis of thresholds, precision-recall curves and the confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgecam.nn.detection.data import DetectionSet
from edgecam.nn.detection.evaluation.evaluate import PictureDetections
from edgecam.nn.training.charts import Curve, curve_of


@dataclass(frozen=True)
class ClassMatches:
    """All detections of one class over a set, best first.

    score: (n,) float32; hit: (n,) bool, whether it matches a box (by default at IoU 0.5 or more); count: the
    number of boxes to be found.
    """

    score: NDArray[np.float32]
    hit: NDArray[np.bool_]
    count: int

    def curve(self, label: str = "") -> Curve:
        """Recall and precision after each detection."""
        return curve_of(label, self.hit, self.count)


def iou_matrix(
    a: NDArray[np.float32], b: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Of xyxy boxes (n, 4) and (m, 4): (IoU (n, m), overlap as a share of ``a``'s area (n, m))."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    inter = np.prod(np.clip(high - low, 0, None), axis=2)
    area_a = np.prod(np.clip(a[:, 2:] - a[:, :2], 1e-9, None), axis=1)[:, None]
    area_b = np.prod(np.clip(b[:, 2:] - b[:, :2], 1e-9, None), axis=1)[None, :]
    return (inter / (area_a + area_b - inter)).astype(np.float32), (inter / area_a).astype(np.float32)


def match_classes(
    found: Sequence[PictureDetections], data: DetectionSet, iou: float = 0.5
) -> list[ClassMatches]:
    """Match per class, greedily, best first. Detections on ignored regions are left out (as COCO does)."""
    scores: list[list[float]] = [[] for _ in data.labels]
    hits: list[list[bool]] = [[] for _ in data.labels]
    counts = [0] * len(data.labels)
    for image, one in zip(data.images, found, strict=True):
        for class_id in set(one.class_id.tolist()) | set(image.class_id.tolist()):
            truth = image.boxes[(image.class_id == class_id) & ~image.ignore]
            ignored = image.boxes[(image.class_id == class_id) & image.ignore]
            counts[class_id] += len(truth)
            mine = one.class_id == class_id
            boxes = one.xyxy[mine]
            overlap = iou_matrix(boxes, truth)[0] if len(truth) else np.zeros((len(boxes), 0), np.float32)
            inside = iou_matrix(boxes, ignored)[1] if len(ignored) else np.zeros((len(boxes), 0), np.float32)
            free = np.ones(len(truth), bool)
            for row, score in enumerate(one.score[mine].tolist()):
                here = np.where(free, overlap[row], -1.0)
                if here.size and here.max() >= iou:
                    free[here.argmax()] = False
                    hit = True
                elif inside.shape[1] and inside[row].max() >= iou:
                    continue
                else:
                    hit = False
                scores[class_id].append(score)
                hits[class_id].append(hit)
    made = []
    for score_list, hit_list, count in zip(scores, hits, counts, strict=True):
        order = np.argsort(-np.array(score_list, np.float32), kind="stable")
        made.append(
            ClassMatches(np.array(score_list, np.float32)[order], np.array(hit_list, bool)[order], count)
        )
    return made


def confusion(
    found: Sequence[PictureDetections], data: DetectionSet, thresholds: NDArray[np.float32], iou: float = 0.5
) -> NDArray[np.int64]:
    """(C + 1, C + 1): rows are the true classes, columns the detected ones; the last of each is "nothing".

    Detections at or above their class's threshold are matched with boxes of any class, best first. A
    detection on an ignored region is not counted.
    """
    classes = len(data.labels)
    table = np.zeros((classes + 1, classes + 1), np.int64)
    for image, one in zip(data.images, found, strict=True):
        sure = one.score >= thresholds[one.class_id]
        boxes, said = one.xyxy[sure], one.class_id[sure]
        truth, is_class = image.boxes[~image.ignore], image.class_id[~image.ignore]
        ignored = image.boxes[image.ignore]
        overlap = iou_matrix(boxes, truth)[0]
        inside = iou_matrix(boxes, ignored)[1]
        free = np.ones(len(truth), bool)
        for row in range(len(boxes)):
            here = np.where(free, overlap[row], -1.0)
            same = np.where(is_class == said[row], here, -1.0)
            pick = same if same.size and same.max() >= iou else here
            if pick.size and pick.max() >= iou:
                column = int(pick.argmax())
                free[column] = False
                table[is_class[column], said[row]] += 1
            elif not (inside.shape[1] and inside[row].max() >= iou):
                table[classes, said[row]] += 1
        for class_id in is_class[free]:
            table[class_id, classes] += 1
    return table
