"""Rows of an architecture's table, and the loop that builds a network from a table.

A row corresponds to one line of the paper's table. Channel numbers are those of width 1.0; ``tap`` marks
where a detector may take a feature map: at the row's ``"output"``, or at the ``"expansion"`` inside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from torch import Tensor, nn
from torch.nn import functional as F

from edgecam.nn.networks.attention import MobileMQA
from edgecam.nn.networks.blocks import (
    Expanding,
    FusedBottleneck,
    InvertedBottleneck,
    Separable,
    UniversalBottleneck,
)
from edgecam.nn.networks.layers import Act, ConvNormAct, Settings, initialise, make_divisible

TapAt = Literal["output", "expansion"]


class Tap(NamedTuple):
    """A feature map for detection: its name in the table, its channels, its stride in input pixels."""

    name: str
    channels: int
    stride: int


class Row(Protocol):
    """One line of a table."""

    @property
    def out(self) -> int:
        """Output channels at width 1.0."""
        ...

    @property
    def stride(self) -> int:
        """1 or 2."""
        ...

    @property
    def tap(self) -> TapAt | None:
        """Where a detector may take a feature map."""
        ...

    def build(self, cin: int, cin_paper: int, settings: Settings) -> nn.Module:
        """The module of this row; ``cin`` is scaled by the width, ``cin_paper`` is the table's number."""
        ...


@dataclass(frozen=True)
class Conv:
    """A plain convolution. A width multiplier reduces its channels to no fewer than ``at_least``, and does
    not change them if ``fixed``.
    """

    out: int
    kernel: int = 1
    stride: int = 1
    act: Act = Act.RELU6
    norm: bool = True
    at_least: int = 0
    fixed: bool = False
    tap: TapAt | None = None

    def build(self, cin: int, cin_paper: int, settings: Settings) -> nn.Module:  # noqa: ARG002
        """Convolution, norm, activation."""
        cout = self.out if self.fixed else settings.scaled(self.out, self.at_least)
        return ConvNormAct(
            cin, cout, settings, kernel=self.kernel, stride=self.stride, act=self.act, norm=self.norm
        )


@dataclass(frozen=True)
class SeparableRow:
    """V1's depthwise + pointwise pair ("Conv dw / s, Conv / s1" in its table 1)."""

    out: int
    stride: int = 1
    kernel: int = 3
    act: Act = Act.RELU6
    tap: TapAt | None = None

    def build(self, cin: int, cin_paper: int, settings: Settings) -> nn.Module:  # noqa: ARG002
        """Depthwise then pointwise."""
        cout = settings.scaled(self.out)
        return Separable(cin, cout, settings, kernel=self.kernel, stride=self.stride, act=self.act)


@dataclass(frozen=True)
class Bottleneck:
    """An inverted residual with expansion ratio ``t`` (V2, EdgeTPU) or ``expanded`` channels (V3)."""

    out: int
    stride: int = 1
    kernel: int = 3
    t: float = 0.0
    expanded: int = 0
    se: bool = False
    act: Act = Act.RELU6
    fused: bool = False
    residual: bool = True
    tap: TapAt | None = None

    def build(self, cin: int, cin_paper: int, settings: Settings) -> nn.Module:
        """Expand, filter, project. Other widths keep the ratio of expansion to input."""
        ratio = self.t or self.expanded / cin_paper
        wide = cin if ratio == 1 else make_divisible(cin * ratio, settings.divisor)
        cout = settings.scaled(self.out)
        if self.fused:
            return FusedBottleneck(
                cin,
                cout,
                wide,
                settings,
                kernel=self.kernel,
                stride=self.stride,
                act=self.act,
                residual=self.residual,
            )
        return InvertedBottleneck(
            cin,
            cout,
            wide,
            settings,
            kernel=self.kernel,
            stride=self.stride,
            act=self.act,
            se=self.se,
            residual=self.residual,
        )


@dataclass(frozen=True)
class UIB:
    """V4's universal inverted bottleneck, columns as in the paper's tables; kernel 0 means no convolution."""

    start: int
    mid: int
    expanded: int
    out: int
    stride: int = 1
    act: Act = Act.RELU
    layer_scale: bool = False
    tap: TapAt | None = None

    @property
    def case(self) -> str:
        """The name of this row's case, one of the paper's four (its figure 4)."""
        if self.start and self.mid:
            return "ExtraDW"
        if self.start:
            return "ConvNext"
        return "IB" if self.mid else "FFN"

    def build(self, cin: int, cin_paper: int, settings: Settings) -> nn.Module:
        """The block; other widths keep the ratio of expansion to input."""
        wide = make_divisible(cin * self.expanded / cin_paper, settings.divisor)
        return UniversalBottleneck(
            cin,
            settings.scaled(self.out),
            wide,
            settings,
            start=self.start,
            mid=self.mid,
            stride=self.stride,
            act=self.act,
            layer_scale=self.layer_scale,
        )


@dataclass(frozen=True)
class MQA:
    """V4-Hybrid's Mobile MQA; ``out`` equals the input; ``kv_stride`` 2 halves the map of keys and values."""

    out: int
    heads: int
    key_dim: int
    kv_stride: int = 1
    stride: int = 1
    tap: TapAt | None = None

    def build(self, cin: int, cin_paper: int, settings: Settings) -> nn.Module:
        """The attention block; the number and size of its heads do not change with the width."""
        if cin_paper != self.out:
            raise ValueError(f"attention keeps its channels, but the table says {cin_paper} to {self.out}")
        return MobileMQA(cin, settings, heads=self.heads, key_dim=self.key_dim, kv_stride=self.kv_stride)


@dataclass(frozen=True)
class Architecture:
    """A table: ``features`` before the global pooling, ``head`` after it, then the classifier."""

    name: str
    paper: str
    features: tuple[Row, ...]
    head: tuple[Row, ...] = ()
    resolution: int = 224
    dropout: float = 0.2
    bn_eps: float = 1e-5
    bn_momentum: float = 0.1
    prefix: str = "layer"
    first: int = 1  # the stem's number in the names of taps: Google's endpoints are layer_1.. (V1: conv 0..)


class Backbone(nn.Module):
    """A network built from a table: a classifier, and a source of feature maps for detectors.

    Input: float (N, 3, H, W) of any H and W; the weights determine the value range (``[-1, 1]`` for
    published TensorFlow weights). ``taps`` describes the maps of :meth:`forward_taps`, in the same order.
    """

    def __init__(
        self, arch: Architecture, settings: Settings, num_classes: int = 1000, dropout: float | None = None
    ) -> None:
        super().__init__()
        self.arch = arch
        self.settings = settings
        self.num_classes = num_classes
        features, cin, cin_paper = _stack(arch.features, 3, 3, settings)
        self.features = nn.ModuleList(features)
        self.feature_channels = cin
        head, cin, _ = _stack(arch.head, cin, cin_paper, settings)
        self.head = nn.ModuleList(head)
        self.dropout = nn.Dropout(arch.dropout if dropout is None else dropout)
        self.classifier = nn.Linear(cin, num_classes)
        self.taps: tuple[Tap, ...] = tuple(_taps(arch, features))
        self._marks: list[TapAt | None] = [row.tap for row in arch.features]
        initialise(self)

    def forward_features(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) to the last feature map, (N, feature_channels, H / 32, W / 32)."""
        for layer in self.features:
            x = layer(x)
        return x

    def forward_taps(self, x: Tensor) -> list[Tensor]:
        """(N, 3, H, W) to one (N, tap.channels, ceil(H / tap.stride), ceil(W / tap.stride)) per tap.

        Layers after the last tap do not run.
        """
        maps: list[Tensor] = []
        for layer, mark in zip(self.features, self._marks, strict=True):
            if mark == "expansion":
                assert isinstance(layer, Expanding)
                expanded = layer.expansion(x)
                maps.append(expanded)
                if len(maps) == len(self.taps):
                    break
                x = layer.finish(expanded, x)
                continue
            x = layer(x)
            if mark == "output":
                maps.append(x)
            if len(maps) == len(self.taps):
                break
        return maps

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) to logits (N, num_classes)."""
        x = F.adaptive_avg_pool2d(self.forward_features(x), 1)
        for layer in self.head:
            x = layer(x)
        logits: Tensor = self.classifier(self.dropout(x.flatten(1)))
        return logits


def _stack(
    rows: Sequence[Row], cin: int, cin_paper: int, settings: Settings
) -> tuple[list[nn.Module], int, int]:
    """Build each row's module with the output channels of the one before as its input."""
    modules: list[nn.Module] = []
    for row in rows:
        module = row.build(cin, cin_paper, settings)
        cin, cin_paper = _channels(module), row.out
        modules.append(module)
    return modules, cin, cin_paper


def _channels(module: nn.Module) -> int:
    channels = module.out_channels
    assert isinstance(channels, int)
    return channels


def _taps(arch: Architecture, features: Sequence[nn.Module]) -> Iterator[Tap]:
    stride = 1
    for index, (row, module) in enumerate(zip(arch.features, features, strict=True), start=arch.first):
        name = f"{arch.prefix}_{index}"
        if row.tap == "expansion":
            assert isinstance(module, InvertedBottleneck)  # a fused block has its stride inside the expansion
            yield Tap(f"{name}/expansion_output", module.expanded_channels, stride)
        stride *= row.stride
        if row.tap == "output":
            yield Tap(name, _channels(module), stride)
