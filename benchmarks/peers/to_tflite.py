"""edgecam's SSD as the TFLite file that the tutorials expect: the same weights, float32, NHWC.

    python -m venv litert && litert/bin/pip install ai-edge-litert onnx opencv-python    # 2.3.0
    edgecam train --recipe ssd-mobilenet-v1-300 --data DATA --out ssd --export ssd.onnx    # none ships now
    litert/bin/python benchmarks/peers/to_tflite.py ssd.onnx ssd.tflite

Input `image` float32 (1, H, W, 3), BGR less the graph's own mean; then what ends the tutorials' models:
TFLite_Detection_PostProcess with boxes, classes, scores and a count. The graph's paddings are TensorFlow's
SAME, so the result is the ONNX file's. Only what our SSD on MobileNetV1 is made of is known here.
"""

from __future__ import annotations

import sys
from pathlib import Path

import flatbuffers
import numpy as np
import onnx
from ai_edge_litert import schema_py_generated as tfl
from flatbuffers import flexbuffers
from onnx import numpy_helper


class Writer:
    """One subgraph: tensors, buffers, operators."""

    def __init__(self) -> None:
        self.model, self.graph = tfl.ModelT(), tfl.SubGraphT()
        self.model.version, self.model.description = 3, b"edgecam peers"
        self.model.buffers, self.model.operatorCodes = [tfl.BufferT()], []
        self.graph.tensors, self.graph.operators = [], []
        self._codes: dict[tuple[int, bytes], int] = {}

    def tensor(self, name: str, shape: list[int], values: np.ndarray | None = None) -> int:
        tensor = tfl.TensorT()
        tensor.name, tensor.shape = name.encode(), list(shape)
        tensor.type = tfl.TensorType.FLOAT32
        tensor.buffer = 0
        if values is not None:
            if values.dtype == np.int32:
                tensor.type = tfl.TensorType.INT32
            buffer = tfl.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
            tensor.buffer = len(self.model.buffers)
            self.model.buffers.append(buffer)
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def add(
        self,
        code: int,
        inputs: list[int],
        outputs: list[int],
        kind: int = 0,
        options: object = None,
        custom: bytes = b"",
    ) -> tfl.OperatorT:
        key = (code, custom)
        if key not in self._codes:
            entry = tfl.OperatorCodeT()
            entry.builtinCode, entry.deprecatedBuiltinCode, entry.version = code, min(code, 127), 1
            if custom:
                entry.customCode = custom
            self._codes[key] = len(self.model.operatorCodes)
            self.model.operatorCodes.append(entry)
        operator = tfl.OperatorT()
        operator.opcodeIndex, operator.inputs, operator.outputs = self._codes[key], inputs, outputs
        operator.builtinOptionsType, operator.builtinOptions = kind, options
        self.graph.operators.append(operator)
        return operator

    def write(self, path: Path, inputs: list[int], outputs: list[int]) -> None:
        self.graph.inputs, self.graph.outputs = inputs, outputs
        self.graph.name = b"main"
        self.model.subgraphs = [self.graph]
        builder = flatbuffers.Builder(1 << 24)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        path.write_bytes(bytes(builder.Output()))


def convert(source: Path, target: Path) -> None:
    graph = onnx.load(source).graph
    init = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    nodes = list(graph.node)
    after = {}
    for node in nodes:
        for name in node.input:
            after.setdefault(name, []).append(node)
    out = Writer()
    height, width = (d.dim_value for d in graph.input[0].type.tensor_type.shape.dim[1:3])
    image = out.tensor("image", [1, height, width, 3])
    minus = next(node for node in nodes if node.op_type == "Sub")
    mean = init[minus.input[1]].reshape(-1)
    ids: dict[str, int] = {minus.output[0]: image}
    shapes: dict[str, list[int]] = {minus.output[0]: [1, height, width, 3]}
    for node in nodes:
        kind = node.op_type
        if kind == "Conv":
            _conv(out, node, init, after, ids, shapes)
        elif kind == "Transpose" and node.input[0] in ids:
            ids[node.output[0]], shapes[node.output[0]] = ids[node.input[0]], shapes[node.input[0]]
        elif kind == "Reshape" and node.input[0] in ids:
            last = int(init[node.input[1]][-1])
            shape = [1, int(np.prod(shapes[node.input[0]])) // last, last]
            made = out.tensor(node.output[0], shape)
            options = tfl.ReshapeOptionsT()
            options.newShape = shape
            wanted = out.tensor(f"{node.output[0]}_shape", [3], np.array(shape, np.int32))
            out.add(
                tfl.BuiltinOperator.RESHAPE,
                [ids[node.input[0]], wanted],
                [made],
                tfl.BuiltinOptions.ReshapeOptions,
                options,
            )
            ids[node.output[0]], shapes[node.output[0]] = made, shape
        elif kind == "Concat" and all(name in ids for name in node.input):
            shape = [1, sum(shapes[name][1] for name in node.input), shapes[node.input[0]][2]]
            made = out.tensor(node.output[0], shape)
            options = tfl.ConcatenationOptionsT()
            options.axis = 1
            out.add(
                tfl.BuiltinOperator.CONCATENATION,
                [ids[name] for name in node.input],
                [made],
                tfl.BuiltinOptions.ConcatenationOptions,
                options,
            )
            ids[node.output[0]], shapes[node.output[0]] = made, shape
        elif kind == "Sigmoid":
            shape = shapes[node.input[0]]
            made = out.tensor("scores", shape)
            out.add(tfl.BuiltinOperator.LOGISTIC, [ids[node.input[0]]], [made])
            ids[node.output[0]], shapes[node.output[0]] = made, shape
    outputs = _post(out, nodes, init, ids, shapes)
    out.write(target, [image], outputs)
    np.save(target.with_suffix(".mean.npy"), mean.astype(np.float32))


def _conv(out: Writer, node, init, after, ids, shapes) -> None:
    at = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    weight, bias = init[node.input[1]].astype(np.float32), init[node.input[2]].astype(np.float32)
    _, h, w, _ = shapes[node.input[0]]
    stride = at["strides"][0]
    shape = [1, -(-h // stride), -(-w // stride), weight.shape[0]]
    follow = after.get(node.output[0], [])
    clip = len(follow) == 1 and follow[0].op_type == "Clip"
    name = follow[0].output[0] if clip else node.output[0]
    made = out.tensor(name, shape)
    depthwise = at.get("group", 1) > 1
    ordered = weight.transpose(1, 2, 3, 0) if depthwise else weight.transpose(0, 2, 3, 1)
    weights = out.tensor(f"{name}_w", list(ordered.shape), ordered)
    biases = out.tensor(f"{name}_b", list(bias.shape), bias)
    options = tfl.DepthwiseConv2DOptionsT() if depthwise else tfl.Conv2DOptionsT()
    options.padding = tfl.Padding.SAME
    options.strideH = options.strideW = stride
    options.dilationHFactor = options.dilationWFactor = 1
    options.fusedActivationFunction = (
        tfl.ActivationFunctionType.RELU6 if clip else tfl.ActivationFunctionType.NONE
    )
    if depthwise:
        options.depthMultiplier = 1
    code = tfl.BuiltinOperator.DEPTHWISE_CONV_2D if depthwise else tfl.BuiltinOperator.CONV_2D
    kind = tfl.BuiltinOptions.DepthwiseConv2DOptions if depthwise else tfl.BuiltinOptions.Conv2DOptions
    out.add(code, [ids[node.input[0]], weights, biases], [made], kind, options)
    ids[name], shapes[name] = made, shape


def _post(out: Writer, nodes, init, ids, shapes) -> list[int]:
    """TFLite_Detection_PostProcess, with the anchors and scales read off the graph's own decoding."""
    slices = [node for node in nodes if node.op_type == "Slice" and node.input[0] in ids]
    raw = slices[0].input[0]

    def follow(name: str, kind: str):
        return next(n for n in nodes if n.op_type == kind and name in n.input)

    centre, size = follow(slices[0].output[0], "Mul"), follow(slices[1].output[0], "Mul")
    by_anchor = follow(centre.output[0], "Mul")
    plus = follow(by_anchor.output[0], "Add")
    anchors = np.concatenate([init[plus.input[1]], init[by_anchor.input[1]]], axis=1).reshape(-1, 4)
    scales = [1 / float(init[centre.input[1]].reshape(-1)[0]), 1 / float(init[size.input[1]].reshape(-1)[0])]
    scores = next(node for node in nodes if node.op_type == "Sigmoid").output[0]
    count, classes = anchors.shape[0], shapes[scores][2]
    inputs = [
        ids[raw],
        ids[scores],
        out.tensor("anchors", [count, 4], anchors.astype(np.float32)),
    ]
    most = 100
    outputs = [
        out.tensor("detection_boxes", [1, most, 4]),
        out.tensor("detection_classes", [1, most]),
        out.tensor("detection_scores", [1, most]),
        out.tensor("num_detections", [1]),
    ]
    fbb = flexbuffers.Builder()
    with fbb.Map():
        for key, value in (
            ("max_detections", most),
            ("max_classes_per_detection", 1),
            ("detections_per_class", 100),
            ("num_classes", classes),
        ):
            fbb.Int(key, value)
        fbb.Bool("use_regular_nms", False)
        for key, number in (
            ("nms_score_threshold", 0.3),
            ("nms_iou_threshold", 0.5),
            ("y_scale", scales[0]),
            ("x_scale", scales[0]),
            ("h_scale", scales[1]),
            ("w_scale", scales[1]),
        ):
            fbb.Float(key, number)
    operator = out.add(tfl.BuiltinOperator.CUSTOM, inputs, outputs, custom=b"TFLite_Detection_PostProcess")
    operator.customOptions = np.frombuffer(bytes(fbb.Finish()), np.uint8)
    operator.customOptionsFormat = tfl.CustomOptionsFormat.FLEXBUFFERS
    return outputs


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
