"""CSP-PAN: a path aggregation neck of depthwise 5x5 convolutions, over any three or more maps.

Yu et al. 2021, "PP-PicoDet: A Better Real-Time Object Detector on Mobile Devices", section 2.2 (figure 2):
a 1x1 convolution brings every map to one width, features pass from coarse to fine and then back to coarse,
CSP blocks (Wang et al. 2020) join them, and one more level is computed from the coarsest.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgecam.nn.networks.layers import Act, ConvNormAct, Settings


class DepthwisePair(nn.Module):
    """Depthwise 5x5 and pointwise, an activation after each: PicoDet's stride-2 step and its head's tower."""

    def __init__(self, width: int, settings: Settings, act: Act, *, kernel: int = 5, stride: int = 1) -> None:
        super().__init__()
        self.dw = ConvNormAct(width, width, settings, kernel=kernel, stride=stride, groups=width, act=act)
        self.pw = ConvNormAct(width, width, settings, act=act)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, ceil(H / stride), ceil(W / stride))."""
        out: Tensor = self.pw(self.dw(x))
        return out


def _enlarge(coarse: Tensor, fine: Tensor) -> Tensor:
    same = coarse.shape[-2:] == fine.shape[-2:]
    return coarse if same else F.interpolate(coarse, size=fine.shape[-2:], mode="nearest")


class CspBlock(nn.Module):
    """Joins two maps: half of the width passes 1x1, depthwise 5x5 and 1x1 convolutions, the other half
    skips them."""

    def __init__(self, cin: int, cout: int, settings: Settings, act: Act, *, kernel: int = 5) -> None:
        super().__init__()
        half = cout // 2
        self.main = ConvNormAct(cin, half, settings, act=act)
        self.short = ConvNormAct(cin, half, settings, act=act)
        self.conv1 = ConvNormAct(half, half, settings, act=act)
        self.dw = ConvNormAct(half, half, settings, kernel=kernel, groups=half, act=act)
        self.pw = ConvNormAct(half, half, settings, act=act)
        self.final = ConvNormAct(2 * half, cout, settings, act=act)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Two maps, cin channels together, to (N, cout, H, W), the second's size; a smaller first one is
        enlarged."""
        x = torch.cat([_enlarge(first, second), second], dim=1)
        deep = self.pw(self.dw(self.conv1(self.main(x))))
        out: Tensor = self.final(torch.cat([deep, self.short(x)], dim=1))
        return out


class _SplitPointwise(nn.Module):
    """A 1x1 convolution over two concatenated maps as one over each, added: the coarse one's is computed
    before its output is enlarged. Batch norm must be folded."""

    def __init__(self, whole: ConvNormAct) -> None:
        super().__init__()
        conv = whole.conv
        assert isinstance(conv, nn.Conv2d)
        assert isinstance(whole.bn, nn.Identity)
        half = conv.in_channels // 2
        self.coarse = nn.Conv2d(half, conv.out_channels, 1, bias=False)
        self.fine = nn.Conv2d(conv.in_channels - half, conv.out_channels, 1)
        self.act = whole.act
        assert conv.bias is not None
        assert self.fine.bias is not None
        with torch.no_grad():
            self.coarse.weight.copy_(conv.weight[:, :half])
            self.fine.weight.copy_(conv.weight[:, half:])
            self.fine.bias.copy_(conv.bias)

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        out: Tensor = self.act(self.fine(fine) + _enlarge(self.coarse(coarse), fine))
        return out


class DeployedTopDown(nn.Module):
    """A trained :class:`CspBlock` that enlarges its first map, in its deployed form.

    Enlarging and a 1x1 convolution can change places, so the coarse half of the block's input is convolved on
    a quarter of the cells, and nothing is concatenated: 2 % of the whole network's time in float.
    """

    def __init__(self, block: CspBlock) -> None:
        super().__init__()
        self.main, self.short = _SplitPointwise(block.main), _SplitPointwise(block.short)
        self.conv1, self.dw, self.pw, self.final = block.conv1, block.dw, block.pw, block.final

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        """As :meth:`CspBlock.forward`."""
        deep = self.pw(self.dw(self.conv1(self.main(coarse, fine))))
        out: Tensor = self.final(torch.cat([deep, self.short(coarse, fine)], dim=1))
        return out


class CspPan(nn.Module):
    """Turns maps of decreasing size into maps of one width, and adds one at half the coarsest's size.

    channels: of the incoming maps, from fine to coarse, each half as large as the one before. finest: the
    activation of the layers on the finest map (``act`` if None). extra_level: whether one is added.
    """

    def __init__(
        self, channels: Sequence[int], width: int, settings: Settings, act: Act, *, kernel: int = 5,
        finest: Act | None = None, extra_level: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        steps = len(channels) - 1
        acts = [finest or act, *[act] * steps]
        self.trans = nn.ModuleList(
            ConvNormAct(c, width, settings, act=a) for c, a in zip(channels, acts, strict=True)
        )
        self.top_down = nn.ModuleList(
            CspBlock(2 * width, width, settings, acts[level], kernel=kernel)
            for level in reversed(range(steps))
        )
        self.down = nn.ModuleList(
            DepthwisePair(width, settings, act, kernel=kernel, stride=2) for _ in range(steps)
        )
        self.bottom_up = nn.ModuleList(
            CspBlock(2 * width, width, settings, act, kernel=kernel) for _ in range(steps)
        )
        self.extra = nn.ModuleList(
            DepthwisePair(width, settings, act, kernel=kernel, stride=2) for _ in range(2 * extra_level)
        )

    def deploy(self) -> None:
        """Replace the top-down blocks by their deployed form, in place. Batch norm must be folded."""
        made = nn.ModuleList()
        for block in self.top_down:
            assert isinstance(block, CspBlock)
            made.append(DeployedTopDown(block))
        self.top_down = made

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Maps from fine to coarse; the output has one more than the input, if a level is added."""
        return self.aggregate([trans(m) for trans, m in zip(self.trans, maps, strict=True)])

    def aggregate(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """The part after the 1x1 convolutions."""
        finer = [maps[-1]]
        for block, lateral in zip(self.top_down, reversed(maps[:-1]), strict=True):
            finer.insert(0, block(finer[0], lateral))
        out = [finer[0]]
        for down, block, here in zip(self.down, self.bottom_up, finer[1:], strict=True):
            out.append(block(down(out[-1]), here))
        if self.extra:
            out.append(self.extra[0](maps[-1]) + self.extra[1](out[-1]))
        return out
