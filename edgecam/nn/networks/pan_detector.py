"""A MobileNet with a CSP-PAN neck and an anchor-free head, described by one table of settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from edgecam.core.errors import ConfigError, ModelError
from edgecam.nn.networks.backbones import build_backbone
from edgecam.nn.networks.gfl_head import GflHead, decode_boxes, set_cells
from edgecam.nn.networks.layers import Act, initialise
from edgecam.nn.networks.pan import CspPan
from edgecam.nn.networks.ssd import fold_batch_norm


@dataclass(frozen=True)
class PanConfig:
    """Everything that determines the layers; stored in checkpoints.

    resolution: side of the square input, pixels, a multiple of the backbone's coarsest stride (32).
    strides: the backbone taps that the neck uses, by their stride in input pixels. extra_level: the neck adds
    one level of twice the coarsest stride (a small input has no use for it).
    neck_width, neck_kernel: channels and depthwise kernel of neck and head; head_depth: pairs in each
    level's tower. bins: of each side's distribution. act: of neck and head, ``relu`` or ``hswish`` (the
    backbone has its paper's); act_finest: of the layers on the finest map, which has two thirds of the
    values of neck and head ("": the same as act). folded: batch norm is merged into the convolutions.
    channels: output channels of each row of a pruned backbone.
    """

    labels: tuple[str, ...]
    backbone: str = "mobilenet_v1"
    width: float = 0.75
    resolution: int = 320
    strides: tuple[int, ...] = (8, 16, 32)
    extra_level: bool = True
    neck_width: int = 96
    neck_kernel: int = 5
    head_depth: int = 2
    bins: int = 8
    act: str = "relu"
    act_finest: str = ""
    folded: bool = False
    channels: tuple[int, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for a checkpoint or a card."""
        return {"kind": "pan", **asdict(self)}

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> PanConfig:
        """Inverse of :meth:`to_dict`; :class:`ModelError` names what does not fit."""
        try:
            fields = {k: v for k, v in data.items() if k != "kind"}
            for name in ("labels", "strides", "channels"):
                fields[name] = tuple(fields[name])
            return PanConfig(**fields)
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(
                f"the checkpoint's architecture is not one of ours ({error}): train it with this version"
            ) from error


def _activation(name: str) -> Act:
    try:
        return {"relu": Act.RELU, "hswish": Act.HSWISH}[name]
    except KeyError:
        raise ConfigError(f"the neck's activation is relu or hswish, not {name!r}") from None


class _Cast(nn.Module):
    """Casts uint8 (N, H, W, 3) to float32 (N, 3, H, W), without normalisation."""

    def forward(self, image: Tensor) -> Tensor:
        return image.permute(0, 3, 1, 2).to(torch.float32)


class PanDetector(nn.Module):
    """Backbone taps, CSP-PAN, GFL head.

    Input float (B, 3, S, S): **BGR / 255**, zero padding, so that the deployed graph needs neither a channel
    flip nor a subtraction. Output ``(logits (B, A, C), sides (B, A, 4 * bins))``; ``points (A, 2)`` are the
    cells' centres and ``cell_strides (A,)`` their strides, in input pixels.
    """

    points: Tensor
    cell_strides: Tensor

    def __init__(self, config: PanConfig) -> None:
        super().__init__()
        self.config = config
        coarsest = max(config.strides)
        if config.resolution % coarsest:
            raise ConfigError(
                f"a PAN detector's resolution is a multiple of {coarsest}, not {config.resolution}"
            )
        act, finest = (_activation(name) for name in (config.act, config.act_finest or config.act))
        base = build_backbone(config.backbone, width=config.width, num_classes=1, channels=config.channels)
        base.head = nn.ModuleList()
        base.classifier = nn.Identity()  # type: ignore[assignment]
        self.backbone = base
        known = {tap.stride: tap for tap in base.taps}
        missing = [s for s in config.strides if s not in known]
        if missing:
            raise ConfigError(f"{config.backbone} has no tap of stride {missing}; it has {sorted(known)}")
        self._used = [i for i, tap in enumerate(base.taps) if tap.stride in config.strides]
        self.neck = CspPan(
            [base.taps[i].channels for i in self._used], config.neck_width, base.settings, act,
            kernel=config.neck_kernel, finest=finest, extra_level=config.extra_level,
        )  # fmt: skip
        self.strides = (*config.strides, 2 * coarsest) if config.extra_level else config.strides
        self.head = GflHead(
            config.neck_width, len(config.labels), len(self.strides), base.settings, act,
            bins=config.bins, depth=config.head_depth, kernel=config.neck_kernel, finest=finest,
        )  # fmt: skip
        initialise(self.neck)
        initialise(self.head)
        self.head.start()
        if config.folded:
            fold_batch_norm(self)
        self.set_side(config.resolution)

    def set_side(self, side: int) -> None:
        """Set the cells for a square input of ``side`` pixels (multi-scale training)."""
        set_cells(self, side, self.strides)

    def feature_maps(self, x: Tensor) -> list[Tensor]:
        """The backbone maps that the neck uses, from fine to coarse."""
        taps = self.backbone.forward_taps(x)
        return [taps[i] for i in self._used]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """See the class."""
        logits, sides = self.head(self.neck(self.feature_maps(x)))
        return logits, sides

    @staticmethod
    def network_input(pictures: Tensor) -> Tensor:
        """uint8 BGR (B, S, S, 3) to the network's input, channels last in memory."""
        return (pictures.permute(0, 3, 1, 2).float() / 255.0).contiguous(memory_format=torch.channels_last)

    def entry(self) -> nn.Module:
        """The module before the network in a deployed graph: a cast. Changes the first layer's
        weights **in place**."""
        stem = next(m for m in self.modules() if isinstance(m, nn.Conv2d))
        with torch.no_grad():
            stem.weight.div_(255.0)
        return _Cast()

    def predictions(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The network's input to boxes (B, A, 4), xyxy relative, and scores (B, A, C)."""
        logits, sides = self(x)
        return self.boxes(sides.float()), torch.sigmoid(logits.float())

    def answer(self, pictures: Tensor) -> tuple[Tensor, Tensor, list[Tensor]]:
        """uint8 BGR (B, S, S, 3) to class logits, side logits and the neck's maps: the outputs that
        distillation asks of a teacher."""
        maps = self.neck(self.feature_maps(self.network_input(pictures)))
        logits, sides = self.head(maps)
        return logits, sides, maps

    def pixel_boxes(self, sides: Tensor) -> Tensor:
        """Side logits (..., A, 4 * bins) to boxes (..., A, 4), xyxy in input pixels."""
        return decode_boxes(sides, self.points, self.cell_strides, self.config.bins)

    def boxes(self, sides: Tensor) -> Tensor:
        """The same relative to the input."""
        return self.pixel_boxes(sides) / self.config.resolution
