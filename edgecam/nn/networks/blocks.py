"""Blocks of the family as modules, so that they can be fused, quantised and listed."""

from __future__ import annotations

from torch import Tensor, nn

from edgecam.nn.networks.layers import Act, ConvNormAct, LayerScale, Settings, SqueezeExcite, make_divisible


class Separable(nn.Module):
    """V1's depthwise separable convolution: 3x3 per channel, then 1x1 across channels, each activated."""

    def __init__(
        self, cin: int, cout: int, settings: Settings, *, kernel: int, stride: int, act: Act
    ) -> None:
        super().__init__()
        self.dw = ConvNormAct(cin, cin, settings, kernel=kernel, stride=stride, groups=cin, act=act)
        self.pw = ConvNormAct(cin, cout, settings, act=act)
        self.out_channels = cout
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, O, H / stride, W / stride)."""
        out: Tensor = self.pw(self.dw(x))
        return out


class Expanding(nn.Module):
    """Base of the blocks that expand, filter and project; a detector can tap the expansion."""

    expand: nn.Module

    def __init__(self, cin: int, cout: int, expanded: int, stride: int, residual: bool) -> None:
        super().__init__()
        self.out_channels = cout
        self.expanded_channels = expanded
        self.stride = stride
        self.shortcut = residual and stride == 1 and cin == cout

    def expansion(self, x: Tensor) -> Tensor:
        """The first half, (N, C, H, W) to (N, E, H, W): the expanded feature map, which SSDLite taps.

        A fused block applies its stride here, the others in the second half.
        """
        out: Tensor = self.expand(x)
        return out

    def finish(self, expanded: Tensor, x: Tensor) -> Tensor:
        """The second half: filter, project, and add the shortcut ``x`` if the shapes allow it."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, O, H / stride, W / stride)."""
        return self.finish(self.expansion(x), x)


class InvertedBottleneck(Expanding):
    """V2's inverted residual, with V3's squeeze-and-excite between the depthwise and the projection."""

    def __init__(
        self,
        cin: int,
        cout: int,
        expanded: int,
        settings: Settings,
        *,
        kernel: int,
        stride: int,
        act: Act,
        se: bool = False,
        residual: bool = True,
    ) -> None:
        super().__init__(cin, cout, expanded, stride, residual)
        self.expand = ConvNormAct(cin, expanded, settings, act=act) if expanded != cin else nn.Identity()
        self.dw = ConvNormAct(
            expanded, expanded, settings, kernel=kernel, stride=stride, groups=expanded, act=act
        )
        self.se: nn.Module = (
            SqueezeExcite(expanded, make_divisible(expanded / 4)) if se else nn.Identity()
        )  # a quarter of the expanded width, V3 section 5.3
        self.project = ConvNormAct(expanded, cout, settings, act=Act.NONE)

    def finish(self, expanded: Tensor, x: Tensor) -> Tensor:
        """(N, E, H, W) to (N, O, H / stride, W / stride)."""
        out: Tensor = self.project(self.se(self.dw(expanded)))
        return x + out if self.shortcut else out


class FusedBottleneck(Expanding):
    """Expansion by a full kxk convolution with the stride: accelerators prefer few, large convolutions."""

    expand: ConvNormAct

    def __init__(
        self,
        cin: int,
        cout: int,
        expanded: int,
        settings: Settings,
        *,
        kernel: int,
        stride: int,
        act: Act,
        residual: bool = True,
    ) -> None:
        super().__init__(cin, cout, expanded, stride, residual)
        self.expand = ConvNormAct(cin, expanded, settings, kernel=kernel, stride=stride, act=act)
        self.project = ConvNormAct(expanded, cout, settings, act=Act.NONE)

    def finish(self, expanded: Tensor, x: Tensor) -> Tensor:
        """(N, E, H, W) to (N, O, H, W)."""
        out: Tensor = self.project(expanded)
        return x + out if self.shortcut else out


class UniversalBottleneck(nn.Module):
    """V4's universal inverted bottleneck (paper section 4 and figure 4).

    Two optional depthwise convolutions, before and after the 1x1 expansion, give its four cases:
    neither = FFN, only the first = ConvNeXt-like, only the second = inverted bottleneck, both = ExtraDW.
    The second one has the stride if it exists, else the first.
    """

    def __init__(
        self,
        cin: int,
        cout: int,
        expanded: int,
        settings: Settings,
        *,
        start: int,
        mid: int,
        stride: int,
        act: Act,
        layer_scale: bool = False,
    ) -> None:
        super().__init__()
        if stride > 1 and not (start or mid):
            raise ValueError("a UIB without a depthwise convolution cannot have stride 2")
        self.start: nn.Module = (
            ConvNormAct(
                cin, cin, settings, kernel=start, stride=1 if mid else stride, groups=cin, act=Act.NONE
            )
            if start
            else nn.Identity()
        )
        self.expand = ConvNormAct(cin, expanded, settings, act=act)
        self.mid: nn.Module = (
            ConvNormAct(expanded, expanded, settings, kernel=mid, stride=stride, groups=expanded, act=act)
            if mid
            else nn.Identity()
        )
        self.project = ConvNormAct(expanded, cout, settings, act=Act.NONE)
        self.scale: nn.Module = LayerScale(cout) if layer_scale else nn.Identity()
        self.out_channels = cout
        self.stride = stride
        self.shortcut = stride == 1 and cin == cout

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, O, H / stride, W / stride)."""
        out: Tensor = self.scale(self.project(self.mid(self.expand(self.start(x)))))
        return x + out if self.shortcut else out
