"""Multiply-adds of a module, counted on the way of one input through it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


@torch.no_grad()
def multiply_adds(module: nn.Module, sample: Tensor) -> int:
    """Of all convolutions and linear layers for ``sample`` (1, 3, H, W); what the papers count."""
    total = 0

    def count(layer: nn.Module, _inputs: Any, output: Tensor) -> None:
        nonlocal total
        if isinstance(layer, nn.Conv2d):
            kernel = layer.weight.shape[1] * layer.weight.shape[2] * layer.weight.shape[3]
            total += kernel * output.shape[1] * output.shape[2] * output.shape[3]
        elif isinstance(layer, nn.Linear):
            total += layer.in_features * output.numel()

    hooks = [
        part.register_forward_hook(count)
        for part in module.modules()
        if isinstance(part, (nn.Conv2d, nn.Linear))
    ]
    training = module.training
    module.eval()
    try:
        module(sample)
    finally:
        module.train(training)
        for hook in hooks:
            hook.remove()
    return total
