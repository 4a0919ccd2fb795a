"""What an SSD learns from one batch: boxes, and a second teacher with the same anchors."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from edgecam.core.errors import ConfigError
from edgecam.nn.detection.checkpoint import (
    load_checkpoint,
)
from edgecam.nn.detection.config import Optimise
from edgecam.nn.detection.loss import LossConfig, PictureTargets, detection_loss, mimic_loss
from edgecam.nn.networks.ssd import SSD
from edgecam.nn.training.host import Host, precision_of


@dataclass
class SsdObjective:
    """Losses of an SSD. ``teacher``: an SSD with the same anchors, or None."""

    model: SSD
    teacher: SSD | None
    how: Optimise
    host: Host

    def losses(self, pictures: Tensor, targets: list[PictureTargets], seen: int) -> dict[str, Tensor]:  # noqa: ARG002
        """``total`` and its parts for a batch of uint8 BGR pictures (B, S, S, 3)."""
        model, host, how = self.model, self.host, LossConfig(distil=self.how.distil)
        x = model.network_input(pictures.to(host.device, non_blocking=True))
        placed = [t.to(host.device) for t in targets]
        answer: tuple[Tensor, Tensor] | None = None
        with precision_of(host):
            if self.teacher is not None:
                with torch.no_grad():
                    answer = self.teacher(x)
            logits, deltas = model(x)
        scores = None if answer is None else torch.sigmoid(answer[0].float())
        losses = detection_loss(logits.float(), deltas.float(), model.anchors, placed, how, scores)
        if self.how.mimic and answer is not None:
            copied = mimic_loss(logits.float(), deltas.float(), answer[0].float(), answer[1].float())
            losses["total"] = losses["total"] + self.how.mimic * copied
        return losses


def load_ssd_teacher(path: Path, model: SSD) -> SSD:
    """Load the second teacher from its own file.

    Raises :class:`ConfigError` if it is no SSD, or if its anchors or classes are not the model's.
    """
    teacher = load_checkpoint(path)[0]
    if not isinstance(teacher, SSD):
        raise ConfigError(f"the teacher '{path}' is no SSD, but its student is one")
    same = teacher.config.labels == model.config.labels and teacher.anchors.shape == model.anchors.shape
    if not same or not torch.equal(teacher.anchors, model.anchors):
        raise ConfigError(
            f"the teacher '{path}' has other classes or anchors than the network it is to teach"
        )
    return teacher
