"""Which cells learn which box: task-aligned, with a number of cells per box that depends on overlaps.

A cell's claim on a box is its score for the class times a power of the overlap of its own predicted box (Feng
et al. 2021, "TOOD"). The number of cells that a box gets is the sum of its ten best overlaps (Ge et al. 2021,
"OTA"). Both change as the network learns.
"""

from __future__ import annotations

import torch
from torch import Tensor

from edgecam.nn.networks.anchors import pairwise_iou

#: Power of the overlap in a cell's claim (TOOD's beta), and of the score (its alpha).
_OVERLAP_POWER, _SCORE_POWER = 6.0, 1.0
#: How many of a box's best overlaps are summed, and the most cells a box gets.
_CANDIDATES, _MOST = 10, 13


@torch.no_grad()
def assign(
    points: Tensor, strides: Tensor, scores: Tensor, found: Tensor, boxes: Tensor, class_id: Tensor
) -> tuple[Tensor, Tensor]:
    """For each cell the index (A,) of the box that it learns, -1 for none; and their overlap (A,).

    points (A, 2), strides (A,), found (A, 4) and boxes (n, 4) are in input pixels; scores (A, C) are those of
    the classes; class_id is (n,). Cells inside a box may claim it. A box that holds no cell's point gets the
    nearest cell of the finest level. A cell that two boxes claim goes to the one that it fits better.
    """
    count = len(points)
    nobody = torch.full((count,), -1, dtype=torch.long, device=points.device)
    if not len(boxes):
        return nobody, points.new_zeros(count)
    sides = torch.cat([points[:, None] - boxes[None, :, :2], boxes[None, :, 2:] - points[:, None]], dim=2)
    inside = sides.amin(dim=2) > 0
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    far = (points[:, None] - centre[None]).abs().amax(dim=2) + strides[:, None]
    nearest = far == far.amin(dim=0, keepdim=True)
    inside |= nearest & ~inside.any(dim=0, keepdim=True)
    overlap = pairwise_iou(found, boxes) * inside
    claim = (
        scores[:, class_id].clamp(min=1e-4).pow(_SCORE_POWER) * overlap.pow(_OVERLAP_POWER) + 1e-9 * inside
    )
    enough = overlap.topk(min(_CANDIDATES, count), dim=0).values.sum(dim=0).round().long().clamp(1, _MOST)
    best, order = claim.topk(min(_MOST, count), dim=0)
    rank = torch.arange(len(best), device=points.device)[:, None]
    chosen = torch.zeros_like(inside).scatter_(0, order, (rank < enough[None]) & (best > 0))
    fit = torch.where(chosen, overlap + 1e-6, overlap.new_zeros(()))
    value, winner = fit.max(dim=1)
    return torch.where(value > 0, winner, nobody), torch.where(
        value > 0, overlap.gather(1, winner[:, None])[:, 0], 0.0
    )
