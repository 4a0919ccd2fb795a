"""The loss of an anchor-free detector that learns from boxes and from a dense teacher at once.

Scores: quality focal loss; sides: distribution focal loss (both Li et al. 2020, "Generalized Focal Loss");
boxes: generalised IoU (Rezatofighi et al. 2019). A teacher's scores are targets like any others, and its side
distributions are copied (Zheng et al. 2022, "Localization Distillation").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from edgecam.nn.detection.assignment import assign
from edgecam.nn.detection.soft_targets import mend_scores, silence
from edgecam.nn.networks.anchors import giou
from edgecam.nn.networks.gfl_head import decode_boxes


@dataclass(frozen=True)
class Weights:
    """Weights of the loss's parts relative to the scores' (1): boxes, side distributions (as in GFL), copied
    sides, mimicked maps.

    copy_from: a teacher's box is copied if its score is at least this.
    """

    box: float = 2.0
    sides: float = 0.25
    copied: float = 0.5
    copy_from: float = 0.1
    mimic: float = 0.5


@dataclass(frozen=True)
class Labels:
    """One picture's labels as tensors, boxes in input pixels.

    boxes (n, 4), class_id (n,), score (n,): what to learn from. quiet_boxes, quiet_class: regions in which
    that class is neither object nor background. people_boxes, people_class: everything that people boxed,
    ignored or not. exhaustive (C,) bool: classes of which people boxed every object. soft: (boxes, class ids,
    scores) of fused soft labels, None if there are none.
    """

    boxes: Tensor
    class_id: Tensor
    score: Tensor
    quiet_boxes: Tensor
    quiet_class: Tensor
    people_boxes: Tensor
    people_class: Tensor
    exhaustive: Tensor
    soft: tuple[Tensor, Tensor, Tensor] | None = None


@dataclass(frozen=True)
class Answer:
    """A dense teacher's answer for a batch: scores (B, A, C), side logits (B, A, 4 * bins), boxes (B, A, 4)
    in pixels."""

    scores: Tensor
    sides: Tensor
    boxes: Tensor


def gfl_loss(
    logits: Tensor, sides: Tensor, points: Tensor, strides: Tensor, labels: Sequence[Labels],
    weights: Weights, answer: Answer | None = None,
) -> dict[str, Tensor]:  # fmt: skip
    """Loss over a batch: ``total`` and its parts, each a scalar; logits (B, A, C), sides (B, A, 4
    * bins), float32."""
    bins = sides.shape[-1] // 4
    with torch.no_grad():
        probability = torch.sigmoid(logits)
        boxes = decode_boxes(sides, points, strides, bins)
        made = [
            _targets(i, label, probability[i], boxes[i], points, strides, answer)
            for i, label in enumerate(labels)
        ]
        goal, mask = torch.stack([m.goal for m in made]), torch.stack([m.mask for m in made])
        at = torch.cat([m.cells + i * len(points) for i, m in enumerate(made)])
        wanted, weight = torch.cat([m.boxes for m in made]), torch.cat([m.weight for m in made])
        mass = goal.amax(dim=2).sum().clamp(min=1.0)
    by_class = _QualityFocal.apply(logits, probability, goal, mask) / mass  # type: ignore[no-untyped-call]
    # one look-up for the whole batch: the gradient of each look-up is as large as all cells
    chosen = sides.flatten(0, 1)[at]
    cell = at % len(points)
    found = decode_boxes(chosen, points[cell], strides[cell], bins)
    by_box = ((1.0 - giou(found, wanted)[1]) * weight).sum() / mass
    distance = _distances(wanted, points[cell], strides[cell])
    by_side = (distribution_loss(chosen, distance, bins) * weight).sum() / mass
    total = by_class + weights.box * by_box + weights.sides * by_side
    parts = {"class": by_class.detach(), "box": by_box.detach(), "sides": by_side.detach()}
    if answer is not None:
        sure = torch.stack([m.trust for m in made])
        where = sure > weights.copy_from
        copied = copy_loss(sides[where], answer.sides[where], bins)
        by_copy = (copied * sure[where]).sum() / mass
        total = total + weights.copied * by_copy
        parts["copied"] = by_copy.detach()
    return {"total": total, **parts}


@dataclass(frozen=True)
class _Targets:
    """One picture's targets: goal and mask (A, C); trust (A,) in the teacher; the cells (n,) that learn a
    box, their boxes (n, 4) and weights (n,)."""

    goal: Tensor
    mask: Tensor
    trust: Tensor
    cells: Tensor
    boxes: Tensor
    weight: Tensor


def _targets(
    number: int, label: Labels, probability: Tensor, boxes: Tensor, points: Tensor, strides: Tensor,
    answer: Answer | None,
) -> _Targets:  # fmt: skip
    if answer is None:
        goal = torch.zeros_like(probability)
    else:
        goal, theirs = answer.scores[number], answer.boxes[number]
        if label.soft is not None:
            goal = mend_scores(goal, theirs, *label.soft)
        goal = silence(goal, theirs, label.people_boxes, label.people_class, label.exhaustive)
    trust = goal.amax(dim=1)
    owner, overlap = assign(points, strides, probability, boxes, label.boxes, label.class_id)
    mask = torch.ones_like(goal)
    if len(label.quiet_boxes):
        mask -= _covered(boxes, points, label, goal.shape[1])
    cells = (owner >= 0).nonzero().flatten()
    index, fit = owner[cells], overlap[cells].clamp(0.0, 1.0)
    kind, worth = label.class_id[index], label.score[index]
    goal = goal.clone()
    goal[cells, kind] = torch.maximum(goal[cells, kind], fit)
    mask[cells, kind] = worth
    return _Targets(goal, mask, trust, cells, label.boxes[index], worth * fit.clamp(min=0.2))


class _QualityFocal(torch.autograd.Function):
    """Sum of the quality focal loss; its hand-written gradient saves six passes over all scores on a CPU.

    The focus, ``(goal - p)^2 + 0.05 goal``, counts as a constant. Its second part keeps a gradient where a
    confident goal is nearly reached.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, probability: Tensor, goal: Tensor, mask: Tensor) -> Tensor:
        off = probability - goal
        focus = (off.square() + 0.05 * goal) * mask
        ctx.save_for_backward(off.mul_(focus))
        bce = F.binary_cross_entropy_with_logits(logits, goal, reduction="none")
        return bce.mul_(focus).sum()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        (slope,) = ctx.saved_tensors
        return slope * gradients[0], None, None, None


def _covered(boxes: Tensor, points: Tensor, label: Labels, classes: int) -> Tensor:
    """(A, C) 1 where a cell's point and most of its box lie in a quiet region of that class."""
    quiet = label.quiet_boxes
    low = torch.maximum(boxes[:, None, :2], quiet[None, :, :2])
    high = torch.minimum(boxes[:, None, 2:], quiet[None, :, 2:])
    shared = (high - low).clamp(min=0).prod(dim=2)
    area = (boxes[:, 2:] - boxes[:, :2]).clamp(min=0).prod(dim=1).clamp(min=1e-6)
    sides = torch.cat([points[:, None] - quiet[None, :, :2], quiet[None, :, 2:] - points[:, None]], dim=2)
    hit = (shared / area[:, None] > 0.5) | (sides.amin(dim=2) > 0)
    out = torch.zeros(len(boxes), classes, dtype=boxes.dtype, device=boxes.device)
    return out.index_add_(1, label.quiet_class, hit.to(boxes.dtype)).clamp(max=1.0)


def _distances(boxes: Tensor, points: Tensor, strides: Tensor) -> Tensor:
    """Left, top, right, bottom (n, 4) from each point to its box, in strides."""
    return torch.cat([points - boxes[:, :2], boxes[:, 2:] - points], dim=1) / strides[:, None]


def distribution_loss(sides: Tensor, distance: Tensor, bins: int) -> Tensor:
    """Distribution focal loss (n,), the mean over the sides: side logits (n, 4 * bins) against distances (n,
    4) in strides."""
    goal = distance.clamp(0.0, bins - 1 - 0.01)
    low = goal.floor().long()
    share = torch.log_softmax(sides.reshape(-1, 4, bins), dim=-1)
    up = goal - low
    left = share.gather(2, low[..., None])[..., 0]
    right = share.gather(2, low[..., None] + 1)[..., 0]
    return -(left * (1 - up) + right * up).mean(dim=1)


def copy_loss(sides: Tensor, teacher: Tensor, bins: int) -> Tensor:
    """Divergence (n,) of side distributions (n, 4 * bins) from the teacher's, mean over the four sides."""
    ours = torch.log_softmax(sides.reshape(-1, 4, bins), dim=-1)
    theirs = torch.log_softmax(teacher.reshape(-1, 4, bins), dim=-1)
    return (theirs.exp() * (theirs - ours)).sum(dim=2).mean(dim=1)


def mimic_loss(maps: Sequence[Tensor], teacher: Sequence[Tensor], sure: Tensor) -> Tensor:
    """Squared distance of neck maps (B, C, H, W) from the teacher's, weighted in each cell by the teacher's
    best score there (B, A)."""
    ours, theirs = (
        torch.cat([m.permute(0, 2, 3, 1).flatten(1, 2) for m in some], dim=1).float()
        for some in (maps, teacher)
    )
    weight = (sure + 0.02)[..., None]
    spread = (theirs.square() * weight).sum(dim=(0, 1)) / weight.sum()
    return ((ours - theirs).square() / (spread + 1e-3) * weight).sum() / (weight.sum() * ours.shape[2])
