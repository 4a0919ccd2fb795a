"""Pictures with one label each: reading, splitting, loading into memory, and augmentation for training.

Two layouts are read: a folder per class (``DATA/label/*.jpg``), and a COCO-format file whose images carry a
``class`` (``DATA/train.json`` beside ``DATA/images/``).
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecam.core.errors import ConfigError
from edgecam.nn.training.pictures import SUFFIXES, plain_wh

log = logging.getLogger(__name__)

Image = NDArray[np.uint8]


#: Target of a picture that shows none of the classes: it is trained to score all classes equally.
NONE_OF_THEM = -1

#: Names that are merged or made readable; in every other name only the underscores are replaced.
#: Caltech-101's pairs differ in which part of the object is shown, not in the object.
READABLE: dict[str, str] = {
    "Faces": "face",
    "Faces_easy": "face",
    "Leopards": "leopard",
    "Motorbikes": "motorcycle",
    "car_side": "car",
    "cellphone": "cell phone",
    "cougar_body": "cougar",
    "cougar_face": "cougar",
    "crocodile_head": "crocodile",
    "flamingo_head": "flamingo",
    "garfield": "Garfield",
    "hawksbill": "hawksbill turtle",
    "joshua_tree": "Joshua tree",
    "snoopy": "Snoopy",
    "water_lilly": "water lily",
    "windsor_chair": "chair",
}

#: Folders that are not a class, as their names say.
EXCLUDED = ("BACKGROUND_Google",)

#: Detector classes whose pictures cannot be mistaken for one of our classes; used as "none of them".
OUTLIER_CLASSES = (
    "person", "cow", "sheep", "horse", "cat", "couch", "bottle", "potted plant", "bus", "train", "tv",
    "bicycle", "dining table",
)  # fmt: skip
#: Only persons at least this many times taller than wide are used: a portrait may well be a "face".
PERSON_TALLER = 1.6
#: Shortest side of a crop used as "none of them", in pixels of the stored picture.
OUTLIER_MIN_PX = 48


@dataclass(frozen=True)
class ClassificationSet:
    """Parallel arrays: box ``boxes[i]`` of ``files[i]`` shows ``labels[targets[i]]``.

    Boxes are xyxy in pixels; None stands for the whole picture.
    """

    labels: tuple[str, ...]
    files: tuple[Path, ...]
    targets: NDArray[np.int64]
    boxes: tuple[tuple[int, int, int, int] | None, ...]

    def __post_init__(self) -> None:
        if not len(self.files) == len(self.targets) == len(self.boxes):
            raise ValueError("files, targets and boxes must be equally long")

    def __len__(self) -> int:
        return len(self.files)

    def subset(self, indices: Sequence[int]) -> ClassificationSet:
        """The pictures at ``indices``, in that order."""
        return replace(
            self,
            files=tuple(self.files[i] for i in indices),
            targets=self.targets[list(indices)],
            boxes=tuple(self.boxes[i] for i in indices),
        )


def readable(name: str) -> str:
    """The readable label for a data set's own class name."""
    return READABLE.get(name, name.replace("_", " "))


def _build(pairs: Sequence[tuple[Path, str]], where: str) -> ClassificationSet:
    labels = tuple(sorted({label for _, label in pairs}, key=str.lower))
    if len(labels) < 2:
        raise ConfigError(
            f"'{where}' has {len(labels)} class(es), and a classifier needs two: give a folder with one "
            "sub-folder of pictures per class, or a train.json whose images have a 'class'."
        )
    index = {label: i for i, label in enumerate(labels)}
    return ClassificationSet(
        labels,
        tuple(path for path, _ in pairs),
        np.array([index[label] for _, label in pairs], dtype=np.int64),
        (None,) * len(pairs),
    )


def read_folders(root: Path) -> ClassificationSet:
    """Read one folder per class; raises :class:`ConfigError` if there are fewer than two."""
    pairs = [
        (path, folder.name)
        for folder in sorted(p for p in root.iterdir() if p.is_dir())
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in SUFFIXES
    ]
    return _build(pairs, str(root))


def read_coco_classes(
    annotations: Path, images: Path, outliers: int = 0, seed: int = 0
) -> tuple[ClassificationSet, ClassificationSet]:
    """(the labelled pictures, crops that show none of the classes) from a COCO-format file.

    outliers: how many boxes of :data:`OUTLIER_CLASSES` to draw, from pictures without a ``class``.
    """
    data = json.loads(annotations.read_text())
    pairs = [
        (images / image["file_name"], readable(image["class"]))
        for image in data["images"]
        if image.get("class") and image["class"] not in EXCLUDED
    ]
    labelled = _build(pairs, str(annotations))
    return labelled, replace(_outliers(data, images, outliers, seed), labels=labelled.labels)


def read_outliers(annotations: Path, images: Path, count: int, seed: int = 0) -> ClassificationSet:
    """Crops of :data:`OUTLIER_CLASSES` from a COCO-format file, all :data:`NONE_OF_THEM`, without labels."""
    return _outliers(json.loads(annotations.read_text()), images, count, seed)


def _outliers(data: Any, images: Path, count: int, seed: int) -> ClassificationSet:
    names = {c["id"]: c["name"] for c in data.get("categories", [])}
    unlabelled = {i["id"]: i for i in data["images"] if not i.get("class")}
    crops = []
    for a in data.get("annotations", []):
        x, y, w, h = a["bbox"]
        if (
            a["image_id"] in unlabelled
            and names.get(a["category_id"]) in OUTLIER_CLASSES
            and not a.get("iscrowd")
            and min(w, h) >= OUTLIER_MIN_PX
            and (names[a["category_id"]] != "person" or h >= PERSON_TALLER * w)
        ):
            box = (int(x), int(y), int(np.ceil(x + w)), int(np.ceil(y + h)))
            crops.append((images / unlabelled[a["image_id"]]["file_name"], box, a["category_id"]))
    rng = np.random.default_rng(seed)
    # Each class is drawn equally often; otherwise two thirds of the crops would be persons.
    counts = {c: sum(1 for crop in crops if crop[2] == c) for c in {crop[2] for crop in crops}}
    weights = np.array([1.0 / counts[crop[2]] for crop in crops])
    take = min(count, len(crops))
    drawn = []
    if take:
        chosen = rng.choice(len(crops), take, replace=False, p=weights / weights.sum())
        drawn = [crops[int(i)] for i in chosen]
    return ClassificationSet(
        (),
        tuple(path for path, _, _ in drawn),
        np.full(len(drawn), NONE_OF_THEM, dtype=np.int64),
        tuple(box for _, box, _ in drawn),
    )


def split(data: ClassificationSet, fraction: float, seed: int) -> tuple[ClassificationSet, ClassificationSet]:
    """(train, held out): ``fraction`` of every class, at least one picture, chosen by the file name's hash.

    Which side a picture is on does not depend on the other pictures, so adding data moves none.
    """
    held: list[int] = []
    for target in range(len(data.labels)):
        members = np.flatnonzero(data.targets == target)
        order = sorted(
            members, key=lambda i: hashlib.sha256(f"{seed}:{data.files[i].name}".encode()).hexdigest()
        )
        if len(order) >= 2:
            held.extend(int(i) for i in order[: max(1, round(fraction * len(order)))])
    chosen = set(held)
    return data.subset([i for i in range(len(data)) if i not in chosen]), data.subset(sorted(held))


def load_pictures(data: ClassificationSet) -> list[Image]:
    """Decode every picture (or its crop) as BGR; :class:`ConfigError` names the first unreadable one."""
    pictures = []
    for path, box in zip(data.files, data.boxes, strict=True):
        image = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if image is None:
            raise ConfigError(f"'{path}' cannot be read as a picture: remove it from the data or replace it.")
        if box is not None:
            x1, y1, x2, y2 = box
            image = np.ascontiguousarray(image[max(0, y1) : y2, max(0, x1) : x2])
        pictures.append(image.astype(np.uint8, copy=False))
    return pictures


def plain(image: Image, side_px: int) -> Image:
    """Resize to a square as :func:`plain_wh` does."""
    return plain_wh(image, (side_px, side_px))


def augment(image: Image, side_px: int, key: tuple[int, int, int]) -> Image:
    """Augment ``image`` to (side_px, side_px, 3), always alike for the same ``key`` (seed, round, index).

    It is a crop of a third to all of the picture, stretched by up to 4/3 in either direction, and mirrored at
    random. Light and colours change, and some are made as coarse as a distant object in a camera's picture.
    """
    rng = np.random.default_rng(key)
    height, width = image.shape[:2]
    area = rng.uniform(0.35, 1.1)
    ratio = np.exp(rng.uniform(-np.log(4 / 3), np.log(4 / 3)))
    w, h = width * np.sqrt(area * ratio), height * np.sqrt(area / ratio)
    x = rng.uniform(min(0.0, width - w), max(0.0, width - w))
    y = rng.uniform(min(0.0, height - h), max(0.0, height - h))
    scale_x, scale_y = side_px / w, side_px / h
    matrix = np.array([[scale_x, 0, -x * scale_x], [0, scale_y, -y * scale_y]], dtype=np.float64)
    if rng.random() < 0.5:
        matrix[0] = [-scale_x, 0, side_px + x * scale_x - 1]
    out = cv2.warpAffine(
        image, matrix, (side_px, side_px), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    if rng.random() < 0.2:
        small = int(rng.uniform(40, 110))
        out = cv2.resize(out, (small, small), interpolation=cv2.INTER_AREA)
        out = cv2.resize(out, (side_px, side_px), interpolation=cv2.INTER_LINEAR)
    gain = rng.uniform(0.65, 1.4) * rng.uniform(0.92, 1.08, 3)
    contrast, saturation = rng.uniform(0.7, 1.3), rng.uniform(0.5, 1.4)
    if rng.random() < 0.05:
        saturation = 0.0
    # One 3x4 colour matrix: saturation around luma (BT.601, BGR), then contrast around mid-grey, then gain.
    luma = np.array([0.114, 0.587, 0.299])
    colour = saturation * np.eye(3) + (1 - saturation) * np.tile(luma, (3, 1))
    colour = gain[:, None] * contrast * colour
    offset = gain * 128.0 * (1 - contrast)
    varied = cv2.transform(out, np.hstack([colour, offset[:, None]]))
    return varied.astype(np.uint8, copy=False)


def class_counts(data: ClassificationSet) -> Mapping[str, int]:
    """The number of pictures of each label."""
    counts = np.bincount(data.targets[data.targets >= 0], minlength=len(data.labels))
    return {label: int(n) for label, n in zip(data.labels, counts, strict=True)}
