"""timm's and torchvision's own modules, with random weights and random batch-norm statistics."""

# torch types a module's part as Tensor | Module, and its state as Tensor | None
# mypy: disable-error-code="arg-type,no-untyped-call,operator"

from __future__ import annotations

import importlib
import warnings

import pytest
import torch
from torch import nn

_DECLARED: list[torch.library.Library] = []


def declare_torchvision_operators() -> None:
    """torchvision's wheel wants a CUDA torch; its Python modules import once these two are declared."""
    if _DECLARED or hasattr(torch.ops.torchvision, "nms"):
        return
    library = torch.library.Library("torchvision", "DEF")
    library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _DECLARED.append(library)


def timm_model(name: str, side: int, **kwargs: object) -> nn.Module:
    declare_torchvision_operators()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        timm = pytest.importorskip("timm")
        model: nn.Module = timm.create_model(name, pretrained=False, **kwargs)
    return randomised(model, side)


#: ours to timm's generating function and the variant it is given
_GENERATORS = {
    "mobilenet_v1": ("efficientnet", "_gen_mobilenet_v1", "mobilenetv1_100"),
    "mobilenet_v2": ("efficientnet", "_gen_mobilenet_v2", "mobilenetv2_100"),
    "mobilenet_v3_large": ("mobilenetv3", "_gen_mobilenet_v3", "mobilenetv3_large_100"),
    "mobilenet_v3_small": ("mobilenetv3", "_gen_mobilenet_v3", "mobilenetv3_small_100"),
    "mobilenet_v3_large_minimalistic": (
        "mobilenetv3",
        "_gen_mobilenet_v3",
        "tf_mobilenetv3_large_minimal_100",
    ),
    "mobilenet_v3_small_minimalistic": (
        "mobilenetv3",
        "_gen_mobilenet_v3",
        "tf_mobilenetv3_small_minimal_100",
    ),
    "mobilenet_edgetpu": ("efficientnet", "_gen_mobilenet_edgetpu", "mobilenet_edgetpu_100"),
    "mobilenet_v4_conv_small": ("mobilenetv3", "_gen_mobilenet_v4", "mobilenetv4_conv_small"),
    "mobilenet_v4_conv_medium": ("mobilenetv3", "_gen_mobilenet_v4", "mobilenetv4_conv_medium"),
    "mobilenet_v4_conv_large": ("mobilenetv3", "_gen_mobilenet_v4", "mobilenetv4_conv_large"),
    "mobilenet_v4_hybrid_medium": ("mobilenetv3", "_gen_mobilenet_v4", "mobilenetv4_hybrid_medium"),
    "mobilenet_v4_hybrid_large": ("mobilenetv3", "_gen_mobilenet_v4", "mobilenetv4_hybrid_large"),
}


def timm_scaled(architecture: str, width: float, side: int) -> nn.Module:
    """timm's network for our ``architecture`` at any width, also those it gives no name."""
    declare_torchvision_operators()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("timm")
        module, function, variant = _GENERATORS[architecture]
        build = getattr(importlib.import_module(f"timm.models.{module}"), function)
        model: nn.Module = build(variant, channel_multiplier=width)
    return randomised(model, side)


def torchvision_model(name: str, side: int, **kwargs: object) -> nn.Module:
    declare_torchvision_operators()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torchvision = pytest.importorskip("torchvision")
        build = getattr(torchvision.models, name, None) or getattr(torchvision.models.detection, name)
        model: nn.Module = build(weights=None, **kwargs)
    return randomised(model, side)


@torch.no_grad()
def randomised(model: nn.Module, side: int, seed: int = 7) -> nn.Module:
    """Random weights and biases everywhere, and random statistics in every batch norm.

    The statistics are scattered around those of random pictures of ``side`` pixels: wholly free ones let
    the signal grow by powers of two along the residual sums, and float32 then has no 1e-4 left to compare.
    """
    generator = torch.Generator().manual_seed(seed)

    def uniform(like: torch.Tensor, low: float, high: float) -> torch.Tensor:
        return torch.rand(like.shape, generator=generator) * (high - low) + low

    norms = [part for part in model.modules() if isinstance(part, nn.BatchNorm2d)]
    for part in model.modules():
        if isinstance(part, (nn.Conv2d, nn.Linear)):
            fan_in = part.weight[0].numel()
            part.weight.copy_(torch.randn(part.weight.shape, generator=generator) * fan_in**-0.5)
            if part.bias is not None:
                part.bias.copy_(uniform(part.bias, -0.2, 0.2))
        elif isinstance(part, nn.BatchNorm2d):
            part.weight.copy_(uniform(part.weight, 0.6, 1.2))
            part.bias.copy_(uniform(part.bias, -0.3, 0.3))
        elif type(part).__name__.startswith("LayerScale"):
            part.gamma.copy_(uniform(part.gamma, 0.2, 0.8))  # the fresh 1e-5 would hide the whole branch

    def scatter(norm: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        assert isinstance(norm, nn.BatchNorm2d)
        assert norm.running_mean is not None
        assert norm.running_var is not None
        var, mean = torch.var_mean(inputs[0], (0, 2, 3), correction=0)
        norm.running_var.copy_(var.clamp(min=0.05) * uniform(var, 0.6, 1.6))
        norm.running_mean.copy_(mean + norm.running_var.sqrt() * uniform(mean, -0.3, 0.3))

    hooks = [norm.register_forward_pre_hook(scatter) for norm in norms]
    model.eval()
    x = torch.randn(4, 3, side, side, generator=generator)
    if hasattr(model, "anchor_generator"):  # a detector: without its NMS, which needs torchvision's binary
        model.head(list(model.backbone(x).values()))
    else:
        model(x)
    for hook in hooks:
        hook.remove()
    return model
