"""Sensitivity to quantisation: one layer at a time gets 8-bit weights and input; the outputs are compared.

The layer's weights are rounded per channel and its input passes a QuantizeLinear/DequantizeLinear pair
with the range seen on the pictures; everything else stays in float. The damage is given as the signal to
quantisation noise ratio of the model's outputs (dB; lower is worse), and as the share of pictures whose best
class changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from edgecam.core.progress import Progress, silent
from edgecam.nn.export.onnx_graph import layers

Image = NDArray[np.uint8]
Outputs = list[list[NDArray[np.float32]]]

#: Below this ratio a layer is worth keeping in float: the noise is a tenth of the output's amplitude.
SENSITIVE_DB = 20.0


@dataclass(frozen=True)
class LayerDamage:
    """The effect of one layer in int8. ``snr_db``: signal to noise of the outputs; ``changed``: the share of
    pictures whose best class changed."""

    name: str
    op_type: str
    parameters: int
    spread: float
    snr_db: float
    changed: float


def _run_all(model: Any, images: Sequence[Image]) -> Outputs:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return [session.run(None, {name: i[None] if i.ndim == 3 else i}) for i in images]


def input_ranges(model: Any, images: Sequence[Image]) -> dict[str, tuple[float, float]]:
    """(lowest, highest) value seen at the input of every layer, by tensor name."""
    names = list(dict.fromkeys(node.input[0] for node in layers(model)))
    own = {i.name for i in model.graph.input}
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    del probe.graph.output[:]
    for name in names:
        if name not in own:
            probe.graph.output.append(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    shown = [o.name for o in probe.graph.output]
    ranges: dict[str, tuple[float, float]] = {}
    for answers in _run_all(probe, images):
        for name, value in zip(shown, answers, strict=True):
            low, high = ranges.get(name, (0.0, 0.0))
            ranges[name] = (min(low, float(value.min())), max(high, float(value.max())))
    return ranges


def _round_weights(weight: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
    """Round ``weight`` to a symmetric 8-bit grid per channel along ``axis``."""
    other = tuple(i for i in range(weight.ndim) if i != axis)
    scale = np.maximum(np.abs(weight).max(axis=other, keepdims=True), 1e-12) / 127.0
    rounded: NDArray[np.float32] = (np.round(weight / scale) * scale).astype(np.float32)
    return rounded


def _channel_axis(node: Any) -> int:
    if node.op_type == "Conv":
        return 0
    if node.op_type == "Gemm":
        return 0 if any(a.name == "transB" and a.i for a in node.attribute) else 1
    return 1


def with_one_layer_quantised(model: Any, name: str, ranges: dict[str, tuple[float, float]]) -> Any:
    """A copy of ``model`` in which only the layer called ``name`` computes as in int8."""
    trial = onnx.ModelProto()
    trial.CopyFrom(model)
    graph = trial.graph
    index, node = next((i, n) for i, n in enumerate(graph.node) if n.name == name)
    tensor = next(t for t in graph.initializer if t.name == node.input[1])
    rounded = _round_weights(numpy_helper.to_array(tensor), _channel_axis(node))
    fresh = f"{tensor.name}.int8"
    graph.initializer.append(numpy_helper.from_array(rounded, fresh))
    node.input[1] = fresh
    if not any(tensor.name in n.input for n in graph.node):
        graph.initializer.remove(tensor)
    if node.input[0] in ranges:
        low, high = ranges[node.input[0]]
        scale = max((high - low) / 255.0, 1e-12)
        zero = int(np.clip(round(-low / scale), 0, 255))
        graph.initializer.append(numpy_helper.from_array(np.float32(scale), f"{fresh}.scale"))
        graph.initializer.append(numpy_helper.from_array(np.uint8(zero), f"{fresh}.zero"))
        constants = [f"{fresh}.scale", f"{fresh}.zero"]
        quantise = helper.make_node("QuantizeLinear", [node.input[0], *constants], [f"{fresh}.q"])
        restore = helper.make_node("DequantizeLinear", [f"{fresh}.q", *constants], [f"{fresh}.dq"])
        node.input[0] = f"{fresh}.dq"
        graph.node.insert(index, restore)
        graph.node.insert(index, quantise)
    return trial


def _damage(got: Outputs, reference: Outputs) -> tuple[float, float]:
    """(SNR in dB over all outputs, share of pictures whose best class changed)."""
    signal = sum(float(np.square(a).sum()) for answers in reference for a in answers)
    noise = sum(
        float(np.square(a - b).sum())
        for x, y in zip(got, reference, strict=True)
        for a, b in zip(x, y, strict=True)
    )
    # The last output holds the classes (probabilities, or scores per box).
    changed = [int(np.argmax(x[-1]) != np.argmax(y[-1])) for x, y in zip(got, reference, strict=True)]
    return 10.0 * float(np.log10(max(signal, 1e-30) / max(noise, 1e-30))), float(np.mean(changed))


def compare(model: Any, other: Any, images: Sequence[Image]) -> tuple[float, float]:
    """(SNR in dB, share of pictures whose best class differs) of ``other`` compared with ``model``."""
    return _damage(_run_all(other, images), _run_all(model, images))


def sensitivity(model: Any, images: Sequence[Image], progress: Progress = silent) -> list[LayerDamage]:
    """Every layer's damage, most sensitive first. ``images``: (H, W, 3) uint8; some dozens are enough."""
    reference, ranges = _run_all(model, images), input_ranges(model, images)
    arrays = {t.name: t for t in model.graph.initializer}
    found = []
    every = layers(model)
    for number, node in enumerate(every):
        weight = numpy_helper.to_array(arrays[node.input[1]])
        axis = _channel_axis(node)
        peaks = np.abs(weight).max(axis=tuple(i for i in range(weight.ndim) if i != axis))
        trial = with_one_layer_quantised(model, node.name, ranges)
        snr_db, changed = _damage(_run_all(trial, images), reference)
        spread = float(peaks.max() / max(float(np.median(peaks)), 1e-12))
        found.append(LayerDamage(node.name, node.op_type, int(weight.size), spread, snr_db, changed))
        progress("sensitivity", number + 1, len(every))
    return sorted(found, key=lambda d: d.snr_db)


def report_text(damages: Sequence[LayerDamage], title: str) -> str:
    """A Markdown table of the layers, the most sensitive first."""
    lines = [
        f"# Sensitivity to int8: {title}",
        "",
        "One layer at a time in int8 (weights per channel, input per tensor), the rest in float. SNR is",
        f"that of the outputs; below {SENSITIVE_DB:.0f} dB a layer is worth keeping in float",
        "(`--keep-float NAME`). Spread is the largest channel's weight over the median channel's: what one",
        "scale for all channels would have to cover.",
        "",
        "| layer | kind | weights | spread | SNR dB | best class changed % |",
        "|---|---|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {d.name} | {d.op_type} | {d.parameters} | {d.spread:.1f} | {d.snr_db:.1f} "
        f"| {100 * d.changed:.1f} |"
        for d in damages
    ]
    return "\n".join(lines) + "\n"


def write_report(damages: Sequence[LayerDamage], title: str, path: Path) -> None:
    """Write :func:`report_text` to ``path``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(report_text(damages, title), encoding="utf-8")
