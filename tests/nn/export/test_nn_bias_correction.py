"""Rounding that shifts a layer's mean is made up for in its bias."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")

from torch import Tensor, nn  # noqa: E402

from edgecam.inference.models.card import Card  # noqa: E402
from edgecam.nn.export.bias_correction import correct_biases  # noqa: E402
from edgecam.nn.export.card_writer import load_model  # noqa: E402
from edgecam.nn.export.onnx import ClassifierForExport, export_onnx, run_onnx  # noqa: E402
from edgecam.nn.export.quantize import quantize_graph  # noqa: E402
from edgecam.nn.export.sensitivity import compare  # noqa: E402

pytestmark = pytest.mark.torch

SIDE = 32
Files = tuple[Any, list[np.ndarray]]


class Shifting(nn.Module):
    """Two layers whose small weights all round down: beside a 1, a step is 1/127 and 0.0038 becomes 0."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        convolutions = nn.Conv2d(3, 16, 3, 2, 1), nn.Conv2d(16, 16, 3, 1, 1), nn.Conv2d(16, 16, 1)
        self.stem, self.first, self.second = (nn.Sequential(c, nn.ReLU6()) for c in convolutions)
        self.head = nn.Linear(16, 4)
        with torch.no_grad():
            for layer in convolutions:
                assert layer.bias is not None
                layer.bias += 2.0
            for layer in convolutions[1:]:
                layer.weight.fill_(0.0038)
                layer.weight[:, 0, 0, 0] = torch.tensor([1.0, -1.0] * 8)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.second(self.first(self.stem(x))).mean((2, 3)))
        return out


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8) for _ in range(12)]
    path = Path(tmp_path_factory.mktemp("bias")) / "net.onnx"
    card = Card(
        name="net", task="classification", architecture="test", labels=("a", "b", "c", "d"),
        resolution=(SIDE, SIDE),
    )  # fmt: skip
    export_onnx(ClassifierForExport(Shifting()), card, path, sample=pictures[:2])
    return load_model(path), pictures


@pytest.mark.parametrize("keep_float", [(), ("*second*",)])
def test_outputs_come_nearer_to_float(files: Files, keep_float: tuple[str, ...]) -> None:
    model, pictures = files
    plain = quantize_graph(model, pictures, keep_float=keep_float, correct=False)[0]
    corrected = quantize_graph(model, pictures, keep_float=keep_float)[0]
    before, after = (compare(model, one, pictures)[0] for one in (plain, corrected))
    assert after > before + 10  # dB
    assert len(corrected.graph.node) == len(plain.graph.node), "it costs nothing"
    assert sum(np.prod(t.dims) for t in corrected.graph.initializer) == sum(
        np.prod(t.dims) for t in plain.graph.initializer
    )


def test_a_model_like_itself_is_left_alone(files: Files) -> None:
    model, pictures = files
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    assert correct_biases(model, copy, pictures[:3]) == 4
    np.testing.assert_allclose(
        run_onnx(copy, pictures[0][None])[0], run_onnx(model, pictures[0][None])[0], atol=1e-6
    )


def test_a_shifted_bias_comes_back(files: Files) -> None:
    model, pictures = files
    shifted = onnx.ModelProto()
    shifted.CopyFrom(model)
    name = next(n.input[2] for n in shifted.graph.node if "second" in n.name and n.op_type == "Conv")
    tensor = next(t for t in shifted.graph.initializer if t.name == name)
    right = onnx.numpy_helper.to_array(tensor)
    tensor.CopyFrom(onnx.numpy_helper.from_array(right + np.float32(0.5), name))
    correct_biases(model, shifted, pictures[:3])
    np.testing.assert_allclose(onnx.numpy_helper.to_array(tensor), right, atol=1e-5)
