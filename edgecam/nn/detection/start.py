"""The start of a PAN detector: a graft, a fresh network, or a detector for other classes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from edgecam.core.errors import ConfigError, ModelError
from edgecam.nn.detection.config import Model
from edgecam.nn.detection.graft import narrow_backbone, solve_laterals
from edgecam.nn.hub.npz_weights import read_npz
from edgecam.nn.hub.picodet import copy_layers, load_picodet
from edgecam.nn.labels.coco import COCO80
from edgecam.nn.networks.layers import ConvNormAct
from edgecam.nn.networks.pan_detector import PanConfig, PanDetector
from edgecam.nn.networks.ssd import fold_batch_norm

#: Bias of a class that the start does not know: it gives a score of .01 (Lin et al. 2017).
_UNKNOWN_BIAS = -4.6
#: Channels of MobileNetV1's stem at width 1.0.
_STEM_CHANNELS = 32
#: Narrowing uses this many of the pictures that the graft is solved on: it is the slower of the two.
_NARROW_PICTURES = 160


def pan_config(model: Model, labels: tuple[str, ...]) -> PanConfig:
    """The configuration of a fresh PAN detector, from a recipe."""
    return PanConfig(
        labels=labels, backbone=model.backbone, width=model.width, resolution=model.resolution,
        strides=model.strides, neck_width=model.neck_width, neck_kernel=model.neck_kernel,
        head_depth=model.head_depth, bins=model.bins, channels=model.channels,
        act=model.act or "relu", act_finest=model.act_finest, extra_level=model.extra_level,
    )  # fmt: skip


@torch.no_grad()
def start_graft(model: Model, folder: Path) -> PanDetector:
    """Backbone and neck of a graft, not yet joined: batch norm folded, full width, h-swish as in the lender.

    ``model.weights`` is a MobileNetV1's file (the published SSD or classifier), ``model.lender`` PicoDet-S's.
    """
    if not model.weights or not model.lender:
        raise ConfigError("a graft needs a backbone (--from FILE.npz) and a lender (--graft FILE.npz)")
    arrays = read_npz(folder / model.lender)
    backbone = read_npz(folder / model.weights)
    stem = backbone.get("conv_00.weight")
    if model.backbone != "mobilenet_v1" or stem is None:
        raise ConfigError(
            f"a graft stands on a published MobileNetV1's .npz (--from), not on {model.backbone} from "
            f"'{model.weights}'"
        )
    width = stem.shape[0] / _STEM_CHANNELS
    config = replace(pan_config(model, COCO80), width=width, channels=(), act="hswish", act_finest="")
    made = PanDetector(config)
    fold_batch_norm(made)
    made.config = replace(config, folded=True)
    layers = [m.conv for m in made.backbone.modules() if isinstance(m, ConvNormAct)]
    for number, conv in enumerate(layers):
        assert isinstance(conv, nn.Conv2d)
        _published_layer(conv, backbone, f"conv_{number:02d}", first=number == 0)
    neck = {k: v for k, v in arrays.items() if not k.startswith("neck.trans.")}
    copy_layers(made, neck, ("neck.", "head."))
    return made.eval()


def _published_layer(
    conv: nn.Conv2d, arrays: dict[str, NDArray[np.generic]], name: str, *, first: bool
) -> None:
    """Load one layer of a published MobileNet; the first is converted from RGB / 127.5 - 1 to BGR / 255."""
    try:
        weight = torch.from_numpy(arrays[f"{name}.weight"].astype(np.float32))
        bias = torch.from_numpy(arrays[f"{name}.bias"].astype(np.float32))
    except KeyError:
        raise ModelError(f"the backbone's weights have no {name}: give a published MobileNetV1's") from None
    if weight.shape != conv.weight.shape:
        raise ModelError(
            f"{name} is {tuple(weight.shape)}, ours {tuple(conv.weight.shape)}: not the recipe's width"
        )
    if first:
        bias = bias - weight.sum(dim=(1, 2, 3))
        weight = weight.flip(1) * 2.0
    assert conv.bias is not None
    conv.weight.copy_(weight)
    conv.bias.copy_(bias)


def graft(
    start: PanDetector, model: Model, folder: Path, pictures: NDArray[np.uint8]
) -> tuple[PanDetector, list[float]]:
    """Join ``start`` by least squares on ``pictures`` (n, S, S, 3) BGR, and narrow its backbone to the
    recipe's channels.

    Returns the detector and, per level, the share of the lender's variance that remains unexplained.
    """
    lender = load_picodet(folder / model.lender, model.resolution)
    block = torch.from_numpy(np.ascontiguousarray(pictures))
    solve_laterals(start, lender.laterals, block)
    made = start
    if model.channels:
        made = narrow_backbone(start, model.channels, block[:_NARROW_PICTURES])
    left = solve_laterals(made, lender.laterals, block)
    return made, left


@torch.no_grad()
def transfer_pan(model: PanDetector, labels: tuple[str, ...]) -> PanDetector:
    """The same detector for other ``labels``: known classes keep their weights, new ones start fresh."""
    made = PanDetector(replace(model.config, labels=labels))
    state = model.state_dict()
    before, known = len(model.config.labels), {name: i for i, name in enumerate(model.config.labels)}
    for number in range(len(model.head.levels)):
        for kind in ("weight", "bias"):
            name = f"head.levels.{number}.pred.{kind}"
            old = state[name]
            fresh = torch.randn(len(labels), *old.shape[1:]) * 0.01
            if kind == "bias":
                fresh.fill_(_UNKNOWN_BIAS)
            for i, label in enumerate(labels):
                if label in known:
                    fresh[i] = old[known[label]]
            state[name] = torch.cat([fresh, old[before:]])
    made.load_state_dict(state)
    return made
