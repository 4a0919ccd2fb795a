"""MobileNetV3: Howard et al., "Searching for MobileNetV3", arXiv:1905.02244, tables 1 and 2.

Large: 5,483,032 parameters and 217 M multiply-adds (the paper's table 3 prints 219 M); Small: 2,542,856 and
57 M (56 M there), at width 1.0, 224 px, 1000 classes. The minimalistic variants (Google's released code and
weights) have no SE, h-swish or 5x5 kernels, which are slow on some hardware: 3,924,288 and 209 M;
2,044,736 and 52 M. The width multiplier does not apply to the layer after the pooling.
"""

from __future__ import annotations

from edgecam.nn.networks.layers import Act
from edgecam.nn.networks.table import Architecture, Bottleneck, Conv, Row, TapAt

PAPER = "arXiv:1905.02244"


def _bneck(
    k: int, exp: int, out: int, se: bool, nl: str, s: int, *, minimal: bool, tap: TapAt | None = None
) -> Row:
    """One line of tables 1 and 2: kernel, exp size, #out, SE, NL, s. Minimal: 3x3, ReLU, no SE."""
    if minimal:
        return Bottleneck(out, s, 3, expanded=exp, act=Act.RELU, tap=tap)
    act = Act.HSWISH if nl == "HS" else Act.RELU
    return Bottleneck(out, s, k, expanded=exp, se=se, act=act, tap=tap)


def _large(minimal: bool = False, tail: int = 1) -> Architecture:
    """Table 1. ``tail`` 2 halves the channels after C4, as for detection (section 6.3, table 6)."""

    def b(k: int, exp: int, out: int, se: bool, nl: str, s: int, tap: TapAt | None = None) -> Row:
        return _bneck(k, exp, out, se, nl, s, minimal=minimal, tap=tap)

    act = Act.RELU if minimal else Act.HSWISH
    return Architecture(
        name="mobilenet_v3_large_minimalistic" if minimal else "mobilenet_v3_large",
        paper=f"{PAPER} table 1",
        bn_eps=1e-3,  # as slim and torchvision; timm's own weights use 1e-5
        bn_momentum=0.01,
        features=(
            Conv(16, kernel=3, stride=2, act=act, at_least=16),
            b(3, 16, 16, False, "RE", 1),
            b(3, 64, 24, False, "RE", 2),
            b(3, 72, 24, False, "RE", 1),
            b(5, 72, 40, True, "RE", 2),
            b(5, 120, 40, True, "RE", 1),
            b(5, 120, 40, True, "RE", 1),
            b(3, 240, 80, False, "HS", 2, "expansion"),  # stride 8, for FPN-lite
            b(3, 200, 80, False, "HS", 1),
            b(3, 184, 80, False, "HS", 1),
            b(3, 184, 80, False, "HS", 1),
            b(3, 480, 112, True, "HS", 1),
            b(3, 672, 112, True, "HS", 1),
            b(5, 672, 160 // tail, True, "HS", 2, "expansion"),  # C4: SSDLite's first map (section 6.3)
            b(5, 960 // tail, 160 // tail, True, "HS", 1),
            b(5, 960 // tail, 160 // tail, True, "HS", 1),
            Conv(960 // tail, act=act, tap="output"),  # C5: SSDLite's second
        ),
        head=(Conv(1280 // tail, act=act, norm=False, fixed=True),),
    )


def _small(minimal: bool = False, tail: int = 1) -> Architecture:
    """Table 2."""

    def b(k: int, exp: int, out: int, se: bool, nl: str, s: int, tap: TapAt | None = None) -> Row:
        return _bneck(k, exp, out, se, nl, s, minimal=minimal, tap=tap)

    act = Act.RELU if minimal else Act.HSWISH
    return Architecture(
        name="mobilenet_v3_small_minimalistic" if minimal else "mobilenet_v3_small",
        paper=f"{PAPER} table 2",
        bn_eps=1e-3,
        bn_momentum=0.01,
        features=(
            Conv(16, kernel=3, stride=2, act=act, at_least=16),
            b(3, 16, 16, True, "RE", 2),
            b(3, 72, 24, False, "RE", 2),
            b(3, 88, 24, False, "RE", 1),
            b(5, 96, 40, True, "HS", 2, "expansion"),  # stride 8, for FPN-lite
            b(5, 240, 40, True, "HS", 1),
            b(5, 240, 40, True, "HS", 1),
            b(5, 120, 48, True, "HS", 1),
            b(5, 144, 48, True, "HS", 1),
            b(5, 288, 96 // tail, True, "HS", 2, "expansion"),  # C4
            b(5, 576 // tail, 96 // tail, True, "HS", 1),
            b(5, 576 // tail, 96 // tail, True, "HS", 1),
            Conv(576 // tail, act=act, tap="output"),  # C5
        ),
        head=(Conv(1024 // tail, act=act, norm=False, fixed=True),),
    )


MOBILENET_V3_LARGE = _large()
MOBILENET_V3_SMALL = _small()
MOBILENET_V3_LARGE_MINIMALISTIC = _large(minimal=True)
MOBILENET_V3_SMALL_MINIMALISTIC = _small(minimal=True)
REDUCED_TAIL = {
    arch.name: arch
    for arch in (_large(tail=2), _small(tail=2), _large(minimal=True, tail=2), _small(minimal=True, tail=2))
}
