"""SqueezeNet 1.1 and ShuffleNetV2: not ours, but real exports of a public package run with a sidecar card."""

from __future__ import annotations

import importlib
import logging
import warnings
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")

from edgecam.core.errors import ModelError  # noqa: E402
from edgecam.inference.classifier import OnnxClassifier  # noqa: E402

pytestmark = [pytest.mark.torch, pytest.mark.parity]

#: torchvision's own preprocessing of both (transforms._presets.ImageClassification).
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
CLASSES = 12

SIDECAR = """\
name = "{name}"
task = "classification"
architecture = "{name}"
labels = [{labels}]
licence = "BSD-3-Clause"
origin = "torchvision {version}, random weights"

[input]
layout = "NCHW"
color = "RGB"
mean = {mean}
std = {std}
resize = "stretch"

[output]
format = "probabilities"
activation = "softmax"
"""


@pytest.fixture(scope="module")
def torchvision() -> ModuleType:
    """Its Python modules: the wheel's own binary wants a CUDA torch, so two operators are declared."""
    if not hasattr(torch.ops.torchvision, "nms"):
        library = torch.library.Library("torchvision", "DEF")
        library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        torchvision_libraries.append(library)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return importlib.import_module("torchvision")
        except (ImportError, RuntimeError) as error:
            pytest.skip(f"torchvision cannot be imported: {error}")


torchvision_libraries: list[object] = []  # a library that is collected takes its operators along


@pytest.mark.parametrize("name", ["squeezenet1_1", "shufflenet_v2_x1_0"])
def test_a_foreign_classifier_runs_with_a_sidecar(torchvision: ModuleType, name: str, tmp_path: Path) -> None:
    torch.manual_seed(5)
    network = getattr(torchvision.models, name)(weights=None, num_classes=CLASSES).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.running_mean, std=0.05)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
    path = tmp_path / f"{name}.onnx"
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(network, (torch.zeros(1, 3, 224, 224),), dynamo=True, verbose=False)
    assert program is not None
    program.save(str(path))

    with pytest.raises(ModelError, match="no card"):
        OnnxClassifier(path, threads=1)

    labels = ", ".join(f'"class {i}"' for i in range(CLASSES))
    path.with_suffix(".toml").write_text(
        SIDECAR.format(
            name=name, labels=labels, version=torchvision.__version__, mean=list(MEAN), std=list(STD)
        )
    )
    classifier = OnnxClassifier(path, threads=1, top_k=CLASSES)
    image = np.random.default_rng(1).integers(0, 256, (224, 224, 3), dtype=np.uint8)
    rgb = torch.from_numpy(image[..., ::-1].copy()).permute(2, 0, 1)[None].float()
    planes = (rgb - torch.tensor(MEAN).view(1, 3, 1, 1)) / torch.tensor(STD).view(1, 3, 1, 1)
    with torch.no_grad():
        expected = torch.softmax(network(planes), 1)[0].numpy()
    found = classifier.classify(image)
    assert [c.label for c in found] == [f"class {i}" for i in np.argsort(-expected)]
    np.testing.assert_allclose([c.score for c in found], np.sort(expected)[::-1], atol=1e-5)
    assert expected.max() - expected.min() > 1e-3  # else any order would do
