"""What a PAN detector learns from one batch: people's boxes, a dense teacher, and fused soft labels."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor
from torch.nn import functional

from edgecam.nn.detection.config import Optimise
from edgecam.nn.detection.gfl_loss import Labels, Weights, gfl_loss, mimic_loss
from edgecam.nn.detection.loss import PictureTargets
from edgecam.nn.detection.teachers import Teacher
from edgecam.nn.networks.pan_detector import PanDetector
from edgecam.nn.training.host import Host, precision_of

#: Soft labels narrower than this, in pixels of the sample, are left out.
_SMALLEST_PX = 3.0
#: The least share of its weight that the mimic loss keeps.
_LEAST_MIMIC = 0.1


def labels_of(target: PictureTargets, side: int) -> Labels:
    """One sample's labels in pixels, grouped by how the loss uses them."""
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


def _smaller(pictures: Tensor, scale: int) -> Tensor:
    """A network's input at 1 / ``scale`` of its side: each pixel the mean of ``scale`` x ``scale``."""
    return pictures if scale == 1 else functional.avg_pool2d(pictures, scale)


@dataclass
class PanObjective:
    """Losses of a PAN detector. Without a ``teacher``, only boxes are learnt from."""

    model: PanDetector
    teacher: Teacher | None
    how: Optimise
    host: Host
    side: int = field(init=False)

    def __post_init__(self) -> None:
        self.side = self.model.config.resolution

    def losses(self, pictures: Tensor, targets: list[PictureTargets], seen: int) -> dict[str, Tensor]:
        """``total`` and its parts for a batch of uint8 BGR pictures (B, S, S, 3), in the teacher's size.
        ``seen``: the number of pictures that the training took before this batch."""
        model, how = self.model, self.how
        pictures = pictures.to(self.host.device, non_blocking=True)
        scale = self.teacher.scale if self.teacher is not None else 1
        side = int(pictures.shape[1]) // scale
        if side != self.side:
            model.set_side(side)
            if self.teacher is not None:
                self.teacher.network.set_side(side * scale)
            self.side = side
        labels = [labels_of(t.to(self.host.device), side) for t in targets]
        answer, theirs = None, []
        with precision_of(self.host):
            if self.teacher is not None:
                answer, theirs = self.teacher(pictures)
            maps = model.neck(model.feature_maps(_smaller(model.network_input(pictures), scale)))
            logits, sides = model.head(maps)
        losses = gfl_loss(
            logits.float(), sides.float(), model.points, model.cell_strides, labels,
            Weights(copied=how.copied), answer,
        )  # fmt: skip
        weight = how.mimic * max(_LEAST_MIMIC, 1.0 - seen / how.mimic_until)
        if answer is not None and weight and theirs and theirs[0].shape == maps[0].shape:
            # a ReLU's map has another zero point: only maps with the teacher's activation follow it
            first = int(model.config.act_finest not in ("", model.config.act))
            there = model.cell_strides >= model.strides[first]
            sure = answer.scores.amax(dim=2)[:, there]
            losses["mimic"] = mimic_loss(maps[first:], theirs[first:], sure)
            losses["total"] = losses["total"] + weight * losses["mimic"]
        return losses
