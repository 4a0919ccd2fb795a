"""Start training a detector from one of our ONNX files: the shipped default, or a user's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from edgecam.core.errors import ModelError
from edgecam.nn.export.card_writer import card_of, load_model
from edgecam.nn.export.onnx_graph import initialisers, layers
from edgecam.nn.networks.pan_detector import PanConfig, PanDetector
from edgecam.nn.networks.ssd import fold_batch_norm

#: The prefix that the exporter gives to the names of the network's own tensors.
_PREFIX = "model."


def _tensor(arrays: dict[str, NDArray[Any]], name: str) -> NDArray[Any] | None:
    """A parameter of the network by its name. The deployed head has no such prefix, and its predictors are
    split in two: see :class:`edgecam.nn.networks.gfl_head.DecodingHead`. The neck's top-down blocks are split
    in two by their inputs: see :class:`edgecam.nn.networks.pan.DeployedTopDown`."""
    if f"{_PREFIX}{name}" not in arrays and name.startswith("neck.top_down."):
        layer, _, kind = name.partition(".conv.")
        coarse, fine = (arrays.get(f"{_PREFIX}{layer}.{part}.{kind}") for part in ("coarse", "fine"))
        if coarse is not None and fine is not None and kind == "weight":
            return np.concatenate([coarse, fine], axis=1)
        return fine
    if name.startswith("head.") and f"{_PREFIX}{name}" not in arrays:
        level, _, kind = name.partition(".pred.")
        parts = [arrays.get(f"{level}.pred.{half}.{kind}") for half in ("classes", "sides")] if kind else []
        whole = [part for part in parts if part is not None]
        return np.concatenate(whole) if len(whole) == 2 else arrays.get(name)
    return arrays.get(f"{_PREFIX}{name}")


@torch.no_grad()
def load_detector_onnx(path: Path) -> PanDetector:
    """The PAN detector in a float ONNX file, its batch norm folded; :class:`ModelError` if it is not one.

    The card's ``extra["table"]`` gives its settings; the file's tensors are matched by name.
    """
    model = load_model(path)
    card = card_of(model, str(path))
    table = card.extra.get("table", {})
    if card.precision != "fp32" or not isinstance(table, dict) or table.get("kind") != "pan":
        raise ModelError(
            f"'{path}' is {card.precision} {card.architecture}: start from the fp32 file of a PAN detector, "
            "or from a checkpoint (.pt)"
        )
    network = PanDetector(PanConfig.from_dict({**table, "labels": list(card.labels), "folded": False}))
    fold_batch_norm(network)
    network.config = PanConfig.from_dict({**table, "labels": list(card.labels), "folded": True})
    arrays = initialisers(model)
    for node in layers(model):  # a bias made by folding may have any name; a bias of zeros is omitted
        name = node.input[1]
        if name.endswith(".weight"):
            none = np.zeros(arrays[name].shape[0], np.float32)
            bias = arrays[node.input[2]] if len(node.input) > 2 else none
            arrays[f"{name.removesuffix('.weight')}.bias"] = bias
    for name, target in network.named_parameters():
        value = _tensor(arrays, name)
        if value is None or tuple(value.shape) != tuple(target.shape):
            found = "is missing" if value is None else f"has shape {value.shape}, not {tuple(target.shape)}"
            raise ModelError(f"'{path}' does not fit its own table: '{name}' {found}; export it again")
        target.copy_(torch.from_numpy(np.array(value)))
    # the file takes 0 ... 255, the network BGR / 255
    network.get_submodule("backbone.features.0.conv").weight.mul_(255.0)  # type: ignore[operator]
    return network.eval()
