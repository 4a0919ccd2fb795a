"""Bias correction: remove the mean error that quantisation adds, at no cost at run time.

A layer's rounded weights, and the errors that arrive from the layers before it, shift the mean of each of its
output channels. The shift is subtracted from the layer's bias (Nagel et al., arXiv:1906.04721, section 4.2,
with means measured on pictures). Layers are corrected one after the other in the graph's order, so each one
is measured with its predecessors corrected.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from edgecam.core.progress import Progress, silent

Image = NDArray[np.uint8]
Means = list[NDArray[np.float64]]

#: How many pictures are enough for a mean over all positions.
PICTURES = 64


def _means(model: Any, tensors: Sequence[str], images: Sequence[Image]) -> Means:
    """The mean per channel (C,) over ``images`` of each tensor (1, C, H, W) or (1, C)."""
    import onnxruntime as ort

    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    del probe.graph.output[:]
    probe.graph.output.extend(
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in tensors
    )
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    session = ort.InferenceSession(probe.SerializeToString(), options, providers=["CPUExecutionProvider"])
    source = session.get_inputs()[0].name
    sums: Means = []
    for image in images:
        answers = session.run(None, {source: image[None] if image.ndim == 3 else image})
        means = [a.mean(axis=tuple(i for i in range(a.ndim) if i != 1), dtype=np.float64) for a in answers]
        sums = [a + b for a, b in zip(sums, means, strict=True)] if sums else means
    return [s / len(images) for s in sums]


def _biases(model: Any) -> list[tuple[Any, Any, NDArray[np.float32] | None]]:
    """(layer, its bias, the scale of an integer bias or None), in the graph's order."""
    tensors = {t.name: t for t in model.graph.initializer}
    restored = {n.output[0]: n for n in model.graph.node if n.op_type == "DequantizeLinear"}
    found: list[tuple[Any, Any, NDArray[np.float32] | None]] = []
    for node in model.graph.node:
        if node.op_type not in ("Conv", "Gemm") or len(node.input) < 3:
            continue
        name = node.input[2]
        if name in restored:
            integers, scale, *_ = restored[name].input
            found.append((node, tensors[integers], numpy_helper.to_array(tensors[scale])))
        elif name in tensors:
            found.append((node, tensors[name], None))
    return found


def correct_biases(
    model: Any,
    quantised: Any,
    images: Sequence[Image],
    progress: Progress = silent,
) -> int:
    """Change the biases of ``quantised`` (in place) so that its layers have the output means of ``model``.

    images: uint8 (H, W, 3), typical pictures. Layers are matched by name; those without a bias are unchanged.
    Returns how many layers were corrected.
    """
    images = images[:PICTURES]
    plain = {n.name: n.output[0] for n in model.graph.node if n.op_type in ("Conv", "Gemm")}
    wanted = dict(zip(plain, _means(model, list(plain.values()), images), strict=True))
    layers = [layer for layer in _biases(quantised) if layer[0].name in wanted]
    for number, (node, bias, scale) in enumerate(layers):
        missing = wanted[node.name] - _means(quantised, [node.output[0]], images)[0]
        old = numpy_helper.to_array(bias)
        if scale is None:
            new = (old + missing).astype(np.float32)
        else:
            limit = np.iinfo(np.int32).max
            new = np.clip(np.round(old + missing / scale), -limit, limit).astype(np.int32)
        bias.CopyFrom(numpy_helper.from_array(new, bias.name))
        progress("correcting biases", number + 1, len(layers))
    return len(layers)
