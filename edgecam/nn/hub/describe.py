"""What each layer of a network costs, and what it would cost with standard convolutions.

Multiply-adds are those of convolutions, linear layers and attention products, as the papers count them; batch
norm is folded away before anything runs. Nothing is computed: the network runs on torch's meta device.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from edgecam.nn.networks.backbones import Backbone, build_backbone
from edgecam.nn.networks.count import COUNTED, layer_macs
from edgecam.nn.networks.layers import ConvNormAct
from edgecam.nn.networks.table import MQA, UIB, Bottleneck, Conv, Row, SeparableRow, TapAt


@dataclass(frozen=True)
class LayerCost:
    """One row of the table as built. ``standard_*`` is the same row with standard convolutions.

    output: (channels, height, width). A depthwise convolution and the pointwise one after it are compared
    with one standard k x k convolution (V1 paper, section 3.1); everything else is counted as it is.
    """

    name: str
    kind: str
    stride: int
    output: tuple[int, int, int]
    parameters: int
    macs: int
    standard_parameters: int
    standard_macs: int
    tap: TapAt | None = None


@dataclass(frozen=True)
class Description:
    """A whole network: its rows and their sums."""

    architecture: str
    paper: str
    width: float
    resolution: int
    num_classes: int
    layers: tuple[LayerCost, ...]

    @property
    def parameters(self) -> int:
        """All trainable parameters."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def macs(self) -> int:
        """Multiply-adds for one picture."""
        return sum(layer.macs for layer in self.layers)

    @property
    def standard_parameters(self) -> int:
        """All trainable parameters of the same network with standard convolutions."""
        return sum(layer.standard_parameters for layer in self.layers)

    @property
    def standard_macs(self) -> int:
        """Multiply-adds of the same network with standard convolutions."""
        return sum(layer.standard_macs for layer in self.layers)

    @property
    def separable_share(self) -> tuple[int, int]:
        """Multiply-adds of the rows with a separable convolution, as built and with standard ones (the
        papers give a factor of 8 to 9)."""
        rows = [layer for layer in self.layers if layer.standard_macs != layer.macs]
        return sum(r.macs for r in rows), sum(r.standard_macs for r in rows)


def describe(
    name: str, *, width: float = 1.0, resolution: int | None = None, num_classes: int = 1000
) -> Description:
    """The cost of every row of ``name``; ``resolution`` defaults to the paper's. Needs no weights.

    Raises :class:`edgecam.core.errors.ConfigError` for an unknown name or impossible width.
    """
    with torch.device("meta"):
        net = build_backbone(name, width=width, num_classes=num_classes).eval()
        side = resolution or net.arch.resolution
        layers = tuple(_layers(net, side))
    return Description(name, net.arch.paper, width, side, num_classes, layers)


def _layers(net: Backbone, side: int) -> Iterator[LayerCost]:
    x = torch.zeros(1, 3, side, side)
    number = net.arch.first
    for row, module in zip(net.arch.features, net.features, strict=True):
        x, cost = _cost(f"{net.arch.prefix}_{number}", row, module, x)
        yield cost
        number += 1
    x = torch.zeros(1, x.shape[1], 1, 1)
    yield LayerCost("pool", "global average", 1, (x.shape[1], 1, 1), 0, 0, 0, 0)
    for row, module in zip(net.arch.head, net.head, strict=True):
        x, cost = _cost(f"{net.arch.prefix}_{number}", row, module, x)
        yield cost
        number += 1
    linear = net.classifier
    params, macs = sum(p.numel() for p in linear.parameters()), linear.weight.numel()
    yield LayerCost("classifier", "linear", 1, (net.num_classes, 1, 1), params, macs, params, macs)


@torch.no_grad()
def _cost(name: str, row: Row, module: nn.Module, x: Tensor) -> tuple[Tensor, LayerCost]:
    seen: list[tuple[nn.Module, Tensor, Tensor]] = []

    def watch(part: nn.Module, inputs: Any, output: Tensor) -> None:
        seen.append((part, inputs[0], output))

    parts = [p for p in module.modules() if isinstance(p, COUNTED)]
    hooks = [part.register_forward_hook(watch) for part in parts]
    out: Tensor = module(x)
    for hook in hooks:
        hook.remove()
    params = sum(p.numel() for p in module.parameters())
    macs = sum(layer_macs(*call) for call in seen)
    extra_params, extra_macs = _standard_extra(module, {id(p): o for p, _, o in seen})
    shape = (int(out.shape[1]), int(out.shape[2]), int(out.shape[3]))
    cost = LayerCost(
        name, kind(row), row.stride, shape, params, macs, params + extra_params, macs + extra_macs, row.tap
    )
    return out, cost


def _standard_extra(module: nn.Module, outputs: dict[int, Tensor]) -> tuple[int, int]:
    """What standard k x k convolutions cost beyond each depthwise and pointwise pair."""
    params = macs = 0
    units = [p.conv for p in module.modules() if isinstance(p, ConvNormAct)]
    for dw, pw in pairwise(units):
        if dw.groups == 1 or pw.groups > 1:
            continue
        area = outputs[id(pw)].shape[2] * outputs[id(pw)].shape[3]
        dw_area = outputs[id(dw)].shape[2] * outputs[id(dw)].shape[3]
        standard = dw.weight[0].numel() * pw.weight.numel()
        params += standard - dw.weight.numel() - pw.weight.numel()
        macs += standard * area - dw.weight.numel() * dw_area - pw.weight.numel() * area
    return params, macs


def kind(row: Row) -> str:
    """The kind of a row, in the papers' terms."""
    if isinstance(row, Conv):
        return f"conv {row.kernel}x{row.kernel}, {row.act.value}" + ("" if row.norm else ", no norm")
    if isinstance(row, SeparableRow):
        return f"separable {row.kernel}x{row.kernel}, {row.act.value}"
    if isinstance(row, Bottleneck):
        wide = f"t {row.t:g}" if row.t else f"exp {row.expanded}"
        what = "fused bottleneck" if row.fused else "bottleneck"
        return f"{what} {row.kernel}x{row.kernel}, {wide}{', SE' if row.se else ''}, {row.act.value}"
    if isinstance(row, UIB):
        kernels = "+".join(f"{k}x{k}" for k in (row.start, row.mid) if k)
        return f"UIB {row.case}{f' {kernels}' if kernels else ''}, exp {row.expanded}, {row.act.value}"
    assert isinstance(row, MQA)
    return f"MQA {row.heads} heads x {row.key_dim}{', kv / 2' if row.kv_stride > 1 else ''}"
