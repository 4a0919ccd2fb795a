"""MobileNetEdgeTPU: Howard and Gupta, "Introducing the Next Generation of On-Device Vision Models", 2019.

https://research.google/blog/introducing-the-next-generation-of-on-device-vision-models-mobilenetv3-and-mobilenetedgetpu/
The table is that of ``slim/nets/mobilenet/mobilenet_v3.py::V3_EDGETPU``. 4,091,432 parameters and 990 M
multiply-adds at width 1.0, 224 px, 1000 classes. Early bottlenecks are fused into full convolutions.
"""

from __future__ import annotations

from dataclasses import replace

from edgecam.nn.networks.layers import Act
from edgecam.nn.networks.table import Architecture, Bottleneck, Conv, Row, TapAt


def _group(
    t: int,
    c: int,
    s: int,
    *,
    k: int = 3,
    fused: bool = False,
    residual: bool = True,
    first_tap: TapAt | None = None,
    last_tap: TapAt | None = None,
) -> tuple[Row, ...]:
    """Four bottlenecks of ``c`` channels; the first expands by ``t`` with the stride, the others by 4."""
    first = Bottleneck(c, s, k, t=t, act=Act.RELU, fused=fused, residual=residual, tap=first_tap)
    rest = Bottleneck(c, 1, k, t=4, act=Act.RELU, fused=fused)
    return (first, rest, rest, replace(rest, tap=last_tap))


MOBILENET_EDGETPU = Architecture(
    name="mobilenet_edgetpu",
    paper="V3_EDGETPU in Google's slim",
    features=(
        Conv(32, kernel=3, stride=2, act=Act.RELU),
        Conv(16, act=Act.RELU),
        *_group(t=8, c=32, s=2, fused=True),
        *_group(t=8, c=48, s=2, fused=True),
        *_group(t=8, c=96, s=2, first_tap="expansion"),  # stride 8, for FPN-lite
        *_group(t=8, c=96, s=1, residual=False, last_tap="expansion"),  # SSD: layer_18/expansion_output
        *_group(t=8, c=160, s=2, k=5),
        Bottleneck(192, t=8, act=Act.RELU, tap="output"),  # SSD: layer_23
        Conv(1280, act=Act.RELU, at_least=1280),
    ),
)
