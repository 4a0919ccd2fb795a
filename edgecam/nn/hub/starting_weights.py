"""Start a classifier from published weights of any kind, whatever their classes and normalisation."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from edgecam.core.errors import ModelError
from edgecam.nn.hub.npz_weights import load_published_npz
from edgecam.nn.hub.pull import read_state
from edgecam.nn.hub.registry import IMAGENET_MEAN, IMAGENET_STD, OFFICIAL, Rgb
from edgecam.nn.hub.starting_onnx import load_onnx
from edgecam.nn.networks.backbones import build_backbone
from edgecam.nn.networks.importers import import_state
from edgecam.nn.networks.layers import ConvNormAct
from edgecam.nn.networks.ssd import fold_batch_norm
from edgecam.nn.networks.table import Backbone

Origin = Literal["timm", "torchvision"]

#: The input of edgecam's own trainings: RGB / 127.5 - 1.
_HALF = 127.5


def normalisation(architecture: str, width: float, origin: Origin) -> tuple[Rgb, Rgb]:
    """(mean, std) of RGB in 0 ... 255 with which ``origin`` trained the weights of an architecture."""
    for entry in OFFICIAL:
        if (entry.architecture, entry.width, entry.origin) == (architecture, width, origin):
            mean, std = entry.mean, entry.std
            break
    else:
        mean, std = IMAGENET_MEAN, IMAGENET_STD
    r, g, b = (255.0 * value for value in mean)
    sr, sg, sb = (255.0 * value for value in std)
    return (r, g, b), (sr, sg, sb)


def load_starting(network: Backbone, weights: Path, origin: Origin = "timm") -> None:
    """Load published ``weights`` into ``network``, which takes RGB / 127.5 - 1 afterwards.

    .npz: Google's arrays. .onnx: a float file of ours; its batch norm is folded, so the network's is folded,
    too. Others: a state dict of ``origin``. A classifier with another number of classes keeps its fresh
    weights. Raises :class:`ModelError` for a file that does not fit.
    """
    if weights.suffix == ".npz":
        load_published_npz(network, weights)
        return
    if weights.suffix == ".onnx":
        fold_batch_norm(network)
        load_onnx(network, weights)
        return
    state = read_state(weights)
    classes = _classes(state, weights)
    arch, settings = network.arch, network.settings
    whole = build_backbone(
        arch.name, width=settings.width, num_classes=classes, padding=settings.padding, bn_eps=settings.bn_eps
    )
    import_state(whole, state, origin)
    mean, std = normalisation(arch.name, settings.width, origin)
    take_over_input(whole, mean, std)
    ours = whole.state_dict()
    if classes != network.num_classes:
        ours = {k: v for k, v in ours.items() if not k.startswith("classifier.")}
    network.load_state_dict(ours, strict=classes == network.num_classes)


def _classes(state: dict[str, Tensor], weights: Path) -> int:
    """The number of classes of the last classifier layer in a state dict."""
    names = [
        k for k, v in state.items() if k.startswith("classifier") and k.endswith("weight") and v.ndim >= 2
    ]
    if not names:
        raise ModelError(f"'{weights}' has no classifier layer: it is not a classifier's state dict.")
    return int(state[sorted(names)[-1]].shape[0])


@torch.no_grad()
def take_over_input(network: Backbone, mean: Rgb, std: Rgb) -> None:
    """Make a network for (x - mean) / std take x / 127.5 - 1 with the same outputs, except at the border.

    At the border, zero padding now stands for mid-grey instead of ``mean``. RGB, x in 0 ... 255.
    """
    stem = network.features[0]
    if not isinstance(stem, ConvNormAct):  # all architectures of the family begin with one
        raise ModelError(f"{network.arch.name} does not begin with a convolution.")
    conv, norm = stem.conv, stem.bn
    # (x - mean) / std = u * scale + shift, with u = x / 127.5 - 1
    scale = torch.tensor([_HALF / s for s in std])
    shift = torch.tensor([(_HALF - m) / s for m, s in zip(mean, std, strict=True)])
    offset = (conv.weight * shift.view(1, 3, 1, 1)).sum((1, 2, 3))
    conv.weight.mul_(scale.view(1, 3, 1, 1))
    if conv.bias is not None:
        conv.bias.add_(offset)
    elif isinstance(norm, nn.BatchNorm2d):
        assert norm.running_mean is not None
        norm.running_mean.sub_(offset)
    else:
        raise ModelError(f"{network.arch.name}'s first convolution has neither bias nor batch norm.")
