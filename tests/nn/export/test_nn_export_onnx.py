"""Export: parity, folding, the card, and the refusals."""

# torch types a module's part as Tensor | Module, and its state as Tensor | None
# mypy: disable-error-code="arg-type"

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    import torch
else:
    torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")

from torch import nn  # noqa: E402

from edgecam.core.errors import ModelError  # noqa: E402
from edgecam.inference.models.card import Card  # noqa: E402
from edgecam.nn.export.card_writer import read_card, write_card  # noqa: E402
from edgecam.nn.export.onnx import ClassifierForExport, UintInput, export_onnx, run_onnx  # noqa: E402
from edgecam.nn.export.onnx_graph import depthwise_behind, ends, layers  # noqa: E402

pytestmark = pytest.mark.torch

RESOLUTION = (40, 32)  # (width, height): not square, so that swapped axes cannot pass


def small_net(classes: int = 3) -> nn.Module:
    """Three convolutions with batch norm that has seen other data than its defaults say."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU6(),
        nn.Conv2d(8, 8, 3, 1, 1, groups=8, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU6(),
        nn.Conv2d(8, 16, 1, bias=True),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(16, classes),
    )
    for module in net:
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.3)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
            nn.init.normal_(module.weight)
            nn.init.normal_(module.bias)
    return net.eval()


def card(labels: tuple[str, ...] = ("a", "b", "c"), task: str = "classification") -> Card:
    return Card(name="small", task=task, architecture="test", labels=labels, resolution=RESOLUTION)


def picture(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (RESOLUTION[1], RESOLUTION[0], 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[nn.Module, Path, Card]:
    net = small_net()
    path = tmp_path_factory.mktemp("export") / "small.onnx"
    written = export_onnx(
        ClassifierForExport(net, temperature=1.5), card(), path, sample=[picture(0), picture(1)]
    )
    return net, path, written


def test_the_file_computes_what_the_network_computes(exported: tuple[nn.Module, Path, Card]) -> None:
    net, path, _ = exported
    image = picture(7)
    rgb = torch.from_numpy(image[..., ::-1].copy()).permute(2, 0, 1)[None].float()
    with torch.no_grad():
        expected = torch.softmax(net((rgb - 127.5) / 127.5) / 1.5, 1).numpy()
    (got,) = run_onnx(path, image[None])
    assert got.shape == (1, 3)
    np.testing.assert_allclose(got, expected, atol=1e-5)


def test_the_contract_stands_in_the_graph(exported: tuple[nn.Module, Path, Card]) -> None:
    _, path, _ = exported
    model = onnx.load(path)
    (image,) = model.graph.input
    shape = [d.dim_value for d in image.type.tensor_type.shape.dim]
    assert (image.name, shape, image.type.tensor_type.elem_type) == (
        "image",
        [1, 32, 40, 3],
        onnx.TensorProto.UINT8,
    )
    assert [o.name for o in model.graph.output] == ["probabilities"]
    assert model.opset_import[0].version <= 21
    assert model.ir_version <= 10
    kinds = [n.op_type for n in model.graph.node]
    assert "BatchNormalization" not in kinds
    assert "Identity" not in kinds
    assert "/" not in "".join(
        n.doc_string + str(n.metadata_props) for n in model.graph.node
    )  # no source paths


def test_the_card_comes_back_and_is_tied_to_the_weights(
    exported: tuple[nn.Module, Path, Card], tmp_path: Path
) -> None:
    _, path, written = exported
    assert read_card(path) == written
    assert len(written.weights_sha256) == 64
    model = onnx.load(path)
    tensor = model.graph.initializer[0]
    changed = onnx.numpy_helper.to_array(tensor).copy()
    changed.flat[0] += 1
    tensor.CopyFrom(onnx.numpy_helper.from_array(changed, tensor.name))
    other = tmp_path / "other.onnx"
    onnx.save(model, other)
    with pytest.raises(ModelError, match="other weights"):
        read_card(other)


def test_write_card_replaces_the_card_only(exported: tuple[nn.Module, Path, Card], tmp_path: Path) -> None:
    _, path, written = exported
    copy = tmp_path / "copy.onnx"
    copy.write_bytes(path.read_bytes())
    new = write_card(copy, card(labels=("x", "y", "z")))
    assert read_card(copy) == new
    assert new.weights_sha256 == written.weights_sha256
    np.testing.assert_array_equal(run_onnx(copy, picture()[None])[0], run_onnx(path, picture()[None])[0])


@pytest.mark.parametrize("order", ["rgb", "bgr"])
def test_a_stem_that_absorbs_the_input_gives_the_same_numbers(order: str) -> None:
    torch.manual_seed(1)
    mean, std = (120.0, 110.0, 100.0), (58.0, 57.0, 56.0)
    conv = nn.Conv2d(3, 4, 3, 2, 1)
    image = torch.from_numpy(picture()[None])
    with torch.no_grad():
        plain = conv(UintInput(mean, std, order=order)(image))
        absorbed = UintInput(mean, std, order=order, stem=conv)
        torch.testing.assert_close(conv(absorbed(image)), plain, atol=1e-5, rtol=1e-5)


class Noisy(nn.Module):
    """Says something else each time: no exporter can be right about it."""

    def __init__(self) -> None:
        super().__init__()
        self.net = ClassifierForExport(small_net())
        self.calls = 0

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return torch.softmax(self.net(image) + float(self.calls), 1) * (1.0 + self.calls)


def test_a_file_that_differs_from_torch_is_refused_and_the_older_one_stays(tmp_path: Path) -> None:
    path = tmp_path / "wrong.onnx"
    path.write_bytes(b"an older file")
    with pytest.raises(ModelError, match="differ by"):
        export_onnx(Noisy(), card(), path, sample=[picture(0), picture(1), picture(2)])
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == b"an older file"


@pytest.mark.parametrize(
    ("labels", "task", "sample", "message"),
    [
        (("a", "b"), "classification", picture(), "2 labels"),
        (("a", "b", "c"), "detection", picture(), "does not fit detection"),
        (("a", "b", "c"), "classification", picture().transpose(1, 0, 2), "resize it"),
        (("a", "b", "c"), "classification", picture().astype(np.float32), "float32"),
    ],
)
def test_what_does_not_fit_the_card_is_refused(
    tmp_path: Path, labels: tuple[str, ...], task: str, sample: np.ndarray, message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        export_onnx(ClassifierForExport(small_net()), card(labels, task), tmp_path / "x.onnx", sample=sample)
    assert list(tmp_path.iterdir()) == []


def test_reading_what_is_no_model_says_so(tmp_path: Path, exported: tuple[nn.Module, Path, Card]) -> None:
    with pytest.raises(ModelError, match="No model file"):
        read_card(tmp_path / "missing.onnx")
    torn = tmp_path / "torn.onnx"
    torn.write_bytes(exported[1].read_bytes()[:100])
    with pytest.raises(ModelError, match="not a readable ONNX"):
        read_card(torn)
    bare = onnx.load(exported[1])
    del bare.metadata_props[:]
    onnx.save(bare, tmp_path / "bare.onnx")
    with pytest.raises(ModelError, match="no edgecam card"):
        read_card(tmp_path / "bare.onnx")


def test_first_and_last_layers_are_found(exported: tuple[nn.Module, Path, Card]) -> None:
    model = onnx.load(exported[1])
    every = [n.name for n in layers(model)]
    first, last, outside = ends(model)
    assert (first, last) == ([every[0]], [every[-1]])
    kinds = {n.name: n.op_type for n in model.graph.node}
    assert "Softmax" in {kinds[n] for n in outside}
    assert "Cast" in {kinds[n] for n in outside}
    assert not {"Clip", "Relu", "Conv", "Gemm"} & {kinds[n] for n in outside}


def test_only_depthwise_layers_right_behind_the_first_belong_to_the_entry(tmp_path: Path) -> None:
    depthwise = partial(nn.Conv2d, 8, 8, 3, padding=1, groups=8)
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU6(), depthwise(), nn.ReLU6(), nn.Conv2d(8, 8, 1), depthwise(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2),
    )  # fmt: skip
    card = Card(name="net", task="classification", architecture="t", labels=("a", "b"), resolution=(32, 32))
    sample = [np.zeros((32, 32, 3), np.uint8)]
    export_onnx(ClassifierForExport(net), card, tmp_path / "net.onnx", sample=sample)
    model = onnx.load(tmp_path / "net.onnx")
    every = [n.name for n in layers(model)]
    assert depthwise_behind(model, every[:1]) == every[1:2]
