"""A detector for an emulated board: finds the webcam's moving red square, in milliseconds.

The shipped detector takes a quarter of a minute per picture where every float is emulated. This is an ONNX
file like any other, with a card and the same contract, so everything but the network is what users run.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edgecam.inference.models.card import METADATA_KEY, Card

SIZE_WH = (160, 120)
#: The square is a sixteenth of the picture wide; windows of its size stand half of it apart.
WINDOW, STRIDE = 10, 5


def windows() -> np.ndarray:
    """All windows as normalised xyxy, in the order of AveragePool's output."""
    w, h = SIZE_WH
    return np.array(
        [
            [x / w, y / h, (x + WINDOW) / w, (y + WINDOW) / h]
            for y in range(0, h - WINDOW + 1, STRIDE)
            for x in range(0, w - WINDOW + 1, STRIDE)
        ],
        np.float32,
    )[None]


def write(path: Path) -> Path:
    """Write the model. A window's score is its mean redness: (R - G - B) / 255, from 0 on."""
    boxes = windows()
    count = boxes.shape[1]
    pool = {"kernel_shape": [WINDOW, WINDOW], "strides": [STRIDE, STRIDE]}
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("MatMul", ["float", "redness"], ["red"]),
        helper.make_node("Relu", ["red"], ["positive"]),
        helper.make_node("Transpose", ["positive"], ["plane"], perm=[0, 3, 1, 2]),
        helper.make_node("AveragePool", ["plane"], ["means"], **pool),
        helper.make_node("Reshape", ["means", "rows"], ["scores"]),
        helper.make_node("Identity", ["windows"], ["boxes"]),
    ]
    w, h = SIZE_WH
    graph = helper.make_graph(
        nodes,
        "red_square",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, [1, h, w, 3])],
        [
            helper.make_tensor_value_info("boxes", TensorProto.FLOAT, [1, count, 4]),
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, count, 1]),
        ],
        [
            numpy_helper.from_array(np.array([[-1], [-1], [1]], np.float32) / 255, "redness"),
            numpy_helper.from_array(np.array([1, count, 1], np.int64), "rows"),
            numpy_helper.from_array(boxes, "windows"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    onnx.checker.check_model(model)
    card = Card(
        name="red-square",
        task="detection",
        architecture="mean redness",
        labels=("red square",),
        resolution=SIZE_WH,
        nms_iou=0.1,
    )
    helper.set_model_props(model, {METADATA_KEY: card.to_json()})
    onnx.save(model, path)
    return path
