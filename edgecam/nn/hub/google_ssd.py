"""Google's published SSD-MobileNetV1 (width 0.75, 300 px, COCO) in our own definition.

The weights (Apache-2.0) are one ``.npz``: 47 convolutions in the order of the forward pass with batch norm
already folded in, dequantised from int8; then the predictors from the coarsest map to the finest, classes
before boxes. Their 91 outputs are background and the 90 COCO ids; ours keep the 80 ids in use, in COCO's
order (a sigmoid per class needs no background).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from edgecam.core.errors import ModelError
from edgecam.core.files import check_archive
from edgecam.nn.labels.coco import COCO80, COCO80_IDS
from edgecam.nn.networks.layers import ConvNormAct
from edgecam.nn.networks.ssd import SSD, SSDConfig

ORIGIN = "Google's published SSD-MobileNetV1 0.75 300 px (COCO), Apache-2.0"

#: Convolutions before the predictors: 27 of the backbone, 8 of the extras.
_FEATURE_CONVS = 35
_PUBLISHED_CLASSES = 91


def google_config(resolution: int = 300) -> SSDConfig:
    """The published architecture; with another ``resolution`` the weights stay and the grids change."""
    return SSDConfig(
        labels=COCO80,
        backbone="mobilenet_v1",
        width=0.75,
        padding="tf",
        resolution=resolution,
        strides=(16, 32),
        extras=((192, 384), (96, 192), (96, 192), (48, 96)),
        predictor="pointwise",
        folded=True,
    )


def published_anchors(path: Path) -> Tensor:
    """The file's own anchors ``(1917, 4)`` as y, x, h, w (rounded to 8 bits, as its quantised boxes were)."""
    check_archive(path)
    with np.load(path) as arrays:
        return torch.from_numpy(arrays["anchors_yxhw"].astype(np.float32))


def load_google_ssd(path: Path, resolution: int = 300) -> SSD:
    """The published detector, ready for training or evaluation; raises :class:`ModelError`
    for another file."""
    model = SSD(google_config(resolution))
    convs = [part.conv for part in model.modules() if isinstance(part, ConvNormAct)]
    try:
        check_archive(path)
        with np.load(path) as arrays, torch.no_grad():
            for index, conv in enumerate(convs):
                _copy(conv, arrays[f"conv_{index:02d}.weight"], arrays[f"conv_{index:02d}.bias"])
            taps = len(model.class_heads)
            for tap in range(taps):
                first = _FEATURE_CONVS + 2 * (taps - 1 - tap)
                weight, bias = arrays[f"conv_{first:02d}.weight"], arrays[f"conv_{first:02d}.bias"]
                keep = _class_rows(weight.shape[0] // _PUBLISHED_CLASSES)
                _copy(model.class_heads[tap], weight[keep], bias[keep])
                _copy(
                    model.box_heads[tap],
                    arrays[f"conv_{first + 1:02d}.weight"],
                    arrays[f"conv_{first + 1:02d}.bias"],
                )
    except (OSError, KeyError, ValueError) as error:
        raise ModelError(
            f"'{path}' is not the published SSD-MobileNetV1 ({error}): "
            "give data/weights/ssd_mobilenet_v1_coco_300.npz"
        ) from error
    return model


def _class_rows(anchors: int) -> list[int]:
    """The output channels to keep: for each anchor, the 80 ids in use (id 0 is background)."""
    return [a * _PUBLISHED_CLASSES + i for a in range(anchors) for i in COCO80_IDS]


def _copy(conv: nn.Module, weight: np.ndarray, bias: np.ndarray) -> None:
    assert isinstance(conv, nn.Conv2d)
    assert conv.bias is not None
    if tuple(conv.weight.shape) != weight.shape:
        raise ValueError(f"a layer is {weight.shape}, ours {tuple(conv.weight.shape)}")
    conv.weight.copy_(torch.from_numpy(weight.astype(np.float32)))
    conv.bias.copy_(torch.from_numpy(bias.astype(np.float32)))
