"""PicoDet-S as a teacher: its ESNet backbone, and the published weights from an ``.npz``.

Yu et al. 2021, arXiv:2111.00902. It is neither shipped nor exported: a student learns from its outputs and
starts from its neck and head (see :mod:`edgecam.nn.detection.graft`).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from edgecam.nn.labels.coco import COCO80
from edgecam.nn.networks.gfl_head import GflHead, decode_boxes, set_cells
from edgecam.nn.networks.layers import Act, ConvNormAct, Settings
from edgecam.nn.networks.pan import CspPan
from edgecam.nn.networks.ssd import fold_batch_norm

#: The input of the published weights: red, green, blue on the 0..255 scale.
_MEAN, _STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
_STRIDES = (8, 16, 32, 64)

Arrays = Mapping[str, NDArray[np.generic]]


def _conv(arrays: Arrays, name: str, *, stride: int = 1, act: Act = Act.HSWISH) -> ConvNormAct:
    """A layer without weights, of the shape that ``name`` has in the file."""
    cout, per_group, kernel, _ = arrays[f"{name}.weight"].shape
    cin = cout if per_group == 1 and kernel > 1 else per_group
    return ConvNormAct(
        cin, cout, Settings(), kernel=kernel, stride=stride, groups=cin // per_group, act=act, norm=False
    )


class _Squeeze(nn.Module):
    """ESNet's channel attention: mean, 1x1, ReLU, 1x1, hard sigmoid, product with the input."""

    def __init__(self, arrays: Arrays, name: str) -> None:
        super().__init__()
        self.conv1 = _conv(arrays, f"{name}.conv1", act=Act.RELU)
        self.conv2 = _conv(arrays, f"{name}.conv2", act=Act.NONE)

    def forward(self, x: Tensor) -> Tensor:
        gate = F.hardsigmoid(self.conv2(self.conv1(F.adaptive_avg_pool2d(x, 1))))
        return x * gate


def _shuffle(x: Tensor) -> Tensor:
    n, c, h, w = x.shape
    return x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)


class _First(nn.Module):
    """The first block of a stage, with the stride."""

    def __init__(self, arrays: Arrays, name: str) -> None:
        super().__init__()
        self.dw_1 = _conv(arrays, f"{name}.dw_1", stride=2, act=Act.NONE)
        self.linear_1 = _conv(arrays, f"{name}.linear_1")
        self.pw_2 = _conv(arrays, f"{name}.pw_2")
        self.dw_2 = _conv(arrays, f"{name}.dw_2", stride=2, act=Act.NONE)
        self.se = _Squeeze(arrays, f"{name}.se")
        self.linear_2 = _conv(arrays, f"{name}.linear_2")
        self.dw_mv1 = _conv(arrays, f"{name}.dw_mv1")
        self.pw_mv1 = _conv(arrays, f"{name}.pw_mv1")

    def forward(self, x: Tensor) -> Tensor:
        a = self.linear_1(self.dw_1(x))
        b = self.linear_2(self.se(self.dw_2(self.pw_2(x))))
        out: Tensor = self.pw_mv1(self.dw_mv1(torch.cat([a, b], dim=1)))
        return out


class _Next(nn.Module):
    """A later block of a stage: half of the channels bypass it."""

    def __init__(self, arrays: Arrays, name: str) -> None:
        super().__init__()
        self.pw = _conv(arrays, f"{name}.pw")
        self.dw = _conv(arrays, f"{name}.dw", act=Act.NONE)
        self.se = _Squeeze(arrays, f"{name}.se")
        self.linear = _conv(arrays, f"{name}.linear")

    def forward(self, x: Tensor) -> Tensor:
        a, b = x.chunk(2, dim=1)
        b = self.pw(b)
        b = self.linear(self.se(torch.cat([b, self.dw(b)], dim=1)))
        return _shuffle(torch.cat([a, b], dim=1))


class _ESNet(nn.Module):
    """Stem, pool and three stages; the stages' outputs are the maps of stride 8, 16 and 32."""

    def __init__(self, arrays: Arrays) -> None:
        super().__init__()
        self.stem = _conv(arrays, "backbone.stem", stride=2)
        for stage in (2, 3, 4):
            blocks: list[nn.Module] = [_First(arrays, f"backbone.stage{stage}.0")]
            while f"backbone.stage{stage}.{len(blocks)}.pw.weight" in arrays:
                blocks.append(_Next(arrays, f"backbone.stage{stage}.{len(blocks)}"))
            self.add_module(f"stage{stage}", nn.Sequential(*blocks))

    def forward(self, x: Tensor) -> list[Tensor]:
        x = F.max_pool2d(self.stem(x), 3, 2, 1)
        maps = []
        for stage in (2, 3, 4):
            x = self.get_submodule(f"stage{stage}")(x)
            maps.append(x)
        return maps


class PicoDet(nn.Module):
    """The published PicoDet-S: uint8 BGR pictures in, the outputs of its neck and head out."""

    mean: Tensor
    scale: Tensor
    points: Tensor
    cell_strides: Tensor
    labels = COCO80
    bins = 8

    def __init__(self, arrays: Arrays, resolution: int = 320) -> None:
        super().__init__()
        width = int(arrays["neck.trans.0.weight"].shape[0])
        self.backbone = _ESNet(arrays)
        channels = [int(arrays[f"neck.trans.{i}.weight"].shape[1]) for i in range(3)]
        self.neck = CspPan(channels, width, Settings(), Act.HSWISH)
        self.head = GflHead(width, len(self.labels), len(_STRIDES), Settings(), Act.HSWISH)
        self.eval()
        fold_batch_norm(self)
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("scale", 1 / torch.tensor(_STD).view(1, 3, 1, 1), persistent=False)
        self.set_side(resolution)

    def set_side(self, side: int) -> None:
        """Set the cells for a square input of ``side`` pixels."""
        set_cells(self, side, _STRIDES)

    def normalise(self, pictures: Tensor) -> Tensor:
        """uint8 BGR (B, S, S, 3) to the network's input (B, 3, S, S)."""
        x = pictures.permute(0, 3, 1, 2).flip(1).float()
        return ((x - self.mean) * self.scale).contiguous(memory_format=torch.channels_last)

    def laterals(self, pictures: Tensor) -> list[Tensor]:
        """The outputs of the neck's 1x1 convolutions **before** activation, which a graft is fitted to."""
        maps = self.backbone(self.normalise(pictures))
        return [trans.conv(m) for trans, m in zip(self.neck.trans, maps, strict=True)]  # type: ignore[operator]

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor, list[Tensor]]:
        """uint8 BGR (B, S, S, 3) to class logits (B, A, 80), side logits (B, A, 32) and the neck's maps."""
        maps = self.neck(self.backbone(self.normalise(pictures)))
        logits, sides = self.head(maps)
        return logits, sides, maps

    def answer(self, pictures: Tensor) -> tuple[Tensor, Tensor, list[Tensor]]:
        """The same as calling the module: the outputs that distillation asks of a teacher."""
        out: tuple[Tensor, Tensor, list[Tensor]] = self(pictures)
        return out

    def pixel_boxes(self, sides: Tensor) -> Tensor:
        """Side logits (..., A, 32) to boxes (..., A, 4), xyxy in input pixels."""
        return decode_boxes(sides, self.points, self.cell_strides, self.bins)
