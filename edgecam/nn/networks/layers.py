"""The smallest parts of the family: channel rounding, activations, convolution + norm + activation, SE."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Padding = Literal["symmetric", "tf"]


def make_divisible(channels: float, divisor: int = 8) -> int:
    """Round ``channels`` to the nearest multiple of ``divisor``, never removing more than a tenth.

    This is the rule of Google's own code (``slim/nets/mobilenet/conv_blocks.py::_make_divisible``), which
    gives the papers' channel numbers at widths other than 1.0.
    """
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    if rounded < 0.9 * channels:
        rounded += divisor
    return rounded


class Act(Enum):
    """Activations of the papers; ``NONE`` is the linear bottleneck of V2 and later."""

    NONE = "linear"
    RELU = "ReLU"
    RELU6 = "ReLU6"
    HSWISH = "h-swish"
    GELU = "GELU"

    def module(self) -> nn.Module:
        """A new module of this activation."""
        return _ACTIVATIONS[self](inplace=True) if self in _ACTIVATIONS else _PLAIN[self]()


_ACTIVATIONS: dict[Act, type[nn.ReLU] | type[nn.ReLU6] | type[nn.Hardswish]] = {
    Act.RELU: nn.ReLU,
    Act.RELU6: nn.ReLU6,
    Act.HSWISH: nn.Hardswish,
}
_PLAIN: dict[Act, type[nn.Module]] = {Act.NONE: nn.Identity, Act.GELU: nn.GELU}


@dataclass(frozen=True)
class Settings:
    """Settings of a whole network: width multiplier, padding style, batch-norm constants."""

    width: float = 1.0
    divisor: int = 8
    padding: Padding = "symmetric"
    bn_eps: float = 1e-5
    bn_momentum: float = 0.1

    def scaled(self, channels: int, at_least: int = 0) -> int:
        """The paper's ``channels`` times the width multiplier, rounded, and not below ``at_least``."""
        return max(at_least, make_divisible(channels * self.width, self.divisor))

    def norm(self, channels: int) -> nn.BatchNorm2d:
        """A batch norm with this network's constants."""
        return nn.BatchNorm2d(channels, eps=self.bn_eps, momentum=self.bn_momentum)


class Conv2dSame(nn.Conv2d):
    """Convolution with TensorFlow's ``SAME`` padding.

    With stride 2, it pads an even size at the bottom and right only, and an odd size on both sides.
    torch's symmetric padding would shift every following feature by half a pixel, and published TensorFlow
    weights would lose most of their accuracy.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, O, ceil(H / stride), ceil(W / stride))."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        pad_h, pad_w = (max((-(-size // stride) - 1) * stride + kernel - size, 0) for size in x.shape[2:])
        x = F.pad(x, (pad_w // 2, pad_w - pad_w // 2, pad_h // 2, pad_h - pad_h // 2))
        return F.conv2d(x, self.weight, self.bias, self.stride, 0, self.dilation, self.groups)


def conv2d(
    cin: int, cout: int, kernel: int, stride: int, groups: int, bias: bool, padding: Padding
) -> nn.Conv2d:
    """A convolution that keeps the size (stride 1) or halves it (stride 2), with either padding style."""
    if padding == "tf" and stride > 1 and kernel > 1:
        return Conv2dSame(cin, cout, kernel, stride, padding=0, groups=groups, bias=bias)
    return nn.Conv2d(cin, cout, kernel, stride, padding=(kernel - 1) // 2, groups=groups, bias=bias)


class ConvNormAct(nn.Module):
    """Convolution, batch norm, activation: the unit from which all networks here are built."""

    def __init__(
        self,
        cin: int,
        cout: int,
        settings: Settings,
        *,
        kernel: int = 1,
        stride: int = 1,
        groups: int = 1,
        act: Act = Act.RELU6,
        norm: bool = True,
    ) -> None:
        super().__init__()
        self.conv = conv2d(cin, cout, kernel, stride, groups, not norm, settings.padding)
        self.bn: nn.Module = settings.norm(cout) if norm else nn.Identity()
        self.act = act.module()
        self.out_channels = cout
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, O, H / stride, W / stride)."""
        out: Tensor = self.act(self.bn(self.conv(x)))
        return out


class SqueezeExcite(nn.Module):
    """Channel attention of V3 (paper section 5.3): squeeze to a quarter, ReLU, expand, hard sigmoid."""

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, squeezed, 1)
        self.relu = nn.ReLU(inplace=True)
        self.expand = nn.Conv2d(squeezed, channels, 1)
        self.gate = nn.Hardsigmoid()

    def forward(self, x: Tensor) -> Tensor:
        """Scale each channel of (N, C, H, W) by its gate."""
        squeezed = F.adaptive_avg_pool2d(x, 1)
        gate: Tensor = self.gate(self.expand(self.relu(self.reduce(squeezed))))
        return x * gate


class LayerScale(nn.Module):
    """One learned factor per channel, starting near zero (V4-Hybrid's residual branches)."""

    def __init__(self, channels: int, start: float = 1e-5) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((channels,), start))

    def forward(self, x: Tensor) -> Tensor:
        """Scale each channel of (N, C, H, W)."""
        return x * self.gamma.view(1, -1, 1, 1)


def initialise(module: nn.Module) -> None:
    """He initialisation (fan out) for convolutions, ones and zeros for norms, a small normal for linears."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, mode="fan_out")
            if part.bias is not None:
                nn.init.zeros_(part.bias)
        elif isinstance(part, nn.BatchNorm2d):
            nn.init.ones_(part.weight)
            nn.init.zeros_(part.bias)
        elif isinstance(part, nn.Linear):
            nn.init.normal_(part.weight, 0.0, 0.01)
            nn.init.zeros_(part.bias)
