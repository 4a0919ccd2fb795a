"""MobileNetV4: Qin et al., "MobileNetV4: Universal Models for the Mobile Ecosystem", arXiv:2404.10518.

Appendix D. Parameters for 1000 classes, and multiply-adds at the resolution of table 5:

    Conv-S     3,774,024    186 M at 224        Hybrid-M  11,074,648   1271 M at 256
    Conv-M     9,715,512   1080 M at 256        Hybrid-L  37,764,624   7712 M at 384
    Conv-L    32,590,864   6376 M at 384

The paper prints 0.2, 1.0, 5.9, 1.2 and 7.2 G: its G is 2^30. Rows are ``UIB(DW k1, DW k2, expanded, out,
stride)`` as in the paper's tables. Where the tables of Conv-M and Hybrid-M differ from the released networks,
the rows follow the released networks.

Unlike for V1 to V3, no width multiplier other than 1.0 was published; others work, and keep stem and head.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from edgecam.nn.networks.layers import Act
from edgecam.nn.networks.table import MQA, UIB, Architecture, Bottleneck, Conv, Row


def _stage(*rows: Row, tap: bool = False) -> tuple[Row, ...]:
    """The rows of one stage; a tapped stage has its tap at the last output."""
    if not tap:
        return rows
    last = rows[-1]
    assert isinstance(last, (UIB, MQA, Conv))
    return (*rows[:-1], replace(last, tap="output"))


def _fused(stem: int, out: int, act: Act) -> tuple[Row, ...]:
    """The stem and the fused inverted bottleneck of all but the small network."""
    return (
        Conv(stem, kernel=3, stride=2, act=act, at_least=stem),
        Bottleneck(out, stride=2, t=4, act=act, fused=True),
    )


def _network(
    name: str, *features: Iterable[Row], resolution: int, act: Act = Act.RELU, layer_scale: bool = False
) -> Architecture:
    """Join the stages, and add the end they share: 1x1 to 960, pooling, 1x1 to 1280 with batch norm."""
    rows: list[Row] = [
        replace(row, act=act, layer_scale=layer_scale) if isinstance(row, UIB) else row
        for stage in features
        for row in stage
    ]
    return Architecture(
        name=name,
        paper="arXiv:2404.10518 appendix D",
        features=(*rows, Conv(960, act=act)),
        head=(Conv(1280, act=act, fixed=True),),
        resolution=resolution,
    )


_CONV_SMALL = _network(
    "mobilenet_v4_conv_small",
    (Conv(32, kernel=3, stride=2, act=Act.RELU, at_least=32),),
    (Conv(32, kernel=3, stride=2, act=Act.RELU), Conv(32, act=Act.RELU)),
    _stage(Conv(96, kernel=3, stride=2, act=Act.RELU), Conv(64, act=Act.RELU), tap=True),
    _stage(
        UIB(5, 5, 192, 96, 2),
        UIB(0, 3, 192, 96),
        UIB(0, 3, 192, 96),
        UIB(0, 3, 192, 96),
        UIB(0, 3, 192, 96),
        UIB(3, 0, 384, 96),
        tap=True,
    ),
    _stage(
        UIB(3, 3, 576, 128, 2),
        UIB(5, 5, 512, 128),
        UIB(0, 5, 512, 128),
        UIB(0, 5, 384, 128),
        UIB(0, 3, 512, 128),
        UIB(0, 3, 512, 128),
        tap=True,
    ),
    resolution=224,
)

_CONV_MEDIUM = _network(
    "mobilenet_v4_conv_medium",
    _fused(32, 48, Act.RELU),
    _stage(UIB(3, 5, 192, 80, 2), UIB(3, 3, 160, 80), tap=True),
    _stage(
        UIB(3, 5, 480, 160, 2),
        UIB(3, 3, 640, 160),
        UIB(3, 3, 640, 160),
        UIB(3, 5, 640, 160),
        UIB(3, 3, 640, 160),
        UIB(3, 0, 640, 160),
        UIB(0, 0, 320, 160),
        UIB(3, 0, 640, 160),
        tap=True,
    ),
    _stage(
        UIB(5, 5, 960, 256, 2),
        UIB(5, 5, 1024, 256),
        UIB(3, 5, 1024, 256),
        UIB(3, 5, 1024, 256),
        UIB(0, 0, 1024, 256),
        UIB(3, 0, 1024, 256),
        UIB(3, 5, 512, 256),
        UIB(5, 5, 1024, 256),
        UIB(0, 0, 1024, 256),
        UIB(0, 0, 1024, 256),
        UIB(5, 0, 512, 256),
        tap=True,
    ),
    resolution=256,
)

_CONV_LARGE = _network(
    "mobilenet_v4_conv_large",
    _fused(24, 48, Act.RELU),
    _stage(UIB(3, 5, 192, 96, 2), UIB(3, 3, 384, 96), tap=True),
    _stage(
        UIB(3, 5, 384, 192, 2),
        UIB(3, 3, 768, 192),
        UIB(3, 3, 768, 192),
        UIB(3, 3, 768, 192),
        UIB(3, 5, 768, 192),
        UIB(5, 3, 768, 192),
        UIB(5, 3, 768, 192),
        UIB(5, 3, 768, 192),
        UIB(5, 3, 768, 192),
        UIB(5, 3, 768, 192),
        UIB(3, 0, 768, 192),
        tap=True,
    ),
    _stage(
        UIB(5, 5, 768, 512, 2),
        UIB(5, 5, 2048, 512),
        UIB(5, 5, 2048, 512),
        UIB(5, 5, 2048, 512),
        UIB(5, 0, 2048, 512),
        UIB(5, 3, 2048, 512),
        UIB(5, 0, 2048, 512),
        UIB(5, 0, 2048, 512),
        UIB(5, 3, 2048, 512),
        UIB(5, 5, 2048, 512),
        UIB(5, 0, 2048, 512),
        UIB(5, 0, 2048, 512),
        UIB(5, 0, 2048, 512),
        tap=True,
    ),
    resolution=384,
)

_MQA_M16 = MQA(160, heads=4, key_dim=64, kv_stride=2)
_MQA_M32 = MQA(256, heads=4, key_dim=64)
_HYBRID_MEDIUM = _network(
    "mobilenet_v4_hybrid_medium",
    _fused(32, 48, Act.RELU),
    _stage(UIB(3, 5, 192, 80, 2), UIB(3, 3, 160, 80), tap=True),
    _stage(
        UIB(3, 5, 480, 160, 2),
        UIB(0, 0, 320, 160),
        UIB(3, 3, 640, 160),
        UIB(3, 5, 640, 160),
        _MQA_M16,
        UIB(3, 3, 640, 160),
        _MQA_M16,
        UIB(3, 0, 640, 160),
        _MQA_M16,
        UIB(3, 3, 640, 160),
        _MQA_M16,
        UIB(3, 0, 640, 160),
        tap=True,
    ),
    _stage(
        UIB(5, 5, 960, 256, 2),
        UIB(5, 5, 1024, 256),
        UIB(3, 5, 1024, 256),
        UIB(3, 5, 1024, 256),
        UIB(0, 0, 512, 256),
        UIB(3, 5, 512, 256),
        UIB(0, 0, 512, 256),
        UIB(0, 0, 1024, 256),
        _MQA_M32,
        UIB(3, 0, 1024, 256),
        _MQA_M32,
        UIB(5, 5, 1024, 256),
        _MQA_M32,
        UIB(5, 0, 1024, 256),
        _MQA_M32,
        UIB(5, 0, 1024, 256),
        tap=True,
    ),
    resolution=256,
    layer_scale=True,
)

_MQA_L16 = MQA(192, heads=8, key_dim=48, kv_stride=2)
_MQA_L32 = MQA(512, heads=8, key_dim=64)
_HYBRID_LARGE = _network(
    "mobilenet_v4_hybrid_large",
    _fused(24, 48, Act.GELU),
    _stage(UIB(3, 5, 192, 96, 2), UIB(3, 3, 384, 96), tap=True),
    _stage(
        UIB(3, 5, 384, 192, 2),
        UIB(3, 3, 768, 192),
        UIB(3, 3, 768, 192),
        UIB(3, 3, 768, 192),
        UIB(3, 5, 768, 192),
        UIB(5, 3, 768, 192),
        UIB(5, 3, 768, 192),
        _MQA_L16,
        UIB(5, 3, 768, 192),
        _MQA_L16,
        UIB(5, 3, 768, 192),
        _MQA_L16,
        UIB(5, 3, 768, 192),
        _MQA_L16,
        UIB(3, 0, 768, 192),
        tap=True,
    ),
    _stage(
        UIB(5, 5, 768, 512, 2),
        UIB(5, 5, 2048, 512),
        UIB(5, 5, 2048, 512),
        UIB(5, 5, 2048, 512),
        UIB(5, 0, 2048, 512),
        UIB(5, 3, 2048, 512),
        UIB(5, 0, 2048, 512),
        UIB(5, 0, 2048, 512),
        UIB(5, 3, 2048, 512),
        UIB(5, 5, 2048, 512),
        _MQA_L32,
        UIB(5, 0, 2048, 512),
        _MQA_L32,
        UIB(5, 0, 2048, 512),
        _MQA_L32,
        UIB(5, 0, 2048, 512),
        _MQA_L32,
        UIB(5, 0, 2048, 512),
        tap=True,
    ),
    resolution=384,
    act=Act.GELU,
    layer_scale=True,
)

MOBILENET_V4 = (_CONV_SMALL, _CONV_MEDIUM, _CONV_LARGE, _HYBRID_MEDIUM, _HYBRID_LARGE)
