"""h-swish in int8: an addition and a product of integers, inside ONNX Runtime too."""

# torch types a module's part as Tensor | Module
# mypy: disable-error-code="operator"

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

if TYPE_CHECKING:
    import torch
else:
    torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")

from test_nn_quantize import WH, pictures  # noqa: E402
from torch import nn  # noqa: E402

from edgecam.inference.models.card import Card  # noqa: E402
from edgecam.nn.export.onnx import ClassifierForExport, export_onnx  # noqa: E402
from edgecam.nn.export.quantize import quantize_graph  # noqa: E402

pytestmark = pytest.mark.torch


def exported(folder: Path, gain: float, bias: float) -> Any:
    """A small network with two h-swish, the first one's input scaled and moved, as ``folder/net.onnx``."""
    torch.manual_seed(1)
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 8, 1), nn.Hardswish(), nn.Conv2d(8, 8, 3, 1, 1),
        nn.Hardswish(), nn.Conv2d(8, 4, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
    )  # fmt: skip
    with torch.no_grad():
        net[2].weight.mul_(gain)
        net[2].bias.add_(bias)
    card = Card(
        name="net", task="classification", architecture="t", labels=("a", "b", "c", "d"), resolution=WH
    )
    export_onnx(ClassifierForExport(net), card, folder / "net.onnx", sample=pictures(2))
    return onnx.load(folder / "net.onnx")


@pytest.mark.parametrize(
    ("gain", "bias", "additions"),
    [(20.0, 0.0, 2), (8.0, -3.0, 1)],  # far below -3, where h-swish is 0, and far above 3; never above 3
)
def test_hswish_stays_in_integers(tmp_path: Path, gain: float, bias: float, additions: int) -> None:
    import onnxruntime as ort

    model = exported(tmp_path, gain, bias)
    assert sum(n.op_type == "HardSwish" for n in model.graph.node) == 2
    made, _ = quantize_graph(model, pictures(24, 2), ends_float="first")
    assert not any(n.op_type == "HardSwish" for n in made.graph.node)
    # inside ONNX Runtime: one product of integers for each, and an addition where x exceeds 3
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "inside.onnx")
    int8 = ort.InferenceSession(made.SerializeToString(), options, providers=["CPUExecutionProvider"])
    ops = [n.op_type for n in onnx.load(tmp_path / "inside.onnx").graph.node]
    assert (ops.count("QLinearAdd"), ops.count("QLinearMul"), ops.count("HardSigmoid")) == (additions, 2, 0)
    name = int8.get_inputs()[0].name
    float_ = ort.InferenceSession(str(tmp_path / "net.onnx"), providers=["CPUExecutionProvider"])
    theirs, ours = (
        np.concatenate([s.run(None, {name: p[None]})[0] for p in pictures(12, 3)]) for s in (float_, int8)
    )
    assert np.abs(theirs - ours).max() < 0.02


def test_a_range_that_hardly_holds_minus_three_is_quantised_too(tmp_path: Path) -> None:
    made, _ = quantize_graph(exported(tmp_path, 3000.0, 0.0), pictures(8, 2), ends_float="first")
    assert not any(n.op_type == "HardSwish" for n in made.graph.node)
