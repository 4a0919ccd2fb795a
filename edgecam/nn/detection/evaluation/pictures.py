"""Pictures of a detector's evaluation: contact sheet and confusion matrix."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecam.nn.detection.data import DetectionSet
from edgecam.nn.detection.evaluation.evaluate import PictureDetections
from edgecam.nn.training import charts as evaluation_charts

#: Width and height of one picture on a sheet, pixels.
TILE = (320, 240)


def _colour(class_id: int) -> tuple[int, int, int]:
    """A colour per class, by steps of the golden angle around the hue circle (BGR)."""
    hsv = np.array([[[int(class_id * 137.5) % 180, 190, 255]]], np.uint8)
    b, g, r = (int(v) for v in cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)[0, 0])
    return b, g, r


def fit(
    picture: NDArray[np.uint8], size_wh: tuple[int, int]
) -> tuple[NDArray[np.uint8], Callable[[NDArray[np.float32]], tuple[int, int, int, int]]]:
    """Fit a picture into the middle of a black tile; returns the tile and a function that turns a relative
    xyxy box into the tile's pixels."""
    scale = min(size_wh[0] / picture.shape[1], size_wh[1] / picture.shape[0])
    w, h = max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))
    tile = np.zeros((size_wh[1], size_wh[0], 3), np.uint8)
    x0, y0 = (size_wh[0] - w) // 2, (size_wh[1] - h) // 2
    tile[y0 : y0 + h, x0 : x0 + w] = cv2.resize(picture, (w, h), interpolation=cv2.INTER_AREA)

    def place(box: NDArray[np.float32]) -> tuple[int, int, int, int]:
        x1, y1, x2, y2 = (np.clip(box, 0, 1) * [w, h, w, h] + [x0, y0, x0, y0]).astype(int).tolist()
        return x1, y1, x2, y2

    return tile, place


def draw(
    picture: NDArray[np.uint8],
    one: PictureDetections,
    labels: Sequence[str],
    thresholds: NDArray[np.float32],
    size_wh: tuple[int, int] = TILE,
) -> NDArray[np.uint8]:
    """The picture fitted into ``size_wh``, with every detection at or above its class's threshold drawn."""
    tile, place = fit(picture, size_wh)
    for box, score, class_id in zip(one.xyxy, one.score, one.class_id, strict=True):
        if score < thresholds[class_id]:
            continue
        x1, y1, x2, y2 = place(box)
        colour = _colour(int(class_id))
        cv2.rectangle(tile, (x1, y1), (x2, y2), colour, 1, cv2.LINE_AA)
        text = f"{labels[class_id]} {score:.2f}"
        (tw, th), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.35, 1)
        tx, ty = min(max(0, x1), size_wh[0] - tw - 2), max(th + 3, y1)
        cv2.rectangle(tile, (tx, ty - th - 3), (tx + tw + 2, ty), colour, -1)
        cv2.putText(tile, text, (tx + 1, ty - 2), cv2.FONT_HERSHEY_SIMPLEX, 0.35, (0, 0, 0), 1, cv2.LINE_AA)
    return tile


def contact_sheet(
    path: Path,
    data: DetectionSet,
    found: Sequence[PictureDetections],
    pictures: Callable[[int], NDArray[np.uint8]],
    thresholds: NDArray[np.float32],
    *,
    count: int = 40,
    columns: int = 8,
) -> None:
    """Write ``count`` pictures with their detections, evenly spread over the set, as one JPEG or PNG."""
    chosen = np.unique(np.linspace(0, len(found) - 1, min(count, len(found))).round().astype(int))
    tiles = [draw(pictures(i), found[i], data.labels, thresholds) for i in chosen.tolist()]
    blank = np.zeros((TILE[1], TILE[0], 3), np.uint8)
    while len(tiles) % columns:
        tiles.append(blank)
    rows = [np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)]
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.vstack(rows))


def plot_confusion(path: Path, table: NDArray[np.int64], labels: Sequence[str], title: str) -> None:
    """Plot the confusion matrix of the classes that occur (at most forty) and of "nothing"."""
    nothing = len(labels)
    order = np.argsort(-table[:nothing].sum(axis=1), kind="stable")
    keep = [int(i) for i in order if table[i].sum()][: evaluation_charts.MOST_CLASSES]
    names = [*(labels[i] for i in keep), "(nothing)"]
    keep.append(nothing)
    evaluation_charts.plot_confusion(path, table[np.ix_(keep, keep)], names, title)
