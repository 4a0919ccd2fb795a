"""An anchor-free head with class scores and distance distributions, and its decoding.

Li et al. 2020, "Generalized Focal Loss": one sigmoid per class, which also scores how well the box fits, and
for each of a box's four sides a distribution over whole multiples of the stride. As in PicoDet (Yu et al.
2021), one light tower per level computes both.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from edgecam.nn.networks.layers import Act, Settings
from edgecam.nn.networks.pan import DepthwisePair

#: The prior score of an object in an untrained classifier (Lin et al. 2017, "Focal Loss", section 4.1).
_PRIOR = 0.01


class GflLevel(nn.Sequential):
    """One level's tower and predictor; its children are named 0, 1 ... and ``pred``."""

    def __init__(
        self, width: int, outputs: int, settings: Settings, act: Act, *, depth: int, kernel: int
    ) -> None:
        super().__init__()
        for i in range(depth):
            self.add_module(str(i), DepthwisePair(width, settings, act, kernel=kernel))
        self.add_module("pred", nn.Conv2d(width, outputs, 1))


class GflHead(nn.Module):
    """Each level has ``depth`` pairs of depthwise 5x5 and 1x1, then a 1x1 to ``classes + 4 * bins`` channels.

    finest: the activation in the first level's tower (``act`` if None).
    """

    def __init__(
        self, width: int, classes: int, levels: int, settings: Settings, act: Act, *,
        bins: int = 8, depth: int = 2, kernel: int = 5, finest: Act | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.classes, self.bins = classes, bins
        self.levels = nn.ModuleList(
            GflLevel(width, classes + 4 * bins, settings, a, depth=depth, kernel=kernel)
            for a in [finest or act, *[act] * (levels - 1)]
        )

    def start(self) -> None:
        """Initialise the predictors: small weights, every score at the prior."""
        for level in self.levels:
            pred = level.get_submodule("pred")
            assert isinstance(pred, nn.Conv2d)
            assert pred.bias is not None
            nn.init.normal_(pred.weight, 0.0, 0.01)
            nn.init.zeros_(pred.bias)
            with torch.no_grad():
                pred.bias[: self.classes] = float(torch.logit(torch.tensor(_PRIOR)))

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Maps, from fine to coarse, to class logits (B, A, C) and side logits (B, A, 4 * bins)."""
        flat = torch.cat(
            [level(m).permute(0, 2, 3, 1).flatten(1, 2) for level, m in zip(self.levels, maps, strict=True)],
            dim=1,
        )
        return flat[..., : self.classes], flat[..., self.classes :]


def grid_points(grids: Sequence[tuple[int, int]], strides: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Each cell's centre (A, 2) as x, y in input pixels, and its stride (A,): level by level, row by row."""
    points, steps = [], []
    for (rows, columns), stride in zip(grids, strides, strict=True):
        y = (torch.arange(rows, dtype=torch.float32) + 0.5) * stride
        x = (torch.arange(columns, dtype=torch.float32) + 0.5) * stride
        points.append(torch.stack([x.repeat(rows), y.repeat_interleave(columns)], dim=1))
        steps.append(torch.full((rows * columns,), float(stride)))
    return torch.cat(points), torch.cat(steps)


def set_cells(network: nn.Module, side: int, strides: Sequence[int]) -> None:
    """Set the ``points`` and ``cell_strides`` of ``network`` for a square input of ``side`` pixels; the same
    weights serve any side. The last cells of a row may lie half outside, as in PicoDet at 416 px."""
    old = getattr(network, "points", None)
    points, steps = grid_points([(-(-side // s),) * 2 for s in strides], strides)
    if old is not None:
        points, steps = points.to(old.device), steps.to(old.device)
    network.register_buffer("points", points, persistent=False)
    network.register_buffer("cell_strides", steps, persistent=False)


def expected_distances(sides: Tensor, bins: int) -> Tensor:
    """Side logits (..., 4 * bins) to distances (..., 4) in strides: left, top, right, bottom."""
    share = torch.softmax(sides.reshape(*sides.shape[:-1], 4, bins), dim=-1)
    # Not a matrix product: ONNX Runtime would compute it vector by vector, for a tenth of the whole int8
    # network's time, and the quantiser would treat it as a layer with weights.
    return (share * torch.arange(bins, dtype=share.dtype, device=share.device)).sum(dim=-1)


def decode_boxes(sides: Tensor, points: Tensor, strides: Tensor, bins: int) -> Tensor:
    """Side logits (..., A, 4 * bins) to boxes (..., A, 4), xyxy in input pixels."""
    distance = expected_distances(sides, bins) * strides[:, None]
    return torch.cat([points - distance[..., :2], points + distance[..., 2:]], dim=-1)


class SplitPredictor(nn.Module):
    """A level's predictor as two convolutions, ``classes`` and ``sides``, with the same weights."""

    def __init__(self, pred: nn.Conv2d, classes: int) -> None:
        super().__init__()
        self.classes = nn.Conv2d(pred.in_channels, classes, 1)
        self.sides = nn.Conv2d(pred.in_channels, pred.out_channels - classes, 1)
        assert pred.bias is not None
        with torch.no_grad():
            for part, rows in ((self.classes, slice(classes)), (self.sides, slice(classes, None))):
                part.weight.copy_(pred.weight[rows])
                assert part.bias is not None
                part.bias.copy_(pred.bias[rows])

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(N, width, H, W) to (N, C, H, W) and (N, 4 * bins, H, W)."""
        return self.classes(x), self.sides(x)


class DecodingHead(nn.Module):
    """A trained head in its deployed form: maps to boxes (B, A, 4), relative xyxy, and scores (B, A, C).

    It computes the same as :class:`GflHead` and :func:`decode_boxes`, but is written for a runtime. Classes
    and sides come from separate convolutions, so no split is needed and each has its own range in int8. One
    small product computes all expectations: weighted and plain sums of exp replace a softmax of eight
    (trained logits stay below 20, so exp does not overflow). ONNX Runtime takes 2 to 4 % less time for the
    whole network.

    points (A, 2) and strides (A,) of the cells in input pixels; side of the input in pixels.
    """

    sums: Tensor
    points: Tensor
    steps: Tensor

    def __init__(self, head: GflHead, points: Tensor, strides: Tensor, side: int) -> None:
        super().__init__()
        self.levels = copy.deepcopy(head.levels)
        for level in self.levels:
            pred = level.get_submodule("pred")
            assert isinstance(pred, nn.Conv2d)
            level.add_module("pred", SplitPredictor(pred, head.classes))
        weighted, plain = (torch.zeros(4, 4, head.bins) for _ in range(2))
        for k in range(4):
            weighted[k, k] = torch.arange(head.bins, dtype=torch.float32)
            plain[k, k] = 1.0
        self.register_buffer("sums", torch.cat([weighted, plain]).flatten(1), persistent=False)
        self.register_buffer("points", (points.T / side)[None].contiguous(), persistent=False)
        self.register_buffer("steps", (strides / side)[None, None].contiguous(), persistent=False)

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """See the class."""
        found = [level(m) for level, m in zip(self.levels, maps, strict=True)]
        logits = torch.cat([classes.permute(0, 2, 3, 1).flatten(1, 2) for classes, _ in found], dim=1)
        # the constant comes first: as the second factor it would make the product a layer with weights
        sums = torch.matmul(self.sums, torch.exp(torch.cat([sides.flatten(2) for _, sides in found], dim=2)))
        distance = sums[:, :4] / sums[:, 4:] * self.steps
        boxes = torch.cat([self.points - distance[:, :2], self.points + distance[:, 2:]], dim=1)
        return boxes.transpose(1, 2), torch.sigmoid(logits)
