"""What a PAN detector learns from one batch: people's boxes, a dense teacher, and fused soft labels."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgecam.nn.detection.config import Optimise
from edgecam.nn.detection.gfl_loss import Labels, Weights, gfl_loss, mimic_loss
from edgecam.nn.detection.loss import PictureTargets
from edgecam.nn.detection.teachers import Teacher
from edgecam.nn.networks.layers import ConvNormAct
from edgecam.nn.networks.pan_detector import PanDetector
from edgecam.nn.training.host import Host, precision_of

#: Soft labels narrower than this, in pixels of the sample, say nothing.
_SMALLEST_PX = 3.0
#: What is left of the mimicry's weight at its end.
_LEAST_MIMIC = 0.1


class Fading(nn.Module):
    """Between h-swish (``share`` 0) and ReLU (1): how a borrowed neck is led over to what quantises well.

    The share is a buffer, so that a moving average of the network follows it; it is no part of a checkpoint.
    """

    share: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("share", torch.zeros(()), persistent=False)
        self.over = False

    def lead(self, share: float) -> None:
        """How far it has come, 0 to 1."""
        self.share.fill_(share)
        self.over = share >= 1.0

    def forward(self, x: Tensor) -> Tensor:
        """Elementwise."""
        if self.over:
            return torch.relu(x)
        share = self.share.to(x.dtype)
        return share * torch.relu(x) + (1.0 - share) * F.hardswish(x)


def fade_in(model: PanDetector) -> list[Fading]:
    """Put a :class:`Fading` in the place of every ReLU of neck and head; returns them."""
    made = []
    for part in (model.neck, model.head):
        for module in part.modules():
            if isinstance(module, ConvNormAct) and isinstance(module.act, nn.ReLU):
                module.act = Fading()
                made.append(module.act)
    return made


def labels_of(target: PictureTargets, side: int) -> Labels:
    """One sample's labels in pixels, sorted by what the loss does with them."""
    boxes = target.boxes * side
    live, quiet = ~target.ignore, target.ignore & target.people
    soft = None
    if target.soft_boxes is not None:
        assert target.soft_class is not None
        assert target.soft_score is not None
        seen = target.soft_boxes * side
        large = (
            (seen[:, 2:] - seen[:, :2]).amin(dim=1) > _SMALLEST_PX if len(seen) else seen.new_zeros(0).bool()
        )
        soft = (seen[large], target.soft_class[large], target.soft_score[large])
    return Labels(
        boxes=boxes[live], class_id=target.class_id[live], score=target.score[live],
        quiet_boxes=boxes[quiet], quiet_class=target.class_id[quiet],
        people_boxes=boxes[target.people], people_class=target.class_id[target.people],
        exhaustive=target.exhaustive, soft=soft,
    )  # fmt: skip


@dataclass
class PanObjective:
    """Losses of a PAN detector; ``teacher`` may be missing, then only boxes count."""

    model: PanDetector
    teacher: Teacher | None
    how: Optimise
    host: Host
    fading: list[Fading]

    def losses(self, pictures: Tensor, targets: list[PictureTargets], seen: int) -> dict[str, Tensor]:
        """``total`` and its parts for a batch of uint8 BGR pictures (B, S, S, 3); ``seen``:
        pictures before it."""
        model, how = self.model, self.how
        share = min(1.0, seen / how.fade) if how.fade else 1.0
        for one in self.fading:
            one.lead(share)
        pictures = pictures.to(self.host.device, non_blocking=True)
        labels = [labels_of(t.to(self.host.device), model.config.resolution) for t in targets]
        answer, theirs = None, []
        with precision_of(self.host):
            if self.teacher is not None:
                answer, theirs = self.teacher(pictures)
            maps = model.neck(model.feature_maps(model.network_input(pictures)))
            logits, sides = model.head(maps)
        losses = gfl_loss(
            logits.float(), sides.float(), model.points, model.cell_strides, labels,
            Weights(copied=how.copied), answer,
        )  # fmt: skip
        weight = how.mimic * max(_LEAST_MIMIC, 1.0 - seen / how.mimic_until)
        if answer is not None and weight and theirs[0].shape == maps[0].shape:
            # where the student has turned to ReLU, what the teacher says below zero is not to be copied
            wanted = [share * torch.relu(m.float()) + (1.0 - share) * m.float() for m in theirs]
            losses["mimic"] = mimic_loss(maps, wanted, answer.scores.amax(dim=2))
            losses["total"] = losses["total"] + weight * losses["mimic"]
        return losses
