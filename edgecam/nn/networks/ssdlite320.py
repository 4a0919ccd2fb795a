"""torchvision's ssdlite320_mobilenet_v3_large (COCO, 21.3 mAP) in our own definition.

Howard et al., arXiv:1905.02244, section 6.3 and table 6: V3-Large with a reduced tail, SSDLite heads on C4's
expansion, C5 and four extras. 3,440,060 parameters. Its 91 outputs are background and the 90 COCO ids,
through a softmax; :class:`DeployedSSDLite` keeps the 80 ids that exist.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from edgecam.nn.labels.coco import COCO80_IDS
from edgecam.nn.networks.anchors import decode
from edgecam.nn.networks.importers import Part, State, fill, leaf_modules, leaf_names, pair
from edgecam.nn.networks.ssd import SSD, SSDConfig

NAME = "ssdlite320_mobilenet_v3_large"
_CLASSES = 91
#: torchvision orders a cell's anchors square, in-between square, 2, 1/2, 3, 1/3; ours have the in-between
#: square last. ``theirs[_ORDER[i]]`` is our i-th.
_ORDER = (0, 2, 3, 4, 5, 1)
_YXHW = (1, 0, 3, 2)  # from torchvision's x, y, w, h


def ssdlite320_config() -> SSDConfig:
    """The published architecture."""
    return SSDConfig(
        labels=("background", *(f"id {i}" for i in range(1, _CLASSES))),
        backbone="mobilenet_v3_large",
        resolution=320,
        strides=(16, 32),
        extras=((256, 512), (128, 256), (128, 256), (64, 128)),
        separable_extras=True,
        predictor="separable",
        min_scale=0.2,
        max_scale=0.95,
        reduce_lowest=False,
        reduced_tail=True,
        clip_anchors=True,
    )


def import_ssdlite320(state: State) -> SSD:
    """The detector in evaluation mode, with torchvision's ``state`` dict loaded.

    Raises :class:`edgecam.core.errors.ModelError` for another model's file.
    """
    model = SSD(ssdlite320_config())
    fill(list(_named(model, state)), state, f"torchvision's {NAME}")
    with torch.no_grad():
        for head in model.class_heads:
            _reorder(_last(head), _CLASSES, tuple(range(_CLASSES)))
        for head in model.box_heads:
            _reorder(_last(head), 4, _YXHW)
    return model.eval()


def _named(model: SSD, state: State) -> Iterator[tuple[str, Part]]:
    for prefix, part in (
        ("backbone.features.", model.backbone.features),
        ("backbone.extra.", model.extras),
        ("head.classification_head.", model.class_heads),
        ("head.regression_head.", model.box_heads),
    ):
        names = leaf_names({key: value for key, value in state.items() if key.startswith(prefix)})
        yield from pair(names, leaf_modules(part), prefix + NAME)


def _last(head: nn.Module) -> nn.Conv2d:
    last = list(head.children())[-1]
    assert isinstance(last, nn.Conv2d)
    return last


def _reorder(conv: nn.Conv2d, per_anchor: int, values: tuple[int, ...]) -> None:
    """Permute output channels from torchvision's order of anchors and values to ours."""
    channels = [anchor * per_anchor + value for anchor in _ORDER for value in values]
    conv.weight.copy_(conv.weight[channels].clone())
    assert conv.bias is not None
    conv.bias.copy_(conv.bias[channels].clone())


class DeployedSSDLite(nn.Module):
    """The exported module, without NMS: uint8 BGR in, ``boxes`` and ``scores`` of COCO's 80 classes out."""

    def __init__(self, model: SSD, entry: nn.Module) -> None:
        super().__init__()
        self.entry = entry
        self.model = model

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """(1, 320, 320, 3) uint8 to boxes (1, 3234, 4) relative xyxy and scores (1, 3234, 80)."""
        logits, deltas = self.model(self.entry(image))
        scores = torch.softmax(logits, dim=-1)
        return decode(deltas, self.model.anchors), scores[..., list(COCO80_IDS)]
