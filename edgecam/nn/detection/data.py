"""Labelled photographs for detection: COCO JSON or PASCAL VOC XML, with the decoded pictures in one file.

On a small machine, decoding a picture costs as much as a training step. So each picture is decoded only once
(longest side at most ``max_side``) and appended to one flat uint8 file, which is memory-mapped from then on.
The operating system's page cache keeps it in memory, shared by every process that trains.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecam.core.errors import ConfigError
from edgecam.nn.labels.coco import VOC_TO_COCO

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LabelledImage:
    """One picture and its boxes.

    boxes: (n, 4) float32 xyxy, relative (0 to 1). class_id: (n,) int64. score: (n,) float32, 1 for people's.
    ignore: (n,) bool, learn nothing from this region. people: (n,) bool, drawn by a person. exhaustive: the
    labels of which people boxed every object in this picture; None if the file does not say. soft: fused soft
    labels of several teachers; None if there are none.
    """

    path: Path
    image_id: int
    wh: tuple[int, int]
    boxes: NDArray[np.float32]
    class_id: NDArray[np.int64]
    score: NDArray[np.float32]
    ignore: NDArray[np.bool_]
    people: NDArray[np.bool_]
    source: str = ""
    exhaustive: frozenset[str] | None = None
    soft: SoftLabels | None = None


@dataclass(frozen=True)
class SoftLabels:
    """The fused detections of several teachers in a picture, with their scores and not yet thresholded: boxes
    (n, 4) float32 xyxy, relative; class_id (n,) int64; score (n,) float32."""

    boxes: NDArray[np.float32]
    class_id: NDArray[np.int64]
    score: NDArray[np.float32]


@dataclass(frozen=True)
class DetectionSet:
    """Pictures, and the label names that their class ids refer to."""

    images: tuple[LabelledImage, ...]
    labels: tuple[str, ...]

    def subset(self, indices: Sequence[int]) -> DetectionSet:
        """The pictures at ``indices``."""
        return DetectionSet(tuple(self.images[i] for i in indices), self.labels)

    def __add__(self, other: DetectionSet) -> DetectionSet:
        """The pictures of both; their labels must be the same."""
        if other.labels != self.labels:
            raise ConfigError("two sets of pictures with different labels cannot be joined")
        return DetectionSet((*self.images, *other.images), self.labels)


@dataclass
class _Boxes:
    """Boxes of one picture while they are being read."""

    xyxy: list[list[float]] = field(default_factory=list)
    class_id: list[int] = field(default_factory=list)
    score: list[float] = field(default_factory=list)
    ignore: list[bool] = field(default_factory=list)
    people: list[bool] = field(default_factory=list)

    def add(self, xyxy: list[float], class_id: int, score: float, ignore: bool, people: bool) -> None:
        if xyxy[2] - xyxy[0] > 1e-4 and xyxy[3] - xyxy[1] > 1e-4:
            self.xyxy.append(xyxy)
            self.class_id.append(class_id)
            self.score.append(score)
            self.ignore.append(ignore)
            self.people.append(people)

    def image(
        self, path: Path, image_id: int, wh: tuple[int, int], source: str,
        exhaustive: Sequence[str] | None = None,
    ) -> LabelledImage:  # fmt: skip
        return LabelledImage(
            exhaustive=None if exhaustive is None else frozenset(exhaustive),
            path=path,
            image_id=image_id,
            wh=wh,
            boxes=np.clip(np.array(self.xyxy, np.float32).reshape(-1, 4), 0.0, 1.0),
            class_id=np.array(self.class_id, np.int64),
            score=np.array(self.score, np.float32),
            ignore=np.array(self.ignore, bool),
            people=np.array(self.people, bool),
            source=source,
        )


def load_set(
    annotations: Path, images: Path | None = None, labels: Sequence[str] | None = None
) -> DetectionSet:
    """Read a COCO JSON file or a VOC folder.

    annotations: a ``.json`` file, or a folder with ``Annotations/*.xml`` (and ``JPEGImages``). images: the
    folder of the pictures; by default ``images`` beside the file, or the file's own folder. labels: fixes the
    names and their order (boxes of other classes are left out); by default the data's own.
    """
    if not annotations.exists():
        raise ConfigError(f"no labelled data at '{annotations}': give a COCO .json file or a VOC folder")
    if annotations.is_dir():
        return _load_voc(annotations, images, labels)
    if images is None:
        beside = annotations.parent / "images"
        images = beside if beside.is_dir() else annotations.parent
    return _load_coco(annotations, images, labels)


def _load_coco(path: Path, folder: Path, labels: Sequence[str] | None) -> DetectionSet:
    try:
        data = json.loads(path.read_text())
        categories = {c["id"]: str(c["name"]) for c in sorted(data["categories"], key=lambda c: int(c["id"]))}
        records = {i["id"]: (i, _Boxes()) for i in data["images"]}
        names = tuple(labels) if labels is not None else tuple(categories.values())
        index = {name: i for i, name in enumerate(names)}
        for a in data["annotations"]:
            name = categories[a["category_id"]]
            if name not in index:
                continue
            info, boxes = records[a["image_id"]]
            x, y, w, h = a["bbox"]
            width, height = info["width"], info["height"]
            boxes.add(
                [x / width, y / height, (x + w) / width, (y + h) / height],
                index[name],
                float(a.get("score", 1.0)),
                bool(a.get("iscrowd", 0)),
                a.get("origin", "people") == "people",
            )
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"'{path}' is not a COCO annotation file ({error!r}): it needs images, annotations and categories"
        ) from error
    made = tuple(
        boxes.image(folder / info["file_name"], info["id"], (info["width"], info["height"]),
                    str(info.get("source", "")), info.get("exhaustive"))
        for info, boxes in records.values()
    )  # fmt: skip
    return DetectionSet(made, names)


def _load_voc(root: Path, folder: Path | None, labels: Sequence[str] | None) -> DetectionSet:
    marks = root / "Annotations" if (root / "Annotations").is_dir() else root
    files = sorted(marks.glob("*.xml"))
    if not files:
        raise ConfigError(f"no VOC annotations in '{marks}': expected Annotations/*.xml")
    if folder is None:
        folder = root / "JPEGImages" if (root / "JPEGImages").is_dir() else root
    trees = []
    for file in files:
        try:
            trees.append((file, ElementTree.parse(file).getroot()))
        except ElementTree.ParseError as error:
            raise ConfigError(f"'{file}' is not a VOC annotation ({error}): mend or remove it") from error
    found = sorted({_voc_name(o) for _, tree in trees for o in tree.iter("object")})
    names = tuple(labels) if labels is not None else tuple(found)
    index = {name: i for i, name in enumerate(names)}
    made = []
    for number, (file, tree) in enumerate(trees, start=1):
        width, height = (int(float(tree.findtext(f"size/{k}") or 0)) for k in ("width", "height"))
        if width <= 0 or height <= 0:
            raise ConfigError(f"'{file}' has no picture size: add <size><width/><height/></size>")
        boxes = _Boxes()
        for obj in tree.iter("object"):
            name = _voc_name(obj)
            if name in index:
                # VOC counts pixels from 1 and includes the last one
                x1, y1, x2, y2 = (
                    float(obj.findtext(f"bndbox/{k}") or 0) for k in ("xmin", "ymin", "xmax", "ymax")
                )
                xyxy = [(x1 - 1) / width, (y1 - 1) / height, x2 / width, y2 / height]
                boxes.add(xyxy, index[name], 1.0, (obj.findtext("difficult") or "0").strip() == "1", True)
        picture = folder / (tree.findtext("filename") or f"{file.stem}.jpg")
        made.append(boxes.image(picture, number, (width, height), ""))
    return DetectionSet(tuple(made), names)


def _voc_name(obj: ElementTree.Element) -> str:
    name = (obj.findtext("name") or "").strip()
    return VOC_TO_COCO.get(name, name)


class PixelCache:
    """Every picture of a set, decoded once, as uint8 BGR views into one mapped file.

    ``cache[i]`` is read-only ``(H, W, 3)``. The file's name is a digest of the paths and the size, so another
    set gets another file. A half-written file is never used. Not thread-bound.
    """

    def __init__(self, data: DetectionSet, folder: Path, max_side: int = 320) -> None:
        digest = hashlib.sha256(f"{max_side}".encode())
        for image in data.images:
            digest.update(f"|{image.path.resolve()}".encode())
        stem = folder / f"pixels-{digest.hexdigest()[:16]}"
        index_path, pixel_path = stem.with_suffix(".npy"), stem.with_suffix(".u8")
        if not index_path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            self._write(data, pixel_path, index_path, max_side)
        self._index: NDArray[np.int64] = np.load(index_path)
        self._pixels = np.memmap(pixel_path, dtype=np.uint8, mode="r")

    @staticmethod
    def _write(data: DetectionSet, pixel_path: Path, index_path: Path, max_side: int) -> None:
        rows, offset = [], 0
        part = pixel_path.with_suffix(f".{os.getpid()}.part")
        with part.open("wb") as file:
            for image in data.images:
                picture = cv2.imread(str(image.path), cv2.IMREAD_COLOR)
                if picture is None:
                    raise ConfigError(
                        f"cannot read the picture '{image.path}': remove it from the annotations"
                    )
                height, width = picture.shape[:2]
                if max(height, width) > max_side:
                    scale = max_side / max(height, width)
                    size = (max(1, round(width * scale)), max(1, round(height * scale)))
                    picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
                file.write(picture.tobytes())
                rows.append((offset, picture.shape[0], picture.shape[1]))
                offset += picture.size
        part.replace(pixel_path)
        temporary = index_path.with_suffix(f".{os.getpid()}.part.npy")
        np.save(temporary, np.array(rows, np.int64).reshape(-1, 3))
        temporary.replace(index_path)
        log.info("decoded %d pictures into '%s' (%.1f GB)", len(rows), pixel_path, offset / 1e9)

    def __len__(self) -> int:
        return len(self._index)

    def __getitem__(self, i: int) -> NDArray[np.uint8]:
        offset, height, width = (int(v) for v in self._index[i])
        view: NDArray[np.uint8] = self._pixels[offset : offset + height * width * 3].reshape(height, width, 3)
        return view


def find_annotations(path: Path, split: str) -> Path:
    """Find the labelled data that ``path`` means: ``path`` itself, or ``val.json`` and the like in a folder.

    split: ``train`` or ``val``. Raises :class:`ConfigError` if the folder holds no such data.
    """
    if path.is_file():
        return path
    known = (f"{split}.json", f"annotations/instances_{split}2017.json", f"{split}/_annotations.coco.json")
    for name in known:
        if (path / name).is_file():
            return path / name
    if (path / split / "Annotations").is_dir():
        return path / split
    if (path / "Annotations").is_dir() or (path.is_dir() and next(path.glob("*.xml"), None)):
        return path
    raise ConfigError(
        f"no labelled pictures in '{path}': expected {split}.json (COCO), "
        "or a folder Annotations with .xml files (VOC)"
    )
