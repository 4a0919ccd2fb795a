"""MobileNetV1: Howard et al., "MobileNets", arXiv:1704.04861, table 1.

4,231,976 parameters and 569 M multiply-adds at width 1.0, 224 px, 1000 classes.
"""

from __future__ import annotations

from edgecam.nn.networks.layers import Act
from edgecam.nn.networks.table import Architecture, Conv, SeparableRow

# Table 1 says ReLU; Google's code and published weights use ReLU6.
MOBILENET_V1 = Architecture(
    name="mobilenet_v1",
    paper="arXiv:1704.04861 table 1",
    prefix="conv",
    first=0,
    dropout=0.001,  # slim/nets/mobilenet_v1.py: dropout_keep_prob=0.999
    features=(
        Conv(32, kernel=3, stride=2, act=Act.RELU6),
        SeparableRow(64),
        SeparableRow(128, stride=2),
        SeparableRow(128),
        SeparableRow(256, stride=2),
        SeparableRow(256, tap="output"),  # stride 8, for FPN-lite
        SeparableRow(512, stride=2),
        SeparableRow(512),
        SeparableRow(512),
        SeparableRow(512),
        SeparableRow(512),
        SeparableRow(512, tap="output"),  # SSD's first map: Conv2d_11_pointwise
        SeparableRow(1024, stride=2),
        SeparableRow(1024, tap="output"),  # SSD's second: Conv2d_13_pointwise
    ),
)
