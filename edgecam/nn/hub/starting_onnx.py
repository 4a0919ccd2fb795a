"""Start training a classifier from an ONNX file of ours: shipped, or made by `edgecam models pull`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from edgecam.core.errors import ModelError
from edgecam.nn.export.card_writer import card_of, load_model
from edgecam.nn.export.onnx_graph import initialisers, layers
from edgecam.nn.networks.table import Backbone

#: The prefix that the exporter gives to the network's own tensors (ClassifierForExport.logits).
_PREFIX = "logits."
#: The input of edgecam's own trainings: RGB / 127.5 - 1.
_HALF = 127.5


def recipe_fields(weights: Path) -> dict[str, Any]:
    """architecture, width and padding of a classifier's float file; :class:`ModelError` if it is not one."""
    model = load_model(weights)
    card = card_of(model, str(weights))
    if card.task != "classification" or card.precision != "fp32":
        raise ModelError(f"'{weights}' is not a float classifier but {card.precision} for {card.task}.")
    pads = next((list(a.ints) for a in layers(model)[0].attribute if a.name == "pads"), [0, 0, 0, 0])
    return {
        "architecture": card.architecture,
        "width": card.width_multiplier,
        # TensorFlow pads a stride of two at the bottom and right only
        "padding": "tf" if pads[:2] != pads[2:] else "symmetric",
    }


@torch.no_grad()
def load_onnx(network: Backbone, weights: Path) -> None:
    """Fill ``network``, whose batch norm is folded already, from the file's tensors, by name.

    The file's own normalisation is removed from its first layer, so that the network takes RGB / 127.5 - 1.
    A classifier with another number of classes keeps its fresh weights.
    """
    model = load_model(weights)
    card = card_of(model, str(weights))
    own = initialisers(model)
    for node in layers(model):  # a bias made by folding may have any name; a bias of zeros is omitted
        weight = own[node.input[1]]
        none = np.zeros(weight.shape[0], np.float32)
        bias = own.get(node.input[2], none) if len(node.input) > 2 else none
        own[f"{node.input[1].removesuffix('.weight')}.bias"] = bias
    arrays = {k.removeprefix(_PREFIX): v for k, v in own.items()}
    same = len(card.labels) == network.num_classes
    stem = next(name for name, part in network.named_modules() if isinstance(part, nn.Conv2d))
    for name, target in network.named_parameters():
        if name.startswith("classifier.") and not same:
            continue
        value = arrays.get(name)
        if value is None or tuple(value.shape) != tuple(target.shape):
            found = "is missing" if value is None else f"has shape {value.shape}, not {tuple(target.shape)}"
            raise ModelError(f"'{weights}' does not fit {network.arch.name}: '{name}' {found}.")
        target.copy_(torch.from_numpy(np.array(value)))
    _take_input_out(network.get_submodule(stem), arrays, weights)


def _take_input_out(conv: nn.Module, arrays: dict[str, NDArray[Any]], weights: Path) -> None:
    """Convert weights for BGR 0 ... 255 minus the file's offset to weights for RGB / 127.5 - 1."""
    offset = arrays.get("input.offset")
    if not isinstance(conv, nn.Conv2d) or conv.bias is None or offset is None or offset.size != 3:
        raise ModelError(f"'{weights}' does not begin as edgecam's exports do: start from another file.")
    shift = _HALF - torch.from_numpy(np.array(offset)).reshape(1, 3, 1, 1)
    conv.bias.add_((conv.weight * shift).sum((1, 2, 3)))
    conv.weight.copy_(conv.weight.flip(1) * _HALF)
