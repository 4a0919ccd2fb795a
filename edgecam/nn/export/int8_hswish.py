"""h-swish in integers. ONNX Runtime has no int8 HardSwish and would convert each one to float and back.

x * relu6(x + 3) / 6 is an addition and a multiplication, which ONNX Runtime has in int8. The sum is quantised
with a range of exactly 0 to 6, so that saturation does the relu6; it is dequantised with a sixth of that
scale, which does the division. Below -3 the product is 0 for any x, so x's range starts there, and it gets
finer steps. Where x never exceeds 3 nothing is left to add: the same integers, read with another zero and
scale, are (x + 3) / 6.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import helper, numpy_helper

from edgecam.nn.export.onnx_graph import consumers, initialisers, remove_leftovers

#: The highest level of an 8-bit integer.
_STEPS = 255
_LEAST = 1e-3


def hswish_in_integers(model: Any) -> int:
    """Replace every HardSwish between a DequantizeLinear and a QuantizeLinear of uint8 (in place); returns
    how many."""
    graph = model.graph
    arrays, readers = initialisers(model), consumers(model)
    producers = {name: node for node in graph.node for name in node.output}

    def constant(name: str, value: float, dtype: type) -> str:
        if name not in arrays:
            arrays[name] = np.array(value, dtype)
            graph.initializer.append(numpy_helper.from_array(arrays[name], name))
        return name

    def narrow(write: Any, read: Any, name: str) -> float:
        """Let the range of x begin at -3, in the node that quantises it and in all that dequantise it.
        Returns the step if -3 is the integer 0 then and x stays below 3, else 0."""
        step, zero = float(arrays[read.input[1]]), int(arrays[read.input[2]])
        lowest, highest = -zero * step, (_STEPS - zero) * step
        if lowest >= -3 or write is None or write.op_type != "QuantizeLinear":
            return 0.0
        step = (max(highest, _LEAST) + 3) / _STEPS
        zero = round(3 / step)
        if highest <= 3:
            zero = int(3 / step)  # rounded down: the range still holds the highest
            step = 3 / zero
        scale, point = constant(f"{name}/scale", step, np.float32), constant(f"{name}/zero", zero, np.uint8)
        for node in (write, *readers[write.output[0]]):
            node.input[1], node.input[2] = scale, point
        return step if highest <= 3 and (_STEPS - zero) * step <= 3 else 0.0

    found = 0
    for node in [n for n in graph.node if n.op_type == "HardSwish"]:
        read = producers.get(node.input[0])
        after = readers.get(node.output[0], [])
        if read is None or read.op_type != "DequantizeLinear" or len(after) != 1:
            continue
        if after[0].op_type != "QuantizeLinear" or arrays[read.input[2]].dtype != np.uint8:
            continue
        x, name = node.input[0], node.name or f"hswish_{found}"
        step = narrow(producers.get(read.input[0]), read, name) if len(readers[x]) == 1 else 0.0
        none = constant("hswish/none", 0, np.uint8)
        at = list(graph.node).index(node)
        graph.node.remove(node)
        if step:
            sixth = constant(f"{name}/sixth", step / 6, np.float32)
            steps = [("DequantizeLinear", [read.input[0], sixth, none], f"{name}/share")]
        else:
            three = constant("hswish/three", _STEPS, np.uint8)
            of_3 = constant("hswish/of_3", 3 / _STEPS, np.float32)
            of_6 = constant("hswish/of_6", 6 / _STEPS, np.float32)
            of_1 = constant("hswish/of_1", 1 / _STEPS, np.float32)
            steps = [
                ("DequantizeLinear", [three, of_3, none], f"{name}/three"),
                ("Add", [x, f"{name}/three"], f"{name}/sum"),
                ("QuantizeLinear", [f"{name}/sum", of_6, none], f"{name}/relu6"),
                ("DequantizeLinear", [f"{name}/relu6", of_1, none], f"{name}/share"),
            ]
        steps.append(("Mul", [x, f"{name}/share"], node.output[0]))
        made = [helper.make_node(op, inputs, [output], output) for op, inputs, output in steps]
        for i, new in enumerate(made):
            graph.node.insert(at + i, new)
        found += 1
    if found:
        remove_leftovers(model)
    return found
