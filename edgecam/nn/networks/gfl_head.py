"""An anchor-free head with class scores and distributions of distances, and its decoding.

Li et al. 2020, "Generalized Focal Loss": one sigmoid per class that says how well the box fits as well, and
for each of a box's four sides a distribution over whole multiples of the stride; as in PicoDet (Yu et al.
2021), both from one light tower per level.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from edgecam.nn.networks.layers import Act, Settings
from edgecam.nn.networks.pan import DepthwisePair

#: Prior probability of an object at a fresh classifier (Lin et al. 2017, "Focal Loss", section 4.1).
_PRIOR = 0.01


class GflLevel(nn.Sequential):
    """One level's tower and predictor; its children are called 0, 1 ... and ``pred``."""

    def __init__(
        self, width: int, outputs: int, settings: Settings, act: Act, *, depth: int, kernel: int
    ) -> None:
        super().__init__()
        for i in range(depth):
            self.add_module(str(i), DepthwisePair(width, settings, act, kernel=kernel))
        self.add_module("pred", nn.Conv2d(width, outputs, 1))


class GflHead(nn.Module):
    """Per level ``depth`` pairs of depthwise 5x5 and 1x1, then a 1x1 to ``classes + 4 * bins`` channels."""

    def __init__(
        self, width: int, classes: int, levels: int, settings: Settings, act: Act, *,
        bins: int = 8, depth: int = 2, kernel: int = 5,
    ) -> None:  # fmt: skip
        super().__init__()
        self.classes, self.bins = classes, bins
        self.levels = nn.ModuleList(
            GflLevel(width, classes + 4 * bins, settings, act, depth=depth, kernel=kernel)
            for _ in range(levels)
        )

    def start(self) -> None:
        """Fresh predictors: small weights, every score at the prior."""
        for level in self.levels:
            pred = level.get_submodule("pred")
            assert isinstance(pred, nn.Conv2d)
            assert pred.bias is not None
            nn.init.normal_(pred.weight, 0.0, 0.01)
            nn.init.zeros_(pred.bias)
            with torch.no_grad():
                pred.bias[: self.classes] = float(torch.logit(torch.tensor(_PRIOR)))

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Maps from fine to coarse to class logits (B, A, C) and side logits (B, A, 4 * bins)."""
        flat = torch.cat(
            [level(m).permute(0, 2, 3, 1).flatten(1, 2) for level, m in zip(self.levels, maps, strict=True)],
            dim=1,
        )
        return flat[..., : self.classes], flat[..., self.classes :]


def grid_points(grids: Sequence[tuple[int, int]], strides: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Each cell's point (A, 2) as x, y in input pixels, and its stride (A,): level by level, row by row."""
    points, steps = [], []
    for (rows, columns), stride in zip(grids, strides, strict=True):
        y = (torch.arange(rows, dtype=torch.float32) + 0.5) * stride
        x = (torch.arange(columns, dtype=torch.float32) + 0.5) * stride
        points.append(torch.stack([x.repeat(rows), y.repeat_interleave(columns)], dim=1))
        steps.append(torch.full((rows * columns,), float(stride)))
    return torch.cat(points), torch.cat(steps)


def expected_distances(sides: Tensor, bins: int) -> Tensor:
    """Side logits (..., 4 * bins) to distances (..., 4) in strides: left, top, right, bottom."""
    share = torch.softmax(sides.reshape(*sides.shape[:-1], 4, bins), dim=-1)
    # not a matrix product: ONNX Runtime takes a vector at a time for that, a tenth of the whole int8
    # network's time, and the quantiser would take it for a layer with weights
    return (share * torch.arange(bins, dtype=share.dtype, device=share.device)).sum(dim=-1)


def decode_boxes(sides: Tensor, points: Tensor, strides: Tensor, bins: int) -> Tensor:
    """Side logits (..., A, 4 * bins) to boxes (..., A, 4), xyxy in input pixels."""
    distance = expected_distances(sides, bins) * strides[:, None]
    return torch.cat([points - distance[..., :2], points + distance[..., 2:]], dim=-1)
