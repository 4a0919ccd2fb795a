"""Multiply-adds of a module, counted while one input passes through it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from edgecam.nn.networks.attention import MobileMQA

#: The modules that have multiply-adds of their own.
COUNTED = (nn.Conv2d, nn.Linear, MobileMQA)


def layer_macs(layer: nn.Module, x: Tensor, output: Tensor) -> int:
    """Multiply-adds of one convolution, linear layer or attention product, for the whole batch.

    The projections of an attention are convolutions and counted as such. Of the attention itself, only the
    products of queries with keys and of weights with values are counted.
    """
    if isinstance(layer, nn.Conv2d):
        return layer.weight[0].numel() * output.numel()
    if isinstance(layer, nn.Linear):
        return layer.in_features * output.numel()
    if isinstance(layer, MobileMQA):
        queries = x.shape[2] * x.shape[3]
        halved = len(layer.key) > 1
        keys = -(-x.shape[2] // 2) * -(-x.shape[3] // 2) if halved else queries
        return 2 * x.shape[0] * layer.heads * layer.key_dim * queries * keys
    return 0


@torch.no_grad()
def multiply_adds(module: nn.Module, sample: Tensor) -> int:
    """Count all convolutions, linear layers and attentions for ``sample`` (1, 3, H, W), as the papers do."""
    total = 0

    def count(layer: nn.Module, inputs: Any, output: Tensor) -> None:
        nonlocal total
        total += layer_macs(layer, inputs[0], output)

    hooks = [part.register_forward_hook(count) for part in module.modules() if isinstance(part, COUNTED)]
    training = module.training
    module.eval()
    try:
        module(sample)
    finally:
        module.train(training)
        for hook in hooks:
            hook.remove()
    return total
