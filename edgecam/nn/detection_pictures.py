"""Pictures of an evaluation: contact sheet, precision-recall curves, confusion matrix."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecam.nn.detection_data import DetectionSet
from edgecam.nn.detection_matching import ClassMatches
from edgecam.nn.evaluate_detection import PictureDetections

_TILE = (320, 240)


def _colour(class_id: int) -> tuple[int, int, int]:
    """A colour per class, by steps of the golden angle around the hue circle (BGR)."""
    hsv = np.array([[[int(class_id * 137.5) % 180, 190, 255]]], np.uint8)
    b, g, r = (int(v) for v in cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)[0, 0])
    return b, g, r


def draw(
    picture: NDArray[np.uint8],
    one: PictureDetections,
    labels: Sequence[str],
    thresholds: NDArray[np.float32],
    size_wh: tuple[int, int] = _TILE,
) -> NDArray[np.uint8]:
    """The picture fitted into ``size_wh``, with what was found at or above its class's threshold."""
    scale = min(size_wh[0] / picture.shape[1], size_wh[1] / picture.shape[0])
    w, h = max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))
    tile = np.zeros((size_wh[1], size_wh[0], 3), np.uint8)
    x0, y0 = (size_wh[0] - w) // 2, (size_wh[1] - h) // 2
    tile[y0 : y0 + h, x0 : x0 + w] = cv2.resize(picture, (w, h), interpolation=cv2.INTER_AREA)
    for box, score, class_id in zip(one.xyxy, one.score, one.class_id, strict=True):
        if score < thresholds[class_id]:
            continue
        x1, y1, x2, y2 = (np.clip(box, 0, 1) * [w, h, w, h] + [x0, y0, x0, y0]).astype(int).tolist()
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
    """``count`` pictures, evenly spread over the set, as one JPEG or PNG."""
    chosen = np.unique(np.linspace(0, len(found) - 1, min(count, len(found))).round().astype(int))
    tiles = [draw(pictures(i), found[i], data.labels, thresholds) for i in chosen.tolist()]
    blank = np.zeros((_TILE[1], _TILE[0], 3), np.uint8)
    while len(tiles) % columns:
        tiles.append(blank)
    rows = [np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)]
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.vstack(rows))


def plot_curves(path: Path, matches: Sequence[ClassMatches], labels: Sequence[str], title: str) -> None:
    """Precision over recall at IoU 0.5, the twelve classes with most boxes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 6))
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    order = sorted(range(len(labels)), key=lambda i: -matches[i].count)[:12]
    for i in order:
        if matches[i].count and len(matches[i].score):
            recall, precision = matches[i].curve()
            envelope = np.maximum.accumulate(precision[::-1])[::-1]
            axes.plot(recall, envelope, label=f"{labels[i]} ({matches[i].count})", linewidth=1.4)
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02), title=title)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def plot_confusion(path: Path, table: NDArray[np.int64], labels: Sequence[str], title: str) -> None:
    """Rows what was there, columns what was said; only classes that occur, at most thirty, row shares."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    nothing = len(labels)
    order = np.argsort(-table[:nothing].sum(axis=1), kind="stable")
    keep = [int(i) for i in order if table[i].sum()][:30]
    keep.append(nothing)
    part = table[np.ix_(keep, keep)]
    names = [labels[i] for i in keep[:-1]] + ["(nothing)"]
    share = part / np.maximum(part.sum(axis=1, keepdims=True), 1)
    side = max(5.0, 0.38 * len(keep) + 2)
    figure = Figure(figsize=(side, side))
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=8)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set(xlabel="said", ylabel="there", title=title)
    for row in range(len(keep)):
        for column in range(len(keep)):
            if part[row, column]:
                axes.text(
                    column, row, str(part[row, column]), ha="center", va="center", fontsize=6,
                    color="white" if share[row, column] > 0.5 else "black",
                )  # fmt: skip
    figure.tight_layout()
    figure.savefig(path, dpi=110)
