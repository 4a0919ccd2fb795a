"""Build any member of the family by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from edgecam.core.errors import ConfigError, suggest
from edgecam.nn.networks.edgetpu import MOBILENET_EDGETPU
from edgecam.nn.networks.layers import Padding, Settings
from edgecam.nn.networks.table import Architecture, Backbone, Conv, SeparableRow, Tap
from edgecam.nn.networks.v1 import MOBILENET_V1
from edgecam.nn.networks.v2 import MOBILENET_V2
from edgecam.nn.networks.v3 import (
    MOBILENET_V3_LARGE,
    MOBILENET_V3_LARGE_MINIMALISTIC,
    MOBILENET_V3_SMALL,
    MOBILENET_V3_SMALL_MINIMALISTIC,
    REDUCED_TAIL,
)
from edgecam.nn.networks.v4 import MOBILENET_V4

__all__ = ["ARCHITECTURES", "Backbone", "Tap", "architecture", "build_backbone"]

ARCHITECTURES: dict[str, Architecture] = {
    arch.name: arch
    for arch in (
        MOBILENET_V1,
        MOBILENET_V2,
        MOBILENET_V3_LARGE,
        MOBILENET_V3_SMALL,
        MOBILENET_V3_LARGE_MINIMALISTIC,
        MOBILENET_V3_SMALL_MINIMALISTIC,
        MOBILENET_EDGETPU,
        *MOBILENET_V4,
    )
}

TF_BN_EPS = 1e-3  # slim's batch_norm epsilon for every published MobileNet
TF_BN_MOMENTUM = 0.01  # slim trains with decay 0.997; torch's momentum is 1 - decay, rounded up here


def architecture(name: str) -> Architecture:
    """The table called ``name``; :class:`ConfigError` names the nearest one."""
    try:
        return ARCHITECTURES[name]
    except KeyError:
        hint = suggest(name, ARCHITECTURES)
        raise ConfigError(
            f"no architecture is called {name!r}{hint}; known are {', '.join(ARCHITECTURES)}"
        ) from None


def build_backbone(
    name: str,
    *,
    width: float = 1.0,
    num_classes: int = 1000,
    padding: Padding = "symmetric",
    dropout: float | None = None,
    bn_eps: float | None = None,
    bn_momentum: float | None = None,
    reduced_tail: bool = False,
    channels: Sequence[int] = (),
) -> Backbone:
    """A network of the family, freshly initialised.

    ``width`` is the width multiplier (channels rounded to multiples of 8); the resolution multiplier is
    simply the size of the input. ``padding="tf"`` pads as TensorFlow does and uses its batch-norm
    constants, for published TensorFlow weights. ``dropout``, ``bn_eps`` and ``bn_momentum`` default to the
    architecture's own. ``reduced_tail`` halves V3's channels after C4 for detection (its table 6).
    ``channels`` gives the output channels of each row, for a pruned V1. Raises :class:`ConfigError` for an
    unknown name or a width that is not positive.
    """
    arch = architecture(name)
    if reduced_tail:
        if name not in REDUCED_TAIL:
            raise ConfigError(f"a reduced tail is V3's; {name!r} has none (use {', '.join(REDUCED_TAIL)})")
        arch = REDUCED_TAIL[name]
    if not 0.0 < width <= 4.0:
        raise ConfigError(f"width multiplier {width} is not between 0 and 4; the papers use 0.25 to 1.4")
    if num_classes < 1:
        raise ConfigError(f"{num_classes} classes make no classifier; give at least 1")
    if padding not in ("symmetric", "tf"):
        raise ConfigError(f"padding {padding!r} is unknown; use 'symmetric' (torch) or 'tf' (TensorFlow)")
    if channels:
        arch, width = _with_channels(arch, channels), 1.0
    tf = padding == "tf"
    settings = Settings(
        width=width,
        padding=padding,
        bn_eps=bn_eps if bn_eps is not None else (TF_BN_EPS if tf else arch.bn_eps),
        bn_momentum=bn_momentum if bn_momentum is not None else (TF_BN_MOMENTUM if tf else arch.bn_momentum),
    )
    return Backbone(arch, settings, num_classes, dropout)


def _with_channels(arch: Architecture, channels: Sequence[int]) -> Architecture:
    """The table with each row's output channels replaced; plain rows only, since shortcuts tie two rows."""
    rows = [row for row in arch.features if isinstance(row, Conv | SeparableRow)]
    if len(rows) != len(arch.features) or len(channels) != len(rows):
        raise ConfigError(
            f"{arch.name} takes no {len(channels)} channel numbers: only MobileNetV1 does, one per row"
        )
    if any(c % 8 for c in channels):
        raise ConfigError(f"channel numbers {tuple(channels)} are not all multiples of 8")
    return replace(arch, features=tuple(replace(r, out=c) for r, c in zip(rows, channels, strict=True)))
