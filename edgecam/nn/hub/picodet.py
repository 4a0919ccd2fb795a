"""The published PicoDet-S: loads the layers of the ``.npz`` by name into our own network definition."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from edgecam.core.errors import ModelError
from edgecam.nn.hub.npz_weights import read_npz
from edgecam.nn.networks.layers import ConvNormAct
from edgecam.nn.networks.picodet import PicoDet

Arrays = Mapping[str, NDArray[np.generic]]


#: Maps layer names in the file to our modules: the levels of our head are in a list.
def _our_name(name: str) -> str:
    return name.replace("head.", "head.levels.", 1) if name.startswith("head.") else name


def _convolution(module: nn.Module, name: str) -> nn.Conv2d:
    """The convolution that is called ``name`` in the file."""
    target = module.get_submodule(_our_name(name))
    conv = target.conv if isinstance(target, ConvNormAct) else target
    assert isinstance(conv, nn.Conv2d)
    return conv


@torch.no_grad()
def copy_layers(module: nn.Module, arrays: Arrays, prefixes: tuple[str, ...] = ("",)) -> int:
    """Copy every layer of the file whose name begins with one of ``prefixes``; returns how many.

    Raises :class:`ModelError` at the first layer that ``module`` lacks or has in another shape.
    """
    count = 0
    for key in arrays:
        if not key.endswith(".weight") or not key.startswith(prefixes):
            continue
        name = key.removesuffix(".weight")
        try:
            conv = _convolution(module, name)
            assert conv.bias is not None
            for ours, theirs in ((conv.weight, arrays[key]), (conv.bias, arrays[f"{name}.bias"])):
                tensor = torch.from_numpy(theirs.astype(np.float32))
                if tensor.shape != ours.shape:
                    raise ValueError(f"is {tuple(tensor.shape)}, ours {tuple(ours.shape)}")
                ours.copy_(tensor)
        except (AttributeError, KeyError, ValueError) as error:
            raise ModelError(f"the layer '{name}' of the weights does not fit: {error}") from error
        count += 1
    return count


def load_picodet(path: Path, resolution: int = 320) -> PicoDet:
    """The published PicoDet-S from ``picodet_s_320_coco.npz``; :class:`ModelError` for another file."""
    arrays = read_npz(path)
    if "neck.top_down.0.main.weight" not in arrays or "backbone.stage2.0.se.conv1.weight" not in arrays:
        raise ModelError(f"'{path}' is not PicoDet-S: give weights/picodet_s_320_coco.npz")
    model = PicoDet(arrays, resolution)
    copy_layers(model, arrays)
    return model.eval()


def save_picodet(model: PicoDet, source: Path, target: Path) -> None:
    """Write the weights of ``model`` (float32) under the names that they have in ``source``, the published
    file."""
    arrays = dict(read_npz(source))
    for key in list(arrays):
        name = key.removesuffix(".weight")
        if name == key:
            continue
        conv = _convolution(model, name)
        assert conv.bias is not None
        for part, tensor in (("weight", conv.weight), ("bias", conv.bias)):
            arrays[f"{name}.{part}"] = tensor.detach().cpu().contiguous().numpy()
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
