"""Augmentation for detectors: each picture is cropped and resized only once, which takes one or two
milliseconds at most.

Zoom-out and random crops are from SSD (Liu et al. 2016, section 2.2, and the "expansion" trick of section
3.6); mosaic is from YOLOv4 (Bochkovskiy et al. 2020). All randomness comes from the generator that is passed
in. So a sample is a function of (seed, epoch, position), and a resumed training gets the same samples as an
uninterrupted one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

#: A box is dropped if less than the first share of it is left in the crop. If less than the second share is
#: left, it is neither object nor background: a person labelling that crop might or might not have boxed it.
_GONE, _DOUBTFUL = 0.1, 0.35
#: Boxes with a shorter side than this, in pixels of the finished sample, are not learnt from: the finest
#: anchors are 30 px.
_SMALLEST_PX = 5.0

Rect = tuple[float, float, float, float]


@dataclass(frozen=True)
class Boxes:
    """Boxes of a sample: relative xyxy (n, 4) and, in parallel, class, weight, ignore and people (see
    LabelledImage). ``soft`` marks fused soft labels of several teachers; they move with the other boxes and
    are also ``ignore``. By default no box is soft."""

    xyxy: NDArray[np.float32]
    class_id: NDArray[np.int64]
    score: NDArray[np.float32]
    ignore: NDArray[np.bool_]
    people: NDArray[np.bool_]
    soft: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        if self.soft is None:
            object.__setattr__(self, "soft", np.zeros(len(self.xyxy), bool))

    def where(self, keep: NDArray[np.bool_]) -> Boxes:
        """The boxes where ``keep`` (n,) is True."""
        assert self.soft is not None
        return Boxes(
            self.xyxy[keep], self.class_id[keep], self.score[keep], self.ignore[keep], self.people[keep],
            self.soft[keep],
        )  # fmt: skip

    @staticmethod
    def join(parts: list[Boxes]) -> Boxes:
        """All boxes of several pictures."""
        return Boxes(
            np.concatenate([p.xyxy for p in parts]),
            np.concatenate([p.class_id for p in parts]),
            np.concatenate([p.score for p in parts]),
            np.concatenate([p.ignore for p in parts]),
            np.concatenate([p.people for p in parts]),
            np.concatenate([p.soft for p in parts if p.soft is not None]),
        )


@dataclass(frozen=True)
class AugmentConfig:
    """Probabilities and ranges. A sample without mosaic, crop or zoom-out is only stretched, flipped and
    recoloured."""

    mosaic: float = 0.2
    crop: float = 0.4
    zoom_out: float = 0.2
    min_crop: float = 0.35
    max_zoom: float = 2.0
    flip: float = 0.5
    photometric: float = 0.7


#: From a picture's index to the picture and its boxes.
Fetch = Callable[[int], tuple[NDArray[np.uint8], Boxes]]


def sample(
    rng: np.random.Generator,
    fetch: Fetch,
    index: int,
    others: NDArray[np.int64],
    size: int,
    how: AugmentConfig,
    seen: int = 0,
) -> tuple[NDArray[np.uint8], Boxes, list[int]]:
    """One augmented sample: (picture (size, size, 3), boxes, indices of the pictures in it).

    It is made of picture ``index``; a mosaic takes three of ``others`` as well. seen: the side at which the
    network sees it, pixels (0: size).
    """
    used = [index]
    if rng.random() < how.mosaic:
        used += rng.choice(others, 3).tolist()
        picture, boxes = _mosaic(rng, fetch, used, size)
    else:
        source, boxes = fetch(index)
        draw = rng.random()
        if draw < how.crop:
            view = _random_crop(rng, boxes, how.min_crop)
            picture, boxes = _place(rng, source, boxes, view, (0, 0, size, size), size)
        elif draw < how.crop + how.zoom_out:
            picture, boxes = _zoom_out(rng, source, boxes, size, how.max_zoom)
        else:
            picture, boxes = _place(rng, source, boxes, (0.0, 0.0, 1.0, 1.0), (0, 0, size, size), size)
    boxes = _settle(boxes, seen or size)
    if rng.random() < how.flip:
        picture = np.ascontiguousarray(picture[:, ::-1])
        xyxy = boxes.xyxy.copy()
        xyxy[:, 0], xyxy[:, 2] = 1.0 - boxes.xyxy[:, 2], 1.0 - boxes.xyxy[:, 0]
        boxes = replace(boxes, xyxy=xyxy)
    if rng.random() < how.photometric:
        picture = recolour(rng, picture)
    return picture, boxes, used


def _random_crop(rng: np.random.Generator, boxes: Boxes, min_area: float) -> Rect:
    """A view that holds the middle of at least one object, if the picture has objects; relative xyxy."""
    wanted = boxes.xyxy[~boxes.ignore]
    for _ in range(10):
        area = rng.uniform(min_area, 1.0)
        aspect = np.exp(rng.uniform(np.log(0.6), np.log(1.0 / 0.6)))
        w, h = min(1.0, float(np.sqrt(area * aspect))), min(1.0, float(np.sqrt(area / aspect)))
        x, y = float(rng.uniform(0, 1 - w)), float(rng.uniform(0, 1 - h))
        if not len(wanted):
            return x, y, x + w, y + h
        cx, cy = (wanted[:, 0] + wanted[:, 2]) / 2, (wanted[:, 1] + wanted[:, 3]) / 2
        if ((cx > x) & (cx < x + w) & (cy > y) & (cy < y + h)).any():
            return x, y, x + w, y + h
    return 0.0, 0.0, 1.0, 1.0


def _zoom_out(
    rng: np.random.Generator, source: NDArray[np.uint8], boxes: Boxes, size: int, max_zoom: float
) -> tuple[NDArray[np.uint8], Boxes]:
    scale = rng.uniform(1.0, max_zoom)
    stretch = np.exp(rng.uniform(-0.2, 0.2))
    w = max(8, min(size, round(size / scale * stretch)))
    h = max(8, min(size, round(size / scale / stretch)))
    x, y = int(rng.integers(0, size - w + 1)), int(rng.integers(0, size - h + 1))
    return _place(rng, source, boxes, (0.0, 0.0, 1.0, 1.0), (x, y, x + w, y + h), size)


def _mosaic(
    rng: np.random.Generator, fetch: Fetch, indices: list[int], size: int
) -> tuple[NDArray[np.uint8], Boxes]:
    cx, cy = int(size * rng.uniform(0.35, 0.65)), int(size * rng.uniform(0.35, 0.65))
    cells = [(0, 0, cx, cy), (cx, 0, size, cy), (0, cy, cx, size), (cx, cy, size, size)]
    canvas = np.empty((size, size, 3), np.uint8)
    parts = []
    for index, cell in zip(indices, cells, strict=True):
        source, boxes = fetch(index)
        view = _random_crop(rng, boxes, 0.5) if rng.random() < 0.5 else (0.0, 0.0, 1.0, 1.0)
        _, placed = _place(rng, source, boxes, view, cell, size, canvas)
        parts.append(placed)
    return canvas, Boxes.join(parts)


def _place(
    rng: np.random.Generator,
    source: NDArray[np.uint8],
    boxes: Boxes,
    view: Rect,
    cell: tuple[int, int, int, int],
    size: int,
    canvas: NDArray[np.uint8] | None = None,
) -> tuple[NDArray[np.uint8], Boxes]:
    """Resize the ``view`` (relative) of ``source`` into a canvas's ``cell`` (pixels); clip boxes to it."""
    height, width = source.shape[:2]
    x1, y1 = int(view[0] * width), int(view[1] * height)
    x2, y2 = max(x1 + 2, round(view[2] * width)), max(y1 + 2, round(view[3] * height))
    cut = source[y1:y2, x1:x2]
    wh = (cell[2] - cell[0], cell[3] - cell[1])
    shrinking = wh[0] < 0.7 * cut.shape[1]
    piece = cv2.resize(cut, wh, interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR)
    if canvas is None:
        if wh == (size, size):
            canvas = piece.astype(np.uint8, copy=False)
        else:
            canvas = np.full((size, size, 3), rng.integers(0, 256, 3), np.uint8)
    if canvas is not piece:
        canvas[cell[1] : cell[3], cell[0] : cell[2]] = piece
    # relative to the source, then to the cut, then to the canvas
    x1r, y1r, x2r, y2r = x1 / width, y1 / height, min(1.0, x2 / width), min(1.0, y2 / height)
    scale = np.array([(cell[2] - cell[0]) / size / (x2r - x1r), (cell[3] - cell[1]) / size / (y2r - y1r)])
    shift = np.array([cell[0] / size, cell[1] / size]) - np.array([x1r, y1r]) * scale
    moved = (boxes.xyxy.reshape(-1, 2, 2) * scale + shift).reshape(-1, 4)
    low, high = np.array(cell[:2]) / size, np.array(cell[2:]) / size
    inside = np.clip(moved.reshape(-1, 2, 2), low, high).reshape(-1, 4).astype(np.float32)
    whole = np.prod(moved[:, 2:] - moved[:, :2], axis=1)
    left = np.prod(inside[:, 2:] - inside[:, :2], axis=1) / np.maximum(whole, 1e-9)
    cut_boxes = replace(boxes, xyxy=inside, ignore=boxes.ignore | (left < _DOUBTFUL))
    return canvas, cut_boxes.where(left > _GONE)


def _settle(boxes: Boxes, size: int) -> Boxes:
    """Ignore boxes that are too small to learn from."""
    side = np.minimum(boxes.xyxy[:, 2] - boxes.xyxy[:, 0], boxes.xyxy[:, 3] - boxes.xyxy[:, 1]) * size
    ignore = boxes.ignore | (side < _SMALLEST_PX)
    return replace(boxes, ignore=ignore)


def recolour(rng: np.random.Generator, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Change brightness, contrast, gamma and white balance by one table; sometimes also saturation, grey,
    blur or noise."""
    ramp = np.arange(256, dtype=np.float32) / 255.0
    gain = rng.uniform(0.65, 1.4) * rng.uniform(0.92, 1.08, 3)
    gamma, offset = np.exp(rng.uniform(-0.35, 0.35)), rng.uniform(-0.1, 0.1)
    table = np.clip((ramp**gamma)[:, None] * gain[None, :] + offset, 0, 1) * 255
    out = cv2.LUT(picture, table.astype(np.uint8).reshape(1, 256, 3))
    if rng.random() < 0.3:
        hsv = cv2.cvtColor(out, cv2.COLOR_BGR2HSV)
        hue = (np.arange(256) + int(rng.integers(-8, 9))) % 180
        saturation = np.clip(np.arange(256) * rng.uniform(0.5, 1.5), 0, 255)
        lut = np.stack([hue, saturation, np.arange(256)], axis=-1).astype(np.uint8).reshape(1, 256, 3)
        out = cv2.cvtColor(cv2.LUT(hsv, lut), cv2.COLOR_HSV2BGR)
    if rng.random() < 0.04:
        out = cv2.cvtColor(cv2.cvtColor(out, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    if rng.random() < 0.1:
        out = cv2.blur(out, (3, 3))
    if rng.random() < 0.05:
        noise = rng.normal(0, 8, (*out.shape[:2], 1)).astype(np.float32)
        out = np.clip(out + noise, 0, 255).astype(np.uint8)
    return out.astype(np.uint8, copy=False)
