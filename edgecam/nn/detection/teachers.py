"""Dense teachers: detectors that answer for the same cells as their student."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from edgecam.core.errors import ConfigError
from edgecam.nn.detection.gfl_loss import Answer
from edgecam.nn.hub.picodet import load_picodet
from edgecam.nn.networks.pan_detector import PanDetector
from edgecam.nn.networks.picodet import PicoDet


class Teacher(nn.Module):
    """A dense teacher for a student with the same cells; classes are matched by name.

    network: PicoDet-S or a PAN detector. Classes of the student that it does not know get a score of 0.
    scale: the network's side as a multiple of the student's. At 2 its finest level has no counterpart; the
    distances of the others are the student's, counted in strides.
    Raises :class:`ConfigError` if the cells differ or no class is known.
    """

    def __init__(
        self, network: PicoDet | PanDetector, labels: Sequence[str], student: PanDetector, scale: int = 1
    ) -> None:
        super().__init__()
        self.scale, self.finest = scale, scale * student.strides[0]
        self.network = network.eval().requires_grad_(False)
        points = network.points[self._shared()] / scale
        if points.shape != student.points.shape or not torch.equal(points.cpu(), student.points.cpu()):
            raise ConfigError("the teacher has other cells than its student: give one of the same resolution")
        known = {name: i for i, name in enumerate(labels)}
        pairs = [(i, known[x]) for i, x in enumerate(student.config.labels) if x in known]
        if not pairs:
            raise ConfigError("the teacher knows none of the classes that are to be learnt")
        self.ours, self.theirs = [a for a, _ in pairs], [b for _, b in pairs]
        self.classes = len(student.config.labels)

    def _shared(self) -> Tensor:
        """Which of the network's cells (A,) the student has as well."""
        return self.network.cell_strides >= self.finest

    @torch.no_grad()
    def forward(self, pictures: Tensor) -> tuple[Answer, list[Tensor]]:
        """uint8 BGR pictures (B, S, S, 3) to the answer for every cell (float32), and the neck's maps."""
        logits, sides, maps = self.network.answer(pictures)
        shared = self._shared()
        sides = sides.float()
        boxes = self.network.pixel_boxes(sides)[:, shared] / self.scale
        sides, said = sides[:, shared], torch.sigmoid(logits[:, shared].float())
        scores = said.new_zeros(*said.shape[:2], self.classes)
        scores[..., self.ours] = said[..., self.theirs]
        return Answer(scores, sides, boxes), maps if self.scale == 1 else []


def load_teacher(path: Path, student: PanDetector, scale: int = 1) -> Teacher:
    """Load a teacher: the published PicoDet-S (``.npz``), or a checkpoint of a PAN detector.

    Raises :class:`ConfigError` if it cannot teach this student.
    """
    side = scale * student.config.resolution
    if path.suffix == ".npz":
        network = load_picodet(path, side)
        return Teacher(network, network.labels, student, scale)
    from edgecam.nn.detection.checkpoint import load_checkpoint, resize

    other = resize(load_checkpoint(path)[0], side)
    if not isinstance(other, PanDetector):
        raise ConfigError(f"the teacher '{path}' is no PAN detector: its cells are not its student's")
    return Teacher(other, other.config.labels, student, scale)
