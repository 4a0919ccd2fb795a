"""All pictures that a recipe trains on: the labelled set, further sets, and their soft labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgecam.nn.detection.config import Data
from edgecam.nn.detection.data import DetectionSet, load_set
from edgecam.nn.detection.soft_labels import add_soft_labels
from edgecam.nn.labels.coco import COCO80


def training_set(annotations: Path, wanted: Data, labels: Sequence[str] | None = None) -> DetectionSet:
    """The set at ``annotations``, with the recipe's soft labels (``soft``) and further sets (``more``).

    labels: fixes names and their order; by default the data's own, in COCO's order if they are COCO's.
    """
    data = load_set(annotations, labels=labels)
    if labels is None and set(data.labels) == set(COCO80):
        data = load_set(annotations, labels=COCO80)
    folder = annotations.parent if annotations.is_file() else annotations
    if wanted.soft:
        data = add_soft_labels(data, folder / wanted.soft)
    for name, soft in wanted.more.items():
        further = load_set(folder / name, labels=data.labels)
        data = data + (add_soft_labels(further, folder / soft) if soft else further)
    return data
