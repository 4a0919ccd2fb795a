"""The cost of each part of a detector: backbone rows, extras, predictors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from edgecam.nn.hub.describe import kind
from edgecam.nn.networks.count import COUNTED, layer_macs
from edgecam.nn.networks.ssd import SSD, SSDConfig


@dataclass(frozen=True)
class PartCost:
    """One part of a detector: its name, its kind, its output (channels, height, width), and its cost."""

    name: str
    kind: str
    output: tuple[int, int, int]
    parameters: int
    macs: int


@torch.no_grad()
def describe_ssd(config: SSDConfig) -> list[PartCost]:
    """The parts of a detector in the order in which they run, for one picture of its resolution."""
    model = SSD(config).eval()
    arch = model.backbone.arch
    parts: dict[str, tuple[str, nn.Module]] = {}
    for number, (row, layer) in enumerate(
        zip(arch.features, model.backbone.features, strict=True), arch.first
    ):
        tap = f", tap: {row.tap}" if row.tap else ""
        parts[f"{arch.prefix}_{number}"] = (kind(row) + tap, layer)
    parts |= {f"extra_{i + 1}": ("1x1, 3x3 / 2", extra) for i, extra in enumerate(model.extras)}
    if model.neck is not None:
        parts["neck"] = ("top-down", model.neck)
    parts |= {f"classes_{i + 1}": (config.predictor, head) for i, head in enumerate(model.class_heads)}
    parts |= {f"boxes_{i + 1}": (config.predictor, head) for i, head in enumerate(model.box_heads)}
    seen: dict[str, list[tuple[int, Tensor]]] = {name: [] for name in parts}
    hooks = []
    for name, (_, part) in parts.items():
        for leaf in part.modules():
            if isinstance(leaf, COUNTED):

                def watch(layer: nn.Module, inputs: Any, output: Tensor, name: str = name) -> None:
                    seen[name].append((layer_macs(layer, inputs[0], output), output))

                hooks.append(leaf.register_forward_hook(watch))
    model(torch.zeros(1, 3, config.resolution, config.resolution))
    for hook in hooks:
        hook.remove()
    costs = []
    for name, (what, part) in parts.items():
        if calls := seen[name]:
            _, channels, height, width = calls[-1][1].shape
            params = sum(p.numel() for p in part.parameters())
            costs.append(PartCost(name, what, (channels, height, width), params, sum(m for m, _ in calls)))
    return costs
