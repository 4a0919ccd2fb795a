"""The loss of an SSD: assignment of boxes to anchors, ignore regions, and the loss itself.

Classification uses the quality focal loss (Li et al. 2020, "Generalized Focal Loss"): a sigmoid per class,
whose target at a positive anchor is the IoU of the predicted box. Boxes are learnt by generalised IoU
(Rezatofighi et al. 2019).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from edgecam.nn.networks.anchors import anchors_to_xyxy, decode, giou, intersection, pairwise_iou


@dataclass(frozen=True)
class LossConfig:
    """Thresholds and weights of the loss.

    positive, negative: from the first IoU on an anchor is an object, below the second it is background; in
    between it is neither.
    extra, extra_iou: so many best anchors of each box count from this lower IoU on; the best one always does.
    ignore_inside: an anchor with at least this share of its own area in an ignore region is neither.
    distil: a factor on the second teacher's scores, which are the targets where nothing is labelled.
    """

    positive: float = 0.5
    negative: float = 0.4
    extra: int = 3
    extra_iou: float = 0.3
    ignore_inside: float = 0.6
    gamma: float = 2.0
    box_weight: float = 2.0
    distil: float = 0.75


@dataclass(frozen=True)
class PictureTargets:
    """Labels of one sample as tensors, boxes relative. ``exhaustive (C,)`` marks the classes of which people
    boxed every object. ``soft_*``: fused soft labels of several teachers, None if there are none."""

    boxes: Tensor
    class_id: Tensor
    score: Tensor
    ignore: Tensor
    people: Tensor
    exhaustive: Tensor
    soft_boxes: Tensor | None = None
    soft_class: Tensor | None = None
    soft_score: Tensor | None = None

    def to(self, device: str) -> PictureTargets:
        """The same labels on another device."""
        values: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        placed: dict[str, Any] = {k: v if v is None else v.to(device) for k, v in values.items()}
        return PictureTargets(**placed)


@dataclass(frozen=True)
class Assignment:
    """For one picture: ``box (A,)``, the index of the box that each anchor learns, -1 for none; ``weight (A,
    C)`` of the classification loss, 0 where nothing is learnt."""

    box: Tensor
    weight: Tensor


def assign(anchors: Tensor, target: PictureTargets, classes: int, how: LossConfig) -> Assignment:
    """Match ``anchors (A, 4)`` (y, x, h, w) with one picture's boxes.

    Ignored boxes are never matched. Inside an ignored box that people marked (difficult, crowd), only its own
    class is not learnt. Inside a doubtful box of a teacher, no class is learnt except those that people
    labelled exhaustively.
    """
    corners = anchors_to_xyxy(anchors)
    count = anchors.shape[0]
    box = torch.full((count,), -1, dtype=torch.long, device=anchors.device)
    weight = torch.ones(count, classes, device=anchors.device)
    if target.ignore.any():
        regions = target.boxes[target.ignore]
        inter = intersection(corners, regions)
        area = (corners[:, 2] - corners[:, 0]) * (corners[:, 3] - corners[:, 1])
        covered = (inter / area[:, None] > how.ignore_inside) | (
            pairwise_iou(corners, regions) > how.negative
        )
        people = target.people[target.ignore]
        region_class = target.class_id[target.ignore]
        blocked = covered.float() @ F.one_hot(region_class, classes).float()
        weight[blocked > 0] = 0.0
        doubtful = covered[:, ~people].any(dim=1)
        weight[doubtful[:, None] & ~target.exhaustive[None, :]] = 0.0
    live = (~target.ignore).nonzero().flatten()
    if len(live):
        iou = pairwise_iou(corners, target.boxes[live])
        class_id = target.class_id[live]
        near = iou.new_zeros(count, classes)
        near.scatter_reduce_(1, class_id[None, :].expand(count, -1), iou, "amax")
        weight[near > how.negative] = 0.0
        value, order = iou.topk(min(how.extra, count), dim=0)
        chosen = iou >= how.positive
        chosen |= torch.zeros_like(chosen).scatter_(0, order, value > how.extra_iou)
        quality = torch.where(chosen, iou, torch.zeros_like(iou))
        columns = torch.arange(len(live), device=iou.device)
        # every box keeps its best anchor; if two boxes have the same best anchor, small boxes come first
        quality[order[0], columns] = 2.0 - iou[order[0], columns]
        best, winner = quality.max(dim=1)
        positive = best > 0
        box[positive] = live[winner[positive]]
        weight[positive, target.class_id[box[positive]]] = target.score[box[positive]]
    return Assignment(box, weight)


def detection_loss(
    logits: Tensor,
    deltas: Tensor,
    anchors: Tensor,
    targets: list[PictureTargets],
    how: LossConfig,
    teacher: Tensor | None = None,
) -> dict[str, Tensor]:
    """Loss over a batch: ``total``, and its parts ``class`` and ``box``, each a scalar.

    logits (B, A, C) and deltas (B, A, 4) in float32. teacher: scores (B, A, C) of a second teacher, used as
    soft targets of the classes that people did not label, at anchors that are not positive.
    """
    classes = logits.shape[2]
    probability = torch.sigmoid(logits.detach())
    decoded = decode(deltas, anchors)
    goal = torch.zeros_like(logits) if teacher is None else teacher * how.distil
    weights = []
    box_losses = []
    mass = logits.new_zeros(())
    for i, target in enumerate(targets):
        with torch.no_grad():
            matched = assign(anchors, target, classes, how)
        if teacher is not None:
            goal[i, :, target.exhaustive] = 0.0
        positive = (matched.box >= 0).nonzero().flatten()
        if len(positive):
            index = matched.box[positive]
            iou, generalised = giou(decoded[i, positive], target.boxes[index])
            score = target.score[index]
            goal[i, positive] = 0.0
            goal[i, positive, target.class_id[index]] = iou.detach().clamp(0.0, 1.0)
            box_losses.append(((1.0 - generalised) * score).sum())
            mass = mass + score.sum()
        weights.append(matched.weight)
    weight = torch.stack(weights)
    mass = mass.clamp(min=1.0)
    focus = (goal - probability).abs().pow(how.gamma) * weight
    by_class = (F.binary_cross_entropy_with_logits(logits, goal, reduction="none") * focus).sum() / mass
    by_box = (torch.stack(box_losses).sum() if box_losses else deltas.sum() * 0.0) / mass
    return {"total": by_class + how.box_weight * by_box, "class": by_class.detach(), "box": by_box.detach()}


def mimic_loss(
    logits: Tensor, deltas: Tensor, teacher_logits: Tensor, teacher_deltas: Tensor, gamma: float = 2.0
) -> Tensor:
    """How far a network is from a teacher with the same anchors.

    Every score counts (as in the quality focal loss). Every box counts too, weighted by the teacher's best
    score at its anchor. All inputs are float32; the result is a scalar of the same magnitude as the labels'
    loss.
    """
    goal = torch.sigmoid(teacher_logits)
    probability = torch.sigmoid(logits.detach())
    sure = goal.amax(dim=2)
    mass = sure.square().sum().clamp(min=1.0)
    focus = (goal - probability).abs().pow(gamma)
    # the entropy of the target itself is subtracted, so that a perfect copy has no loss
    by_class = F.binary_cross_entropy_with_logits(logits, goal, reduction="none") - (
        F.binary_cross_entropy_with_logits(teacher_logits, goal, reduction="none")
    )
    by_box = F.smooth_l1_loss(deltas, teacher_deltas, reduction="none").sum(dim=2) * sure.square()
    return (by_class * (focus + 0.05 * goal)).sum() / mass + by_box.sum() / mass
