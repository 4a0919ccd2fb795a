"""The PAN detector: its shapes on several backbones, decoding, its ONNX file, starting from that file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from edgecam.core.errors import ConfigError, ModelError  # noqa: E402
from edgecam.inference.models.card import Card  # noqa: E402
from edgecam.nn.detection.start import transfer_pan  # noqa: E402
from edgecam.nn.networks.detector import network_of  # noqa: E402
from edgecam.nn.networks.gfl_head import decode_boxes, grid_points  # noqa: E402
from edgecam.nn.networks.pan_detector import PanConfig, PanDetector  # noqa: E402

pytestmark = [pytest.mark.torch, pytest.mark.timeout(300)]

SMALL = PanConfig(("a", "b", "c"), width=0.25, resolution=128, neck_width=16, head_depth=1)


@pytest.fixture(scope="module")
def small() -> Any:
    torch.manual_seed(0)
    return PanDetector(SMALL).eval()


@pytest.mark.parametrize(
    ("backbone", "width"),
    [
        ("mobilenet_v1", 0.25),
        ("mobilenet_v2", 0.35),
        ("mobilenet_v3_small", 0.5),
        ("mobilenet_v4_conv_small", 0.5),
    ],
)
def test_it_stands_on_any_backbone_with_three_taps(backbone: Any, width: Any) -> None:
    from edgecam.nn.networks.backbones import build_backbone

    strides = {tap.stride for tap in build_backbone(backbone, width=width, num_classes=1).taps}
    if not {8, 16, 32} <= strides:
        with pytest.raises(ConfigError, match="has no tap of stride"):
            PanDetector(PanConfig(("a",), backbone=backbone, width=width, resolution=128))
        return
    model = PanDetector(
        PanConfig(("a",), backbone=backbone, width=width, resolution=128, neck_width=16)
    ).eval()
    boxes, scores = model.predictions(torch.rand(2, 3, 128, 128))
    cells = sum((128 // s) ** 2 for s in (8, 16, 32, 64))
    assert boxes.shape == (2, cells, 4)
    assert scores.shape == (2, cells, 1)
    assert network_of(model.config.to_dict()).config == model.config


def test_wrong_tables_are_named() -> None:
    with pytest.raises(ConfigError, match="multiple of 32, not 300"):
        PanDetector(PanConfig(("a",), resolution=300))
    with pytest.raises(ConfigError, match="relu or hswish, not 'gelu'"):
        PanDetector(PanConfig(("a",), act="gelu"))
    with pytest.raises(ModelError, match="not one of ours"):
        network_of({"kind": "pan", "labels": ["a"], "colour": 1})


def test_sides_decode_to_the_box_they_were_made_of() -> None:
    points, strides = grid_points([(4, 4), (2, 2)], (16, 32))
    assert points[5].tolist() == [24.0, 24.0]
    assert points[-1].tolist() == [48.0, 48.0]
    sides = torch.full((len(points), 4, 8), -30.0)
    for side, distance in enumerate((1, 0, 3, 7)):
        sides[:, side, distance] = 30.0
    box = decode_boxes(sides.flatten(1), points, strides, 8)
    assert box[5].tolist() == pytest.approx([24 - 16, 24, 24 + 48, 24 + 112])
    assert box[-1].tolist() == pytest.approx([48 - 32, 48, 48 + 96, 48 + 224])


def test_its_file_answers_like_torch_and_a_training_can_start_from_it(small: Any, tmp_path: Path) -> None:
    from edgecam.nn.detection.checkpoint import load_start
    from edgecam.nn.detection.evaluation.predict import onnx_predict, torch_predict
    from edgecam.nn.detection.export import architecture_of, write_onnx

    table = {k: v for k, v in SMALL.to_dict().items() if k != "labels"}
    card = Card(
        name="small", task="detection", architecture=architecture_of(small), labels=SMALL.labels,
        resolution=(128, 128), extra={"table": table},
    )  # fmt: skip
    pictures = np.random.default_rng(0).integers(0, 256, (2, 128, 128, 3), dtype=np.uint8)
    path = tmp_path / "small.onnx"
    write_onnx(small, card, path, list(pictures))
    boxes, scores = onnx_predict(path)[0](pictures)
    expected = torch_predict(small)(pictures)
    assert np.abs(boxes - expected[0]).max() < 1e-4
    assert np.abs(scores - expected[1]).max() < 1e-4

    import onnx

    operators = {n.op_type for n in onnx.load(path).graph.node}
    assert not operators & {"Pad", "HardSwish", "HardSigmoid", "BatchNormalization", "Sub"} - {"Sub"}
    again = load_start(path)
    assert np.abs(torch_predict(again)(pictures)[1] - expected[1]).max() < 1e-4


def test_known_classes_keep_their_weights(small: Any) -> None:
    made = transfer_pan(small, ("c", "new")).eval()
    x = torch.rand(1, 3, 128, 128)
    with torch.no_grad():
        (before, sides), (after, same) = small(x), made(x)
    assert torch.allclose(after[..., 0], before[..., 2], atol=1e-5)
    assert torch.allclose(sides, same, atol=1e-5)
    assert float(torch.sigmoid(after[..., 1]).max()) < 0.1
