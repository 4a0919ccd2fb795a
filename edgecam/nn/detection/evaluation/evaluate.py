"""COCO's figures for a detector (torch, ONNX or int8 alike), through pycocotools."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecam.nn.detection.data import DetectionSet
from edgecam.nn.detection.evaluation.nms import detections
from edgecam.nn.labels.coco import CORE11, VOC20

#: Takes uint8 BGR pictures (B, S, S, 3); returns boxes (B, N, 4), relative xyxy, and scores (B, N, C).
Predict = Callable[[NDArray[np.uint8]], tuple[NDArray[np.float32], NDArray[np.float32]]]

#: Columns of COCOeval's summary, in its order.
_SUMMARY = ("AP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large")


@dataclass(frozen=True)
class PictureDetections:
    """What a detector found on one picture: relative xyxy (n, 4), score (n,), class_id (n,)."""

    xyxy: NDArray[np.float32]
    score: NDArray[np.float32]
    class_id: NDArray[np.int64]


@dataclass(frozen=True)
class Report:
    """Figures of one evaluation. ``per_class``: label to (AP50, AP, people's boxes of it)."""

    figures: dict[str, float]
    per_class: dict[str, tuple[float, float, int]] = field(default_factory=dict)

    def mean(self, labels: Sequence[str]) -> tuple[float, float]:
        """(AP50, AP): the means over those of ``labels`` that have boxes; NaN if none has."""
        rows = [self.per_class[x] for x in labels if x in self.per_class]
        if not rows:
            return float("nan"), float("nan")
        return float(np.mean([r[0] for r in rows])), float(np.mean([r[1] for r in rows]))


def predict_set(
    predict: Predict,
    data: DetectionSet,
    pictures: Callable[[int], NDArray[np.uint8]],
    size_wh: tuple[int, int],
    *,
    batch: int = 1,
    score: float = 0.01,
    iou: float = 0.5,
    tick: Callable[[int], None] | None = None,
) -> list[PictureDetections]:
    """Run ``predict`` on every picture, stretched to ``size_wh`` (bilinear, as the app does)."""
    found: list[PictureDetections] = []
    for start in range(0, len(data.images), batch):
        indices = range(start, min(start + batch, len(data.images)))
        block = np.stack([cv2.resize(pictures(i), size_wh, interpolation=cv2.INTER_LINEAR) for i in indices])
        boxes, scores = predict(block.astype(np.uint8, copy=False))
        for b, s in zip(boxes, scores, strict=True):
            found.append(PictureDetections(*detections(b, s, score=score, iou=iou)))
        if tick is not None:
            tick(len(indices))
    return found


def _ground_truth(data: DetectionSet) -> Any:
    from pycocotools.coco import COCO

    annotations: list[dict[str, Any]] = []
    for number, image in enumerate(data.images, start=1):
        scale = np.array([*image.wh, *image.wh], np.float32)
        for box, class_id, ignore in zip(image.boxes * scale, image.class_id, image.ignore, strict=True):
            x1, y1, x2, y2 = (float(v) for v in box)
            annotations.append(
                {
                    "id": len(annotations) + 1, "image_id": number, "category_id": int(class_id) + 1,
                    "bbox": [x1, y1, x2 - x1, y2 - y1], "area": (x2 - x1) * (y2 - y1), "iscrowd": int(ignore),
                }
            )  # fmt: skip
    truth = COCO()
    truth.dataset = {
        "info": {},
        "images": [
            {"id": n, "width": i.wh[0], "height": i.wh[1]} for n, i in enumerate(data.images, start=1)
        ],
        "annotations": annotations,
        "categories": [{"id": i + 1, "name": name} for i, name in enumerate(data.labels)],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
    return truth


def score_detections(found: Sequence[PictureDetections], data: DetectionSet) -> Report:
    """COCO's AP over ``found`` (one entry per picture of ``data``); ignored regions count neither way.

    Means are over the classes with at least one box that counts. Where the labels are COCO's, ``core_*`` and
    ``voc_*`` are the means over the eleven core classes and VOC's twenty.
    """
    from pycocotools.cocoeval import COCOeval

    truth = _ground_truth(data)
    results: list[dict[str, Any]] = []
    for number, (image, one) in enumerate(zip(data.images, found, strict=True), start=1):
        scale = np.array([*image.wh, *image.wh], np.float32)
        for box, score, class_id in zip(
            np.clip(one.xyxy, 0, 1) * scale, one.score, one.class_id, strict=True
        ):
            x1, y1, x2, y2 = (float(v) for v in box)
            results.append(
                {"image_id": number, "category_id": int(class_id) + 1, "bbox": [x1, y1, x2 - x1, y2 - y1],
                 "score": float(score)}
            )  # fmt: skip
    counts = np.zeros(len(data.labels), np.int64)
    for image in data.images:
        np.add.at(counts, image.class_id[~image.ignore], 1)
    if not results or not counts.any():
        return Report(dict.fromkeys(_SUMMARY, 0.0))
    with contextlib.redirect_stdout(io.StringIO()):
        run = COCOeval(truth, truth.loadRes(results), "bbox")
        run.evaluate()
        run.accumulate()
        run.summarize()
    figures = {name: float(value) for name, value in zip(_SUMMARY, run.stats, strict=False)}
    precision = run.eval["precision"]  # (thresholds, recalls, classes, areas, limits)
    per_class: dict[str, tuple[float, float, int]] = {}
    for i, name in enumerate(data.labels):
        if counts[i]:
            p = precision[:, :, i, 0, 2]
            per_class[name] = (float(p[0].mean()), float(p.mean()), int(counts[i]))
    report = Report(figures, per_class)
    for key, group in (("core", CORE11), ("voc", VOC20), ("person", ("person",))):
        if any(name in per_class for name in group):
            figures[f"{key}_AP50"], figures[f"{key}_AP"] = report.mean(group)
    return report
