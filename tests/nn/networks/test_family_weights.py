"""Published arrays load; measured statistics leave the function as it was."""

# torch types a module's part as Tensor | Module, and its state as Tensor | None
# mypy: disable-error-code="arg-type,misc,no-untyped-call,operator,union-attr"

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

if TYPE_CHECKING:
    import torch
else:
    torch = pytest.importorskip("torch")

from edgecam.core.errors import ModelError
from edgecam.nn.hub.npz_weights import load_published_npz, measure_norms, weight_layers
from edgecam.nn.labels import imagenet_labels
from edgecam.nn.networks.backbones import build_backbone
from edgecam.nn.networks.importers import import_state

pytestmark = pytest.mark.torch

DATA = Path(__file__).resolve().parents[3].parent / "shared" / "data"
# imagenette's classes among ImageNet's 1000
IMAGENETTE = {
    "tench": 0,
    "English springer": 217,
    "cassette player": 482,
    "chain saw": 491,
    "church": 497,
    "French horn": 566,
    "garbage truck": 569,
    "gas pump": 571,
    "golf ball": 574,
    "parachute": 701,
}


def _arrays(net: torch.nn.Module, seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    arrays: dict[str, Any] = {}
    for i, layer in enumerate(weight_layers(net)):
        weight = getattr(layer, "conv", layer).weight
        shape = tuple(weight.shape) if weight.ndim == 4 else (*weight.shape, 1, 1)
        fan_in = int(np.prod(shape[1:]))
        arrays[f"conv_{i:02d}.weight"] = (rng.standard_normal(shape) * (2 / fan_in) ** 0.5).astype(np.float16)
        arrays[f"conv_{i:02d}.bias"] = rng.normal(0, 0.1, shape[0]).astype(np.float32)
    return arrays


def _folded(arrays: dict[str, Any], x: torch.Tensor) -> torch.Tensor:
    """The published V1 straight from its arrays: convolution, bias, ReLU6, nothing of ours."""
    count = len(arrays) // 2
    strides = {0: 2, 3: 2, 7: 2, 11: 2, 23: 2}
    for i in range(count):
        weight = torch.from_numpy(arrays[f"conv_{i:02d}.weight"].astype(np.float32))
        bias = torch.from_numpy(arrays[f"conv_{i:02d}.bias"])
        stride, kernel = strides.get(i, 1), weight.shape[2]
        if i == count - 1:
            return torch.nn.functional.conv2d(x.mean((2, 3), keepdim=True), weight, bias).flatten(1)
        if kernel == 3:
            x = torch.nn.functional.pad(x, (0, 1, 0, 1) if stride == 2 else (1, 1, 1, 1))
        groups = x.shape[1] if kernel == 3 and i else 1
        x = torch.nn.functional.conv2d(x, weight, bias, stride, 0, 1, groups).clamp(0, 6)
    raise AssertionError


@pytest.mark.parametrize("classes", [1001, 1000])
def test_published_v1_computes_what_its_arrays_say(tmp_path: Path, classes: int) -> None:
    net = build_backbone("mobilenet_v1", width=0.25, num_classes=1001, padding="tf")
    arrays = _arrays(net)
    np.savez(tmp_path / "w.npz", **arrays)
    ours = build_backbone("mobilenet_v1", width=0.25, num_classes=classes, padding="tf").eval()
    load_published_npz(ours, tmp_path / "w.npz")
    x = torch.rand(2, 3, 64, 64) * 2 - 1
    with torch.inference_mode():
        expected = _folded(arrays, x)[:, 1001 - classes :]
        torch.testing.assert_close(ours(x), expected, atol=1e-4, rtol=1e-4)


def test_measured_statistics_keep_the_function_and_make_training_mode_agree(tmp_path: Path) -> None:
    torch.manual_seed(1)
    net = build_backbone("mobilenet_v1", width=0.25, num_classes=1001, padding="tf", dropout=0.0)
    np.savez(tmp_path / "w.npz", **_arrays(net))
    load_published_npz(net, tmp_path / "w.npz")
    batches = [torch.rand(8, 3, 64, 64) * 2 - 1 for _ in range(2)]
    net.eval()
    with torch.inference_mode():
        before = net(batches[0])
    measure_norms(net, batches)
    with torch.inference_mode():
        torch.testing.assert_close(net(batches[0]), before, atol=1e-4, rtol=1e-3)
    norm = net.features[0].bn
    seen = torch.cat([net.features[0].conv(b) for b in batches]).detach()
    torch.testing.assert_close(norm.running_mean, seen.mean((0, 2, 3)), atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(norm.running_var, seen.var((0, 2, 3), correction=0), atol=1e-4, rtol=1e-3)
    net.train()
    with torch.no_grad():
        one_batch = net(torch.cat(batches))
    net.eval()
    with torch.inference_mode():
        torch.testing.assert_close(one_batch, net(torch.cat(batches)), atol=0.05, rtol=0.05)


def test_another_networks_weights_are_refused(tmp_path: Path) -> None:
    net = build_backbone("mobilenet_v1", width=0.25, num_classes=1001, padding="tf")
    arrays = _arrays(net)
    np.savez(tmp_path / "w.npz", **arrays)
    with pytest.raises(ModelError, match="width"):
        load_published_npz(build_backbone("mobilenet_v1", width=0.5, num_classes=1001), tmp_path / "w.npz")
    with pytest.raises(ModelError, match="28 layers"):
        load_published_npz(build_backbone("mobilenet_v2", num_classes=1001), tmp_path / "w.npz")
    (tmp_path / "half.npz").write_bytes((tmp_path / "w.npz").read_bytes()[:1000])
    with pytest.raises(ModelError, match="not a readable"):
        load_published_npz(net, tmp_path / "half.npz")
    with pytest.raises(ModelError, match="no weights file"):
        load_published_npz(net, tmp_path / "none.npz")


def test_an_import_leaves_nothing_over_and_nothing_out() -> None:
    net = build_backbone("mobilenet_v2", width=0.35, num_classes=10)
    with pytest.raises(ModelError, match="layers"):
        import_state(net, {"features.0.0.weight": torch.zeros(16, 3, 3, 3)}, "torchvision")
    with pytest.raises(ModelError, match="blocks"):
        import_state(net, {"conv_stem.weight": torch.zeros(16, 3, 3, 3)}, "timm")


def test_imagenettes_classes_are_where_we_say() -> None:
    assert all(imagenet_labels()[index] == name for name, index in IMAGENETTE.items())


@pytest.mark.shared
@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(not (DATA / "weights").is_dir(), reason="needs ../shared/data")
def test_published_networks_recognise_real_pictures() -> None:
    images = json.loads((DATA / "train.json").read_text())["images"]
    found = [image for image in images if image["source"] == "imagenette"][::100]
    pictures = []
    for image in found:
        bgr = cv2.imread(str(DATA / "images" / image["file_name"]))
        rgb = cv2.resize(bgr, (224, 224), interpolation=cv2.INTER_LINEAR)[:, :, ::-1]
        pictures.append(torch.from_numpy(rgb.astype(np.float32) / 127.5 - 1.0).permute(2, 0, 1))
    truth = torch.tensor([IMAGENETTE[image["class"]] + 1 for image in found])
    top1 = {}
    for name, width, file in (
        ("mobilenet_v2", 1.0, "mobilenet_v2_1.0_224"),
        ("mobilenet_v1", 1.0, "mobilenet_v1_1.0_224"),
        ("mobilenet_v1", 0.25, "mobilenet_v1_0.25_224"),
    ):
        net = build_backbone(name, width=width, num_classes=1001, padding="tf").eval()
        load_published_npz(net, DATA / "weights" / f"{file}.npz")
        with torch.inference_mode():
            answers = torch.cat([net(batch).argmax(1) for batch in torch.stack(pictures).split(11)])
        top1[file] = float((answers == truth).float().mean())
    v2, v1, quarter = top1.values()
    # docs/models.md has the figures on 7756 pictures: 0.599, 0.593, 0.413; on so few the first two may swap
    assert v2 > 0.45
    assert v1 > 0.45
    assert 0.25 < quarter < min(v1, v2)
