"""Load published weights that come as plain arrays with the batch norm folded in.

A file holds ``conv_00.weight`` (O, I / groups, kh, kw) and ``conv_00.bias`` (O,), in the order of the forward
pass. The folded bias becomes the batch norm's beta; :func:`measure_norms` then gives each batch norm the
statistics of its own input, so that training can go on from there.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgecam.core.errors import ModelError
from edgecam.core.files import check_archive
from edgecam.nn.networks.layers import ConvNormAct
from edgecam.nn.networks.table import Backbone

log = logging.getLogger(__name__)

Layer = ConvNormAct | nn.Conv2d | nn.Linear
Arrays = Mapping[str, NDArray[np.generic]]


def read_npz(path: str | Path) -> dict[str, NDArray[np.generic]]:
    """All arrays of ``path``, never unpickled; :class:`ModelError` if it is not an ``.npz`` file."""
    try:
        check_archive(Path(path))
        with Path(path).open("rb") as handle, np.load(handle, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except FileNotFoundError:
        raise ModelError(f"no weights file at {str(path)!r}") from None
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise ModelError(f"{str(path)!r} is not a readable .npz of plain arrays: {error}") from error


def weight_layers(module: nn.Module) -> list[Layer]:
    """Every layer with weights below ``module``, in the order of its definition.

    For the whole family that is the order of the forward pass. A convolution inside a :class:`ConvNormAct`
    is returned as that block, together with its norm.
    """
    found: list[Layer] = []

    def walk(part: nn.Module) -> None:
        if isinstance(part, (ConvNormAct, nn.Conv2d, nn.Linear)):
            found.append(part)
            return
        for child in part.children():
            walk(child)

    walk(module)
    return found


@torch.no_grad()
def load_folded(layers: Sequence[Layer], arrays: Arrays, first: int = 0) -> None:
    """Load the arrays from ``conv_{first:02d}`` on into ``layers``.

    A layer with batch norm gets neutral statistics, gamma = sqrt(1 + eps) and beta = bias: in evaluation mode
    it computes exactly what the folded network does. Raises :class:`ModelError` at the first array that is
    missing or has another shape.
    """
    for number, layer in enumerate(layers, start=first):
        name = f"conv_{number:02d}"
        target = layer.conv if isinstance(layer, ConvNormAct) else layer
        weight, bias = _pair(arrays, name, target.weight)
        target.weight.copy_(weight)
        norm = layer.bn if isinstance(layer, ConvNormAct) else None
        if isinstance(norm, nn.BatchNorm2d):
            norm.reset_running_stats()
            norm.weight.fill_((1.0 + norm.eps) ** 0.5)
            norm.bias.copy_(bias)
        elif target.bias is not None:
            target.bias.copy_(bias)
        else:
            raise ModelError(f"{name} has a bias, but the layer it belongs to has neither norm nor bias")


def _pair(arrays: Arrays, name: str, like: Tensor) -> tuple[Tensor, Tensor]:
    try:
        weight, bias = arrays[f"{name}.weight"], arrays[f"{name}.bias"]
    except KeyError:
        raise ModelError(f"the weights have no {name}: they end before the architecture does") from None
    tensor = torch.from_numpy(weight.astype(np.float32))
    if like.ndim == 2:
        tensor = tensor.flatten(1)
    if tensor.shape != like.shape:
        raise ModelError(
            f"{name}.weight has shape {tuple(tensor.shape)}, the architecture wants {tuple(like.shape)}: "
            "wrong architecture or width multiplier"
        )
    return tensor, torch.from_numpy(bias.astype(np.float32))


def load_published_npz(backbone: Backbone, path: str | Path) -> Backbone:
    """Load Google's V1 or V2 classifier, or the backbone part of its SSD, into ``backbone``; returns it.

    ``backbone`` should be built with ``padding="tf"``; its input is RGB / 127.5 - 1. The files have 1001
    classes, 0 being background: with 1001 classes all are taken, with 1000 the background is dropped, and
    with any other number the classifier keeps its fresh weights. Raises :class:`ModelError` if the arrays
    do not fit.
    """
    arrays = read_npz(path)
    if "anchors_yxhw" in arrays:  # a detector, whose first convolutions are the backbone
        load_folded(weight_layers(backbone.features), arrays)
        return backbone
    layers = weight_layers(backbone)
    count = sum(name.endswith(".weight") for name in arrays)
    if count != len(layers):
        raise ModelError(
            f"{str(path)!r} holds {count} layers, {backbone.arch.name} has {len(layers)}: not its weights"
        )
    last = f"conv_{count - 1:02d}"
    published = arrays[f"{last}.weight"].shape[0]
    if backbone.num_classes == published - 1:
        arrays[f"{last}.weight"] = arrays[f"{last}.weight"][1:]
        arrays[f"{last}.bias"] = arrays[f"{last}.bias"][1:]
    elif backbone.num_classes != published:
        log.info(
            "the classifier keeps its fresh weights: %d classes, not %d", backbone.num_classes, published
        )
        layers = layers[:-1]
    load_folded(layers, arrays)
    return backbone


@torch.no_grad()
def measure_norms(module: nn.Module, batches: Iterable[Tensor]) -> None:
    """Give each batch norm of ``module`` the mean and variance of its own input over ``batches``.

    gamma and beta are adjusted, so the output in evaluation mode does not change; in training mode the
    network then starts from the same function. ``batches`` are network inputs, a few hundred pictures in
    all. Runs in evaluation mode and restores the mode.
    """
    norms = [part for part in module.modules() if isinstance(part, nn.BatchNorm2d)]
    sums = {
        norm: (torch.zeros_like(norm.bias).double(), torch.zeros_like(norm.bias).double()) for norm in norms
    }
    counts = dict.fromkeys(norms, 0)

    def watch(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        assert isinstance(norm, nn.BatchNorm2d)
        x = inputs[0].double()
        sums[norm][0].add_(x.sum((0, 2, 3)))
        sums[norm][1].add_(x.square().sum((0, 2, 3)))
        counts[norm] += x.shape[0] * x.shape[2] * x.shape[3]

    hooks = [norm.register_forward_pre_hook(watch) for norm in norms]
    training = module.training
    module.eval()
    try:
        for batch in batches:
            module(batch)
    finally:
        module.train(training)
        for hook in hooks:
            hook.remove()
    for norm in norms:
        if counts[norm]:
            total, squares = sums[norm]
            mean = total / counts[norm]
            _restate(norm, mean, (squares / counts[norm] - mean.square()).clamp_min(0.0))


def _restate(norm: nn.BatchNorm2d, mean: Tensor, var: Tensor) -> None:
    """Set new statistics for ``norm``, with gamma and beta such that its output stays the same."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    slope = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
    offset = norm.bias.double() - norm.running_mean.double() * slope
    gamma = slope * (var + norm.eps).sqrt()
    norm.weight.copy_(gamma)
    norm.bias.copy_(offset + mean * slope)
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(var)
