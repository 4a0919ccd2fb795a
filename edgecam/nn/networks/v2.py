"""MobileNetV2: Sandler et al., "Inverted Residuals and Linear Bottlenecks", arXiv:1801.04381, table 2.

3,504,872 parameters and 300 M multiply-adds at width 1.0, 224 px, 1000 classes.
"""

from __future__ import annotations

from edgecam.nn.networks.table import Architecture, Bottleneck, Conv, Row


def _group(t: float, c: int, n: int, s: int, *, tap: bool = False) -> tuple[Row, ...]:
    """One line of table 2: ``n`` bottlenecks of ``c`` channels, the first with stride ``s``."""
    first = Bottleneck(c, t=t, stride=s, tap="expansion" if tap else None)
    return (first, *(Bottleneck(c, t=t) for _ in range(n - 1)))


MOBILENET_V2 = Architecture(
    name="mobilenet_v2",
    paper="arXiv:1801.04381 table 2",
    features=(
        Conv(32, kernel=3, stride=2),
        *_group(t=1, c=16, n=1, s=1),
        *_group(t=6, c=24, n=2, s=2),
        *_group(t=6, c=32, n=3, s=2),
        *_group(t=6, c=64, n=4, s=2, tap=True),  # stride 8, for FPN-lite
        *_group(t=6, c=96, n=3, s=1),
        *_group(t=6, c=160, n=3, s=2, tap=True),  # SSDLite's first map: layer_15/expansion_output
        *_group(t=6, c=320, n=1, s=1),
        Conv(1280, at_least=1280, tap="output"),  # SSDLite's second; at least 1280 channels (section 6.1)
    ),
)
