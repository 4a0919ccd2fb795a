"""Starting from published weights of other classes and another normalisation."""

# torch types a module's part as Tensor | Module, and its state as Tensor | None
# mypy: disable-error-code="arg-type"

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    import torch
else:
    torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")

from edgecam.cli.train_classifier import shipped_start
from edgecam.core.errors import ModelError
from edgecam.inference.models.card import Card
from edgecam.nn.classification.head import pooled
from edgecam.nn.export.onnx import ClassifierForExport, export_onnx, run_onnx
from edgecam.nn.hub.starting_onnx import recipe_fields
from edgecam.nn.hub.starting_weights import load_starting, normalisation, take_over_input
from edgecam.nn.networks.backbones import build_backbone
from edgecam.nn.networks.layers import ConvNormAct

pytestmark = pytest.mark.torch


def timm_state(classes: int) -> tuple[object, dict[str, torch.Tensor]]:
    """A network, and its state dict under timm's names (the importer's table, turned round)."""
    from edgecam.nn.networks.importers import _timm

    torch.manual_seed(1)
    network = build_backbone("mobilenet_v1", width=0.25, num_classes=classes).eval()
    names = {"conv_stem.weight": None}
    blocks = {f"blocks.{i}.0.conv_dw.weight": None for i in range(len(network.features) - 1)}
    state: dict[str, torch.Tensor] = {}
    for name, part in _timm(network, {**names, **blocks}):  # type: ignore[dict-item]
        for key, value in part.state_dict().items():  # type: ignore[union-attr]
            if not key.endswith("num_batches_tracked"):
                state[f"{name}.{key}"] = value.clone()
    return network, state


def test_the_new_input_gives_the_same_answers() -> None:
    torch.manual_seed(0)
    network = build_backbone("mobilenet_v1", width=0.25, num_classes=4).eval()
    stem = network.features[0]
    assert isinstance(stem, ConvNormAct)
    stem.conv.padding = (0, 0)  # the rim is the one place that may differ
    mean, std = normalisation("mobilenet_v2", 1.0, "torchvision")
    assert mean == pytest.approx((123.675, 116.28, 103.53))
    rgb = torch.rand(2, 3, 65, 65) * 255
    theirs = (rgb - torch.tensor(mean).view(1, 3, 1, 1)) / torch.tensor(std).view(1, 3, 1, 1)
    with torch.no_grad():
        expected = network(theirs)
        take_over_input(network, mean, std)
        torch.testing.assert_close(network(rgb / 127.5 - 1), expected, atol=1e-4, rtol=1e-4)


def test_other_classes_keep_the_fresh_classifier(tmp_path: Path) -> None:
    published, state = timm_state(classes=10)
    file = tmp_path / "published.pth"
    torch.save(state, file)
    network = build_backbone("mobilenet_v1", width=0.25, num_classes=3).eval()
    fresh = network.classifier.weight.clone()
    load_starting(network, file)
    torch.testing.assert_close(network.classifier.weight, fresh)
    body = published.features[3].state_dict()  # type: ignore[attr-defined]
    for name, value in network.features[3].state_dict().items():
        torch.testing.assert_close(value, body[name])
    same = build_backbone("mobilenet_v1", width=0.25, num_classes=10).eval()
    load_starting(same, file)
    torch.testing.assert_close(same.classifier.weight, published.classifier.weight)  # type: ignore[attr-defined]


def test_what_is_no_classifier_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "x.pth"
    torch.save({"layer.weight": torch.zeros(2, 2)}, file)
    with pytest.raises(ModelError, match="no classifier layer"):
        load_starting(build_backbone("mobilenet_v1", num_classes=3), file)


@pytest.mark.parametrize("name", ["mobilenet_v2", "mobilenet_v3_small", "mobilenet_v4_conv_small"])
def test_the_remembered_features_are_what_the_classifier_sees(name: str) -> None:
    torch.manual_seed(0)
    network = build_backbone(name, num_classes=4).eval()
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(network.classifier(pooled(network, x)), network(x))


def test_an_onnx_file_of_ours_gives_back_its_network(tmp_path: Path) -> None:
    """Whatever its normalisation was; the rim of the picture is the one place that may differ."""
    torch.manual_seed(0)
    published = build_backbone("mobilenet_v1", width=0.25, num_classes=3).eval()
    published.features[0].conv.padding = (0, 0)  # type: ignore[union-attr]
    for module in published.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
            torch.nn.init.normal_(module.running_mean, std=0.1)
    mean, std = normalisation("mobilenet_v2", 1.0, "torchvision")
    card = Card(
        name="p", task="classification", architecture="mobilenet_v1", width_multiplier=0.25,
        labels=("a", "b", "c"), resolution=(65, 65),
    )  # fmt: skip
    path = tmp_path / "p.onnx"
    picture = np.random.default_rng(0).integers(0, 256, (65, 65, 3), dtype=np.uint8)
    export_onnx(ClassifierForExport(published, mean=mean, std=std), card, path, sample=picture)
    assert recipe_fields(path) == {"architecture": "mobilenet_v1", "width": 0.25, "padding": "symmetric"}

    network = build_backbone("mobilenet_v1", width=0.25, num_classes=3).eval()
    network.features[0].conv.padding = (0, 0)  # type: ignore[union-attr]
    load_starting(network, path)
    rgb = torch.from_numpy(picture[..., ::-1].copy()).permute(2, 0, 1)[None].float()
    with torch.no_grad():
        found = torch.softmax(network(rgb / 127.5 - 1), 1).numpy()
    np.testing.assert_allclose(found, run_onnx(path, picture[None])[0], atol=1e-5)

    other = build_backbone("mobilenet_v1", width=0.25, num_classes=7)
    fresh = other.classifier.weight.clone()
    load_starting(other, path)
    torch.testing.assert_close(other.classifier.weight, fresh)
    with pytest.raises(ModelError, match="does not fit mobilenet_v2"):
        load_starting(build_backbone("mobilenet_v2", num_classes=3), path)


def test_the_shipped_classifier_is_found_to_start_from() -> None:
    path = shipped_start("mobilenet_v2", 1.0)
    assert path is not None
    assert recipe_fields(path)["padding"] == "tf"
    assert shipped_start("mobilenet_v4_hybrid_large", 1.0) is None
    with pytest.raises(ModelError, match="not a float classifier"):
        recipe_fields(path.with_name(f"{path.stem}-int8.onnx"))
