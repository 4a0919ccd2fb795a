"""Soft labels: the fused detections of several teachers, read from an ``.npz``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from edgecam.core.errors import ConfigError
from edgecam.nn.detection.data import DetectionSet, SoftLabels
from edgecam.nn.hub.npz_weights import read_npz
from edgecam.nn.labels.coco import COCO80


def add_soft_labels(data: DetectionSet, path: Path) -> DetectionSet:
    """``data`` with the fused soft labels of the ``.npz`` at ``path``, matched by the pictures' ids.

    The file's arrays: ``image_id`` (m,); ``start`` (m + 1,); ``box`` (n, 4), xyxy in pixels of the stored
    picture; ``category_id`` (n,), 1 for the first of COCO's 80 names; ``score`` (n,). Boxes of classes that
    ``data`` does not have are left out. Raises :class:`ConfigError` if an array is missing.
    """
    arrays = read_npz(path)
    try:
        start, score = arrays["start"].astype(np.int64), arrays["score"].astype(np.float32)
        box, category = arrays["box"].astype(np.float32), arrays["category_id"].astype(np.int64)
        row = {int(i): k for k, i in enumerate(arrays["image_id"].tolist())}
    except KeyError as error:
        raise ConfigError(f"'{path}' holds no soft labels: it has no {error}") from None
    index = {name: i for i, name in enumerate(data.labels)}
    ours = np.array([index.get(name, -1) for name in COCO80], np.int64)
    images = []
    for image in data.images:
        at = row.get(image.image_id)
        if at is not None:
            part = slice(start[at], start[at + 1])
            kind = ours[category[part] - 1]
            scale = np.array([*image.wh, *image.wh], np.float32)
            boxes = np.clip(box[part] / scale, 0.0, 1.0)
            image = replace(image, soft=SoftLabels(boxes[kind >= 0], kind[kind >= 0], score[part][kind >= 0]))
        images.append(image)
    return DetectionSet(tuple(images), data.labels)
