"""Small passes over an ONNX graph: fold batch norm, remove unused nodes, find the layers."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

#: Node types that carry weights; all others have none.
LAYER_TYPES = ("Conv", "Gemm", "MatMul")


def initialisers(model: Any) -> dict[str, NDArray[Any]]:
    """Name to array, for every initialiser."""
    return {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}


def consumers(model: Any) -> dict[str, list[Any]]:
    """Tensor name to the nodes that read it."""
    readers: dict[str, list[Any]] = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    return readers


def _replace_initialiser(model: Any, name: str, array: NDArray[Any]) -> None:
    for tensor in model.graph.initializer:
        if tensor.name == name:
            tensor.CopyFrom(numpy_helper.from_array(array, name))
            return
    model.graph.initializer.append(numpy_helper.from_array(array, name))


def fold_batch_norm(model: Any) -> int:
    """Fold every BatchNormalization that follows a convolution into it (in place); returns how many."""
    arrays, readers = initialisers(model), consumers(model)
    producers = {name: node for node in model.graph.node for name in node.output}
    outputs = {o.name for o in model.graph.output}
    folded = []
    for norm in model.graph.node:
        if norm.op_type != "BatchNormalization":
            continue
        conv = producers.get(norm.input[0])
        if (
            conv is None
            or conv.op_type != "Conv"
            or len(readers[norm.input[0]]) != 1
            or norm.input[0] in outputs
        ):
            continue
        weight_name = conv.input[1]
        if weight_name not in arrays or len(readers[weight_name]) != 1:
            continue
        gamma, beta, mean, variance = (arrays[n].astype(np.float64) for n in norm.input[1:5])
        epsilon = next((a.f for a in norm.attribute if a.name == "epsilon"), 1e-5)
        factor = gamma / np.sqrt(variance + epsilon)
        weight = arrays[weight_name]
        bias = arrays[conv.input[2]].astype(np.float64) if len(conv.input) > 2 and conv.input[2] else 0.0
        shape = (-1,) + (1,) * (weight.ndim - 1)
        _replace_initialiser(model, weight_name, (weight * factor.reshape(shape)).astype(weight.dtype))
        bias_name = f"{weight_name}.folded_bias"
        _replace_initialiser(model, bias_name, ((bias - mean) * factor + beta).astype(weight.dtype))
        del conv.input[2:]
        conv.input.append(bias_name)
        conv.output[0] = norm.output[0]
        folded.append(norm)
    for norm in folded:
        model.graph.node.remove(norm)
    return len(folded)


def fold_padding(model: Any) -> int:
    """Fold each Pad with zeros into the convolution after it (in place); returns how many."""
    arrays, readers = initialisers(model), consumers(model)
    producers = {name: node for node in model.graph.node for name in node.output}
    folded = []
    for conv in model.graph.node:
        pad = producers.get(conv.input[0]) if conv.op_type == "Conv" else None
        if pad is None or pad.op_type != "Pad" or len(readers[pad.output[0]]) != 1:
            continue
        mode = next((a.s for a in pad.attribute if a.name == "mode"), b"constant")
        value = arrays.get(pad.input[2], np.ones(1)) if len(pad.input) > 2 and pad.input[2] else np.zeros(1)
        amounts = arrays.get(pad.input[1])
        has_axes = len(pad.input) > 3 and bool(pad.input[3])
        if mode != b"constant" or value.any() or amounts is None or amounts.size != 8 or has_axes:
            continue
        if amounts[[0, 1, 4, 5]].any() or (amounts < 0).any():
            continue
        own = next((a for a in conv.attribute if a.name == "pads"), None)
        before = list(own.ints) if own is not None else [0, 0, 0, 0]
        if own is not None:
            conv.attribute.remove(own)
        total = [int(b + a) for b, a in zip(before, amounts[[2, 3, 6, 7]], strict=True)]
        conv.attribute.append(onnx.helper.make_attribute("pads", total))
        conv.input[0] = pad.input[0]
        folded.append(pad)
    for pad in folded:
        model.graph.node.remove(pad)
    return len(folded)


def remove_leftovers(model: Any) -> None:
    """Drop Identity nodes, unused nodes, and the exporter's notes on our source files (in place)."""
    graph = model.graph
    outputs = {o.name for o in graph.output}
    for node in [n for n in graph.node if n.op_type == "Identity" and n.output[0] not in outputs]:
        for reader in graph.node:
            for i, name in enumerate(reader.input):
                if name == node.output[0]:
                    reader.input[i] = node.input[0]
        graph.node.remove(node)
    while True:
        read = {name for node in graph.node for name in node.input} | outputs
        dead = [n for n in graph.node if not any(o in read for o in n.output)]
        if not dead:
            break
        for node in dead:
            graph.node.remove(node)
    for tensor in [t for t in graph.initializer if t.name not in read]:
        graph.initializer.remove(tensor)
    shown = read | {i.name for i in graph.input}
    for info in [v for v in graph.value_info if v.name not in shown]:
        graph.value_info.remove(info)
    graph.doc_string = ""
    del graph.metadata_props[:]
    for part in (*graph.node, *graph.value_info, *graph.initializer, *graph.input, *graph.output):
        part.doc_string = ""
        del part.metadata_props[:]
    onnx.checker.check_model(model)


def name_layers(model: Any) -> None:
    """Name every layer after its weights (``features.3.conv``), so that reports can be read (in place)."""
    taken = {n.name for n in model.graph.node}
    for node in layers(model):
        name = node.input[1].removesuffix(".weight")
        if name not in taken:
            taken.add(name)
            node.name = name


def layers(model: Any) -> list[Any]:
    """The nodes with weights (convolutions, Gemm, MatMul with a constant), in the order they run."""
    constant = {t.name for t in model.graph.initializer}
    return [
        n
        for n in model.graph.node
        if n.op_type in LAYER_TYPES and any(name in constant for name in n.input[1:2])
    ]


def _reach(model: Any, start: list[Any], forward: bool) -> set[str]:
    """Names of all nodes reachable from ``start`` (exclusive), downstream if ``forward``, else upstream."""
    readers = consumers(model)
    producers = {name: node for node in model.graph.node for name in node.output}
    seen: set[str] = set()
    todo = list(start)
    while todo:
        node = todo.pop()
        names = node.output if forward else node.input
        near = [
            r for n in names for r in (readers.get(n, []) if forward else filter(None, [producers.get(n)]))
        ]
        for other in near:
            if other.name not in seen:
                seen.add(other.name)
                todo.append(other)
    return seen


def ends(model: Any) -> tuple[list[str], list[str], list[str]]:
    """(first layers, last layers, the nodes before the first or after the last), by name.

    First: a layer that no other layer feeds. Last: a layer that feeds no other. A node that is neither a
    layer nor between two layers belongs to pre- or post-processing.
    """
    every = layers(model)
    names = {n.name for n in every}
    first = [n for n in every if not _reach(model, [n], forward=False) & names]
    last = [n for n in every if not _reach(model, [n], forward=True) & names]
    after_first, before_last = _reach(model, first, forward=True), _reach(model, last, forward=False)
    outside = [
        n.name
        for n in model.graph.node
        if n.name not in names and not (n.name in after_first and n.name in before_last)
    ]
    return [n.name for n in first], [n.name for n in last], outside


def depthwise_behind(model: Any, first: list[str]) -> list[str]:
    """The depthwise convolutions between the layers ``first`` and any other layer, by name."""
    every = layers(model)
    names = {n.name for n in every}
    shapes = {t.name: t.dims for t in model.graph.initializer}
    return [
        n.name
        for n in every
        if any(a.name == "group" and a.i > 1 for a in n.attribute)
        and shapes[n.input[1]][1] == 1
        and _reach(model, [n], forward=False) & names == set(first)
    ]


def shield_float_layers(model: Any) -> int:
    """Keep ONNX Runtime from quantising layers that were left in float (in place); returns how many.

    Its optimiser gives a float layer between DequantizeLinear and QuantizeLinear 8-bit weights with *one*
    scale for all channels (seen in 1.31: WeightBiasQuantization). That ruins exactly the depthwise layers
    that are meant to stay in float. It only does so where the DequantizeLinear is right before the layer, so
    a Clip that clips nothing is put between them; the optimiser does not remove it.
    """
    graph = model.graph
    floats = {t.name for t in graph.initializer if t.data_type == onnx.TensorProto.FLOAT}
    restored = {n.output[0] for n in graph.node if n.op_type == "DequantizeLinear"}
    shielded = [n for n in layers(model) if n.input[0] in restored and n.input[1] in floats]
    if not shielded:
        return 0
    greatest = float(np.finfo(np.float32).max)
    for name, value in (("shield.least", -greatest), ("shield.greatest", greatest)):
        graph.initializer.append(numpy_helper.from_array(np.float32(value), name))
    for node in shielded:
        source = node.input[0]
        out = f"{node.name}.input"
        clip = onnx.helper.make_node(
            "Clip", [source, "shield.least", "shield.greatest"], [out], f"{node.name}.shield"
        )
        node.input[0] = out
        graph.node.insert(list(graph.node).index(node), clip)
    return len(shielded)
