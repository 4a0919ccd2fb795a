"""Tiny ONNX graphs that follow the contract and whose outputs are computed from the picture.

The detector has four anchors, one a quarter of the picture; a quarter's score of class c is the mean of
channel c there / 255, so a picture painted red in the upper left corner has a "red" object there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edgecam.inference.models.card import METADATA_KEY, Card

LABELS = ("blue", "green", "red")
QUARTERS = np.array([[[0, 0, 0.5, 0.5], [0.5, 0, 1, 0.5], [0, 0.5, 0.5, 1], [0.5, 0.5, 1, 1]]], np.float32)


def card(task: str = "detection", **changes: Any) -> Card:
    given: dict[str, Any] = {
        "name": "tiny",
        "task": task,
        "architecture": "means",
        "labels": LABELS,
        "resolution": (8, 8),
        "score_threshold": 0.5,
    }
    return Card(**{**given, **changes})


def save(model: onnx.ModelProto, path: Path, card: Card | None) -> Path:
    if card is not None:
        helper.set_model_props(model, {METADATA_KEY: card.to_json()})
    onnx.save(model, path)
    return path


def _model(nodes: list[Any], inputs: list[Any], outputs: list[Any], constants: list[Any]) -> onnx.ModelProto:
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    onnx.checker.check_model(model)
    return model


def _initial(name: str, array: Any) -> Any:
    return numpy_helper.from_array(np.asarray(array), name)


def detector_graph(size: int = 8, boxes: np.ndarray = QUARTERS, input_name: str = "image") -> onnx.ModelProto:
    """uint8 (1, size, size, 3) → boxes (1, 4, 4), scores (1, 4, 3)."""
    half = size // 2
    nodes = [
        helper.make_node("Cast", [input_name], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["float", "full"], ["unit"]),
        helper.make_node("Transpose", ["unit"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node(
            "AveragePool", ["planes"], ["quarters"], kernel_shape=[half, half], strides=[half, half]
        ),
        helper.make_node("Reshape", ["quarters", "flat"], ["rows"]),
        helper.make_node("Transpose", ["rows"], ["scores"], perm=[0, 2, 1]),
        helper.make_node("Identity", ["where"], ["boxes"]),
    ]
    return _model(
        nodes,
        [helper.make_tensor_value_info(input_name, TensorProto.UINT8, [1, size, size, 3])],
        [
            helper.make_tensor_value_info("boxes", TensorProto.FLOAT, list(boxes.shape)),
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 4, 3]),
        ],
        [
            _initial("full", np.float32(255)),
            _initial("flat", np.array([1, 3, 4], np.int64)),
            _initial("where", boxes.astype(np.float32)),
        ],
    )


def classifier_graph(size: int = 8) -> onnx.ModelProto:
    """uint8 (1, size, size, 3) → probabilities (1, 3): each channel's share of the brightness."""
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float"], ["means"], axes=[1, 2], keepdims=0),
        helper.make_node("Add", ["means", "little"], ["some"]),
        helper.make_node("ReduceSum", ["some", "last"], ["total"], keepdims=1),
        helper.make_node("Div", ["some", "total"], ["probabilities"]),
    ]
    return _model(
        nodes,
        [helper.make_tensor_value_info("image", TensorProto.UINT8, [1, size, size, 3])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [1, 3])],
        [_initial("little", np.float32(1e-6)), _initial("last", np.array([1], np.int64))],
    )


def foreign_graph(
    outputs: dict[str, np.ndarray], *, shape: tuple[int | str, ...] = (1, 3, 8, 8), echo: bool = False
) -> onnx.ModelProto:
    """float32 input of ``shape`` → the given constant outputs (and the input itself as ``echo``)."""
    nodes = [helper.make_node("Identity", [f"{name}_value"], [name]) for name in outputs]
    infos = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, list(array.shape))
        for name, array in outputs.items()
    ]
    if echo:
        nodes.append(helper.make_node("Identity", ["pixels"], ["echo"]))
        infos.append(helper.make_tensor_value_info("echo", TensorProto.FLOAT, list(shape)))
    constants = [_initial(f"{name}_value", array.astype(np.float32)) for name, array in outputs.items()]
    inputs = [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, list(shape))]
    return _model(nodes, inputs, infos, constants)
