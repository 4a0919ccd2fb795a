"""SSD's anchors and its box coder.

Liu et al., "SSD: Single Shot MultiBox Detector" (2016), section 2.2, with the lowest tap reduced to three
anchors as in the TensorFlow object detection API (``ssd_anchor_generator``,
``reduce_boxes_in_lowest_layer``), which Google's published SSD-MobileNets were trained with.

Everything is relative to the picture (0 to 1). Anchors are ``(y, x, h, w)``, centre and size, the order of
the published weights' box outputs; boxes are ``(x1, y1, x2, y2)``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

#: Scale factors of the encoded box in the order y, x, h, w (TensorFlow's ``faster_rcnn_box_coder``).
VARIANCES: tuple[float, float, float, float] = (10.0, 10.0, 5.0, 5.0)

#: Decoding clamps the log-size here: an anchor grows at most 1000/16-fold (torchvision's BoxCoder).
_MAX_LOG = math.log(1000.0 / 16.0)


def tap_sizes(
    taps: int, min_scale: float = 0.2, max_scale: float = 0.95, reduce_lowest: bool = True
) -> list[list[tuple[float, float]]]:
    """The ``(h, w)`` of each tap's anchors: aspects 1, 2, 1/2, 3, 1/3, and a square of in-between size."""
    step = (max_scale - min_scale) / max(taps - 1, 1)
    scales = [min_scale + step * i for i in range(taps)] + [1.0]
    table: list[list[tuple[float, float]]] = []
    for tap in range(taps):
        scale = scales[tap]
        if tap == 0 and reduce_lowest:
            shapes = [(0.1, 1.0), (scale, 2.0), (scale, 0.5)]
        else:
            shapes = [(scale, aspect) for aspect in (1.0, 2.0, 0.5, 3.0, 1.0 / 3.0)]
            shapes.append((math.sqrt(scale * scales[tap + 1]), 1.0))
        table.append([(s / math.sqrt(aspect), s * math.sqrt(aspect)) for s, aspect in shapes])
    return table


def make_anchors(grids: Sequence[tuple[int, int]], sizes: Sequence[Sequence[tuple[float, float]]]) -> Tensor:
    """Anchors ``(A, 4)`` float32 as ``(y, x, h, w)``: tap by tap, row by row, cell by cell, size by size.

    grids: (rows, columns) of each tap's feature map.
    """
    parts = []
    for (rows, cols), shapes in zip(grids, sizes, strict=True):
        y = (torch.arange(rows, dtype=torch.float32) + 0.5) / rows
        x = (torch.arange(cols, dtype=torch.float32) + 0.5) / cols
        hw = torch.tensor(shapes, dtype=torch.float32)
        n = len(shapes)
        yy = y[:, None, None].expand(rows, cols, n)
        xx = x[None, :, None].expand(rows, cols, n)
        hh = hw[:, 0].expand(rows, cols, n)
        ww = hw[:, 1].expand(rows, cols, n)
        parts.append(torch.stack([yy, xx, hh, ww], dim=-1).reshape(-1, 4))
    return torch.cat(parts)


def anchors_to_xyxy(anchors: Tensor) -> Tensor:
    """Centre-size ``(..., 4)`` ``(y, x, h, w)`` to corners ``(x1, y1, x2, y2)``."""
    y, x, h, w = anchors.unbind(-1)
    return torch.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], dim=-1)


def encode(boxes_xyxy: Tensor, anchors: Tensor) -> Tensor:
    """The training targets at ``anchors (A, 4)`` for ``boxes_xyxy (A, 4)``; the inverse of
    :func:`decode`."""
    x1, y1, x2, y2 = boxes_xyxy.unbind(-1)
    ya, xa, ha, wa = anchors.unbind(-1)
    h = (y2 - y1).clamp(min=1e-6)
    w = (x2 - x1).clamp(min=1e-6)
    vy, vx, vh, vw = VARIANCES
    return torch.stack(
        [
            vy * ((y1 + y2) / 2 - ya) / ha,
            vx * ((x1 + x2) / 2 - xa) / wa,
            vh * torch.log(h / ha),
            vw * torch.log(w / wa),
        ],
        dim=-1,
    )


def decode(deltas: Tensor, anchors: Tensor) -> Tensor:
    """Network outputs ``(..., A, 4)`` in the order y, x, h, w to boxes ``(..., A, 4)``
    as relative ``xyxy``."""
    vy, vx, vh, vw = VARIANCES
    scale = torch.tensor([1 / vy, 1 / vx], dtype=deltas.dtype, device=deltas.device)
    size_scale = torch.tensor([1 / vh, 1 / vw], dtype=deltas.dtype, device=deltas.device)
    centre = deltas[..., :2] * scale * anchors[..., 2:] + anchors[..., :2]
    size = torch.exp((deltas[..., 2:] * size_scale).clamp(max=_MAX_LOG)) * anchors[..., 2:]
    low = (centre - size / 2).flip(-1)
    high = (centre + size / 2).flip(-1)
    return torch.cat([low, high], dim=-1)


def pairwise_iou(a: Tensor, b: Tensor) -> Tensor:
    """IoU of ``a (N, 4)`` with ``b (M, 4)``, both xyxy: ``(N, M)``."""
    inter = intersection(a, b)
    return inter / (_area(a)[:, None] + _area(b)[None, :] - inter).clamp(min=1e-9)


def intersection(a: Tensor, b: Tensor) -> Tensor:
    """Overlapping area of ``a (N, 4)`` with ``b (M, 4)``: ``(N, M)``."""
    low = torch.maximum(a[:, None, :2], b[None, :, :2])
    high = torch.minimum(a[:, None, 2:], b[None, :, 2:])
    side = (high - low).clamp(min=0)
    return side[..., 0] * side[..., 1]


def _area(boxes: Tensor) -> Tensor:
    return (boxes[..., 2] - boxes[..., 0]).clamp(min=0) * (boxes[..., 3] - boxes[..., 1]).clamp(min=0)


def giou(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """IoU and generalised IoU (Rezatofighi et al. 2019) of ``a (N, 4)`` with ``b (N, 4)``, pair by pair."""
    side = (torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])).clamp(min=0)
    inter = side[:, 0] * side[:, 1]
    union = (_area(a) + _area(b) - inter).clamp(min=1e-9)
    hull = torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2])
    hull_area = (hull[:, 0] * hull[:, 1]).clamp(min=1e-9)
    iou = inter / union
    return iou, iou - (hull_area - union) / hull_area
