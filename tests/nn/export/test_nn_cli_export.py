"""``edgecam export`` of a named architecture with published weights, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")

from edgecam.cli.export import main  # noqa: E402
from edgecam.core.errors import ConfigError, ModelError  # noqa: E402
from edgecam.nn.classification.evaluate import onnx_predictor  # noqa: E402
from edgecam.nn.export.onnx import run_onnx  # noqa: E402
from edgecam.nn.networks.backbones import build_backbone  # noqa: E402

pytestmark = pytest.mark.torch

SHARED = Path(__file__).resolve().parents[3].parent / "shared" / "data"


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")
def test_published_weights_recognise_real_pictures(tmp_path: Path) -> None:
    path = tmp_path / "v1.onnx"
    weights = SHARED / "weights" / "mobilenet_v1_0.25_224.npz"
    arguments = ["mobilenet_v1", "--width", "0.25", "--weights", str(weights), "-o", str(path)]
    assert main([*arguments, "--licence", "Apache-2.0"]) == 0
    card, predict = onnx_predictor(path)
    assert (len(card.labels), card.resolution, card.licence) == (1000, (224, 224), "Apache-2.0")
    assert (card.parameters, round((card.macs or 0) / 1e6)) == (
        470_072,
        41,
    )  # the paper's table 7: 0.5 M, 41 M
    images = json.loads((SHARED / "train.json").read_text())["images"]
    chutes = [i["file_name"] for i in images if i.get("class") == "parachute"][:20]
    place = next(i for i, label in enumerate(card.labels) if label.split(",")[0] == "parachute")
    answers = []
    for name in chutes:
        image = cv2.imread(str(SHARED / "images" / name))
        assert image is not None
        answers.append(int(predict(image.astype(np.uint8)).argmax()))
    assert answers.count(place) >= 10


def test_a_foreign_state_dict_with_own_labels(tmp_path: Path) -> None:
    """What is not ours is mapped by name or refused by name; labels and classes must agree."""
    torch.manual_seed(0)
    weights, labels, path = tmp_path / "w.pth", tmp_path / "names.txt", tmp_path / "x.onnx"
    torch.save({"layer.weight": torch.zeros(2)}, weights)
    labels.write_text("ant\nbee\n")
    arguments = ["mobilenet_v1", "--weights", str(weights), "--labels", str(labels), "-o", str(path)]
    with pytest.raises(ModelError, match="timm"):
        main(arguments)
    assert not path.exists()
    labels.write_text("ant\n")
    with pytest.raises(ConfigError, match=r"has 1 label\(s\)"):
        main(arguments)


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    out = ["-o", str(tmp_path / "x.onnx")]
    with pytest.raises(ConfigError, match="--weights FILE is missing"):
        main(["mobilenet_v2", *out])
    with pytest.raises(ConfigError, match="did you mean 'mobilenet_v2'"):
        main(["mobilenet_v22", *out])
    with pytest.raises(ModelError, match="No checkpoint at"):
        main([str(tmp_path / "gone.pt"), *out])


def test_a_pickle_that_would_run_code_is_not_run(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (tmp_path / "touched",))  # type: ignore[return-value]

    file = tmp_path / "evil.pt"
    torch.save({"task": Evil()}, file)
    with pytest.raises(ModelError, match="read safely"):
        main([str(file), "-o", str(tmp_path / "x.onnx")])
    assert not (tmp_path / "touched").exists()


def test_a_tensorflow_style_network_keeps_its_padding_in_the_graph() -> None:
    """Padding at the bottom and right only becomes the convolutions' own: no Pad node is left."""
    from edgecam.nn.export.onnx import ClassifierForExport, to_onnx

    torch.manual_seed(0)
    network = build_backbone("mobilenet_v1", width=0.25, num_classes=5, padding="tf").eval()
    module = ClassifierForExport(network)
    image = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3), dtype=np.uint8)
    model = to_onnx(module, image, ["probabilities"])
    assert "Pad" not in {n.op_type for n in model.graph.node}
    with torch.no_grad():
        np.testing.assert_allclose(
            run_onnx(model, image)[0], module(torch.from_numpy(image)).numpy(), atol=1e-5
        )
