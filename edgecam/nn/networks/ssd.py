"""SSD and SSDLite on any backbone of the family, described by one table of settings.

Liu et al. 2016 (SSD), Sandler et al. 2018 section 6.2 (SSDLite: separable predictors and extras). A light
top-down neck (after Lin et al. 2017, with separable convolutions) is optional, since plain SSDLite detects
few small objects.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgecam.core.errors import ConfigError, ModelError
from edgecam.nn.networks.anchors import decode, make_anchors, tap_sizes
from edgecam.nn.networks.backbones import build_backbone
from edgecam.nn.networks.layers import Act, ConvNormAct, Padding, Settings, initialise

#: The prior score of an object in an untrained classifier (Lin et al. 2017, "Focal Loss", section 4.1).
_PRIOR = 0.01

Predictor = Literal["pointwise", "conv3x3", "separable"]


@dataclass(frozen=True)
class SSDConfig:
    """Everything that determines an SSD's layers; stored in checkpoints.

    resolution: side of the square input, pixels.
    strides: the backbone taps that are used, by their stride in input pixels.
    extras: (squeezed, output) channels of each additional map; each is half the size of the one before.
    predictor: ``pointwise`` (Google's published SSD-MobileNetV1), ``conv3x3`` (SSD), ``separable`` (SSDLite).
    anchor_scale: factor on all anchors. Weights still fit at another resolution if anchors keep their
        size in pixels: 300 / 192 for 192 px.
    anchor_taps: rows of the anchor table, 0 for as many as there are maps; if there are more rows than maps,
        the coarsest rows are not used.
    neck_channels: width of the top-down neck, 0 for none.
    folded: batch norm is merged into the convolutions (fine-tuning with frozen statistics, 1.7 times faster).
    reduced_tail: V3's channels after C4 are halved (its table 6).
    clip_anchors: anchors are limited to the size of the picture (torchvision's SSDs).
    channels: output channels of each row of a pruned backbone; if empty, the table's, scaled by the width.
    """

    labels: tuple[str, ...]
    backbone: str = "mobilenet_v1"
    width: float = 1.0
    padding: Padding = "symmetric"
    resolution: int = 300
    strides: tuple[int, ...] = (16, 32)
    extras: tuple[tuple[int, int], ...] = ((256, 512), (128, 256), (128, 256), (64, 128))
    separable_extras: bool = False
    predictor: Predictor = "pointwise"
    neck_channels: int = 0
    min_scale: float = 0.2
    max_scale: float = 0.95
    reduce_lowest: bool = True
    anchor_scale: float = 1.0
    anchor_taps: int = 0
    folded: bool = False
    reduced_tail: bool = False
    clip_anchors: bool = False
    channels: tuple[int, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for a checkpoint or a card."""
        return asdict(self)

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> SSDConfig:
        """Inverse of :meth:`to_dict`; :class:`ModelError` names what does not fit."""
        try:
            fields = dict(data)
            fields["labels"] = tuple(fields["labels"])
            fields["strides"] = tuple(fields["strides"])
            fields["channels"] = tuple(fields.get("channels", ()))
            fields["extras"] = tuple((int(a), int(b)) for a, b in fields["extras"])
            return SSDConfig(**fields)
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(
                f"the checkpoint's architecture is not one of ours ({error}): train it with this version"
            ) from error


class _Extra(nn.Module):
    """A 1x1 squeeze, then a strided 3x3: computes the next map, half as large."""

    def __init__(self, cin: int, squeezed: int, cout: int, settings: Settings, separable: bool) -> None:
        super().__init__()
        self.squeeze = ConvNormAct(cin, squeezed, settings)
        if separable:
            self.down: nn.Module = nn.Sequential(
                ConvNormAct(squeezed, squeezed, settings, kernel=3, stride=2, groups=squeezed),
                ConvNormAct(squeezed, cout, settings),
            )
        else:
            self.down = ConvNormAct(squeezed, cout, settings, kernel=3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.down(self.squeeze(x))
        return out


class TopDownNeck(nn.Module):
    """FPN-lite: laterals of equal width, nearest-neighbour upsampling, a separable 3x3 on each sum."""

    def __init__(self, channels: list[int], width: int, settings: Settings) -> None:
        super().__init__()
        self.laterals = nn.ModuleList(ConvNormAct(c, width, settings, act=Act.NONE) for c in channels)
        self.smooth = nn.ModuleList(
            nn.Sequential(
                ConvNormAct(width, width, settings, kernel=3, groups=width),
                ConvNormAct(width, width, settings),
            )
            for _ in channels
        )

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """Maps from fine to coarse; each has ``width`` channels afterwards."""
        merged: list[Tensor] = []
        above: Tensor | None = None
        for lateral, feature in zip(reversed(self.laterals), reversed(maps), strict=True):
            here = lateral(feature)
            if above is not None:
                here = here + F.interpolate(above, size=here.shape[-2:], mode="nearest")
            merged.append(here)
            above = here
        return [smooth(m) for smooth, m in zip(self.smooth, reversed(merged), strict=True)]


def _predictor(kind: Predictor, cin: int, cout: int, settings: Settings) -> nn.Module:
    if kind == "pointwise":
        return nn.Conv2d(cin, cout, 1)
    if kind == "conv3x3":
        return nn.Conv2d(cin, cout, 3, padding=1)
    if kind == "separable":
        return nn.Sequential(ConvNormAct(cin, cin, settings, kernel=3, groups=cin), nn.Conv2d(cin, cout, 1))
    raise ConfigError(f"predictor {kind!r} is unknown; use 'pointwise', 'conv3x3' or 'separable'")


class SSD(nn.Module):
    """Backbone taps, extras, an optional neck, and one class and one box predictor per map.

    Input float (B, 3, S, S) as the backbone's weights expect (published TensorFlow weights: RGB / 127.5 - 1).
    Output ``(logits (B, A, C), deltas (B, A, 4))``; ``anchors (A, 4)`` and deltas are in y, x, h, w order.
    """

    anchors: Tensor

    def __init__(self, config: SSDConfig) -> None:
        super().__init__()
        self.config = config
        base = build_backbone(
            config.backbone,
            width=config.width,
            num_classes=1,
            padding=config.padding,
            reduced_tail=config.reduced_tail,
            channels=config.channels,
        )
        base.head = nn.ModuleList()
        base.classifier = nn.Identity()  # type: ignore[assignment]
        self.backbone = base
        known = {tap.stride: tap for tap in base.taps}
        missing = [s for s in config.strides if s not in known]
        if missing:
            raise ConfigError(f"{config.backbone} has no tap of stride {missing}; it has {sorted(known)}")
        self._used = [i for i, tap in enumerate(base.taps) if tap.stride in config.strides]
        settings = base.settings
        channels = [base.taps[i].channels for i in self._used]
        extras, cin = [], channels[-1]
        for squeezed, cout in config.extras:
            extras.append(_Extra(cin, squeezed, cout, settings, config.separable_extras))
            cin = cout
        self.extras = nn.ModuleList(extras)
        channels += [cout for _, cout in config.extras]
        self.neck: TopDownNeck | None = None
        if config.neck_channels:
            self.neck = TopDownNeck(channels, config.neck_channels, settings)
            channels = [config.neck_channels] * len(channels)
        sizes = _sizes(config, len(channels))
        if config.clip_anchors:
            sizes = [[(min(h, 1.0), min(w, 1.0)) for h, w in tap] for tap in sizes]
        classes = len(config.labels)
        self.class_heads = nn.ModuleList(
            _predictor(config.predictor, c, len(s) * classes, settings)
            for c, s in zip(channels, sizes, strict=True)
        )
        self.box_heads = nn.ModuleList(
            _predictor(config.predictor, c, len(s) * 4, settings)
            for c, s in zip(channels, sizes, strict=True)
        )
        for part in (self.extras, self.neck, self.class_heads, self.box_heads):
            if part is not None:
                initialise(part)
        self._prior()
        if config.folded:
            fold_batch_norm(self)
        with torch.no_grad():
            self.eval()
            maps = self.feature_maps(torch.zeros(1, 3, config.resolution, config.resolution))
            self.train()
        grids = [(int(m.shape[2]), int(m.shape[3])) for m in maps]
        self.register_buffer("anchors", make_anchors(grids, sizes), persistent=False)

    def _prior(self) -> None:
        """Initialise the heads: small weights, and a bias that puts every score at the prior."""
        for heads, bias in (
            (self.class_heads, float(torch.logit(torch.tensor(_PRIOR)))),
            (self.box_heads, 0.0),
        ):
            for head in heads:
                last = head[-1] if isinstance(head, nn.Sequential) else head
                assert isinstance(last, nn.Conv2d)
                assert last.bias is not None
                nn.init.normal_(last.weight, 0.0, 0.01)
                nn.init.constant_(last.bias, bias)

    def feature_maps(self, x: Tensor) -> list[Tensor]:
        """The predictors' input maps, from fine to coarse."""
        taps = self.backbone.forward_taps(x)
        maps = [taps[i] for i in self._used]
        for extra in self.extras:
            maps.append(extra(maps[-1]))
        return maps if self.neck is None else self.neck(maps)

    @staticmethod
    def network_input(pictures: Tensor) -> Tensor:
        """uint8 BGR (B, S, S, 3) to float RGB / 127.5 - 1 (B, 3, S, S), channels last in memory."""
        return pictures.permute(0, 3, 1, 2).flip(1).float().div_(127.5).sub_(1.0).contiguous(
            memory_format=torch.channels_last
        )  # fmt: skip

    def predictions(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The network's input to boxes (B, A, 4), xyxy relative, and scores (B, A, C)."""
        logits, deltas = self(x)
        return decode(deltas.float(), self.anchors), torch.sigmoid(logits.float())

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """See the class."""
        maps = self.feature_maps(x)
        classes = len(self.config.labels)
        logits = [_flat(head(m), classes) for head, m in zip(self.class_heads, maps, strict=True)]
        deltas = [_flat(head(m), 4) for head, m in zip(self.box_heads, maps, strict=True)]
        return torch.cat(logits, dim=1), torch.cat(deltas, dim=1)


def _sizes(config: SSDConfig, taps: int) -> list[list[tuple[float, float]]]:
    rows = config.anchor_taps or taps
    table = tap_sizes(rows, config.min_scale, config.max_scale, config.reduce_lowest)[:taps]
    return [[(h * config.anchor_scale, w * config.anchor_scale) for h, w in row] for row in table]


def _flat(x: Tensor, last: int) -> Tensor:
    """(B, n * last, H, W) to (B, H * W * n, last)."""
    return x.permute(0, 2, 3, 1).reshape(x.shape[0], -1, last)


def fold_batch_norm(module: nn.Module) -> int:
    """Merge every batch norm into the convolution before it, in place; returns how many.

    The network then computes in both modes what it computed in evaluation mode before. Training it is
    fine-tuning with frozen statistics, which suits small batches and saves a memory-bound pass per layer.
    """
    count = 0
    for part in module.modules():
        if not isinstance(part, ConvNormAct) or not isinstance(part.bn, nn.BatchNorm2d):
            continue
        norm, conv = part.bn, part.conv
        assert norm.running_mean is not None
        assert norm.running_var is not None
        factor = norm.weight.detach() / torch.sqrt(norm.running_var + norm.eps)
        bias = conv.bias.detach() if conv.bias is not None else torch.zeros_like(norm.running_mean)
        conv.weight = nn.Parameter(conv.weight.detach() * factor[:, None, None, None])
        conv.bias = nn.Parameter((bias - norm.running_mean) * factor + norm.bias.detach())
        part.bn = nn.Identity()
        count += 1
    return count
