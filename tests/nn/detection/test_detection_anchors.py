"""Anchors equal the published ones; the box coder's round trip; the published weights land where they
belong."""

# torch types a module's part as Tensor | Module, and its state as Tensor | None
# mypy: disable-error-code="arg-type"

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from edgecam.core.errors import ModelError  # noqa: E402
from edgecam.nn.hub.google_ssd import google_config, load_google_ssd, published_anchors  # noqa: E402
from edgecam.nn.networks.anchors import decode, encode, giou, make_anchors, pairwise_iou, tap_sizes  # noqa: E402
from edgecam.nn.networks.backbones import ARCHITECTURES  # noqa: E402
from edgecam.nn.networks.ssd import SSD, SSDConfig, fold_batch_norm  # noqa: E402

pytestmark = pytest.mark.torch

WEIGHTS = Path(__file__).resolve().parents[3].parent / "shared/data/weights/ssd_mobilenet_v1_coco_300.npz"
needs_weights = pytest.mark.skipif(not WEIGHTS.is_file(), reason="needs ../shared/data/weights")


def test_grid_of_anchors() -> None:
    anchors = make_anchors([(2, 1)], [[(0.1, 0.2), (0.3, 0.4)]])
    expected = [[0.25, 0.5, 0.1, 0.2], [0.25, 0.5, 0.3, 0.4], [0.75, 0.5, 0.1, 0.2], [0.75, 0.5, 0.3, 0.4]]
    assert torch.allclose(anchors, torch.tensor(expected))


def test_sizes_follow_the_paper() -> None:
    table = tap_sizes(6)
    assert [len(row) for row in table] == [3, 6, 6, 6, 6, 6]
    assert table[0][0] == pytest.approx((0.1, 0.1))
    h, w = table[1][1]
    assert w / h == pytest.approx(2.0)
    assert h * w == pytest.approx(0.35**2)
    assert table[5][5] == pytest.approx((np.sqrt(0.95), np.sqrt(0.95)))


@pytest.mark.shared
@needs_weights
def test_anchors_equal_the_published_ones_up_to_their_rounding() -> None:
    model = SSD(google_config())
    published = published_anchors(WEIGHTS)
    assert model.anchors.shape == published.shape == (1917, 4)
    # the file's anchors were rounded to 8 bits; half a step of that is 0.0033
    assert float((model.anchors - published).abs().max()) < 0.0033


@pytest.mark.shared
@needs_weights
def test_published_detector_finds_the_dog() -> None:
    import cv2

    from edgecam.nn.detection.data import find_annotations, load_set
    from edgecam.nn.detection.evaluation.nms import detections
    from edgecam.nn.detection.evaluation.predict import torch_predict

    data = load_set(find_annotations(WEIGHTS.parents[1], "val"))
    dog = data.labels.index("dog")
    image = next(i for i in data.images if (i.class_id[~i.ignore] == dog).all() and (~i.ignore).sum() == 1)
    picture = cv2.resize(cv2.imread(str(image.path)), (300, 300))
    boxes, scores = torch_predict(load_google_ssd(WEIGHTS))(picture[None])
    xyxy, score, class_id = detections(boxes[0], scores[0])
    assert class_id[0] == dog
    assert score[0] > 0.5
    iou = pairwise_iou(torch.from_numpy(xyxy[:1]), torch.from_numpy(image.boxes[~image.ignore]))
    assert float(iou) > 0.6


def test_another_file_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(ModelError, match="not the published SSD"):
        load_google_ssd(tmp_path / "other.npz")


boxes = st.tuples(st.floats(0.0, 0.8), st.floats(0.0, 0.8), st.floats(0.01, 0.9), st.floats(0.01, 0.9))
anchor = st.tuples(st.floats(0.0, 1.0), st.floats(0.0, 1.0), st.floats(0.05, 1.2), st.floats(0.05, 1.2))


@settings(max_examples=60, deadline=None)
@given(boxes, anchor)
def test_coder_round_trip(box: Any, at: Any) -> None:
    x, y, w, h = box
    xyxy = torch.tensor([[x, y, x + w, y + h]], dtype=torch.float64)
    anchors = torch.tensor([at], dtype=torch.float64)
    assert torch.allclose(decode(encode(xyxy, anchors), anchors), xyxy, atol=1e-9)


def test_decode_keeps_the_published_order() -> None:
    anchors = torch.tensor([[0.5, 0.4, 0.2, 0.1]])
    moved = decode(torch.tensor([[[10.0, 0.0, 0.0, 0.0]]]), anchors)[0, 0]
    assert torch.allclose(moved, torch.tensor([0.35, 0.6, 0.45, 0.8]))  # y moved by the anchor's height
    taller = decode(torch.tensor([[[0.0, 0.0, 5 * float(np.log(2.0)), 0.0]]]), anchors)[0, 0]
    assert torch.allclose(taller, torch.tensor([0.35, 0.3, 0.45, 0.7]))


def test_giou_of_disjoint_boxes_is_negative() -> None:
    a, b = torch.tensor([[0.0, 0.0, 0.1, 0.1]]), torch.tensor([[0.5, 0.5, 0.6, 0.6]])
    iou, generalised = giou(a, b)
    assert float(iou) == 0.0
    assert float(generalised) < -0.9
    assert float(giou(a, a)[1]) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("predictor", "neck", "backbone"),
    [
        ("pointwise", 0, "mobilenet_v1"),
        ("conv3x3", 0, "mobilenet_v2"),
        *(("separable", 32, name) for name in ARCHITECTURES),
    ],
)
def test_heads_fit_any_backbone(predictor: Any, neck: Any, backbone: Any) -> None:
    config = SSDConfig(
        labels=("a", "b", "c"), backbone=backbone, width=0.25, resolution=96, predictor=predictor,
        neck_channels=neck, extras=((16, 32),),
    )  # fmt: skip
    model = SSD(config).eval()
    with torch.inference_mode():
        logits, deltas = model(torch.zeros(2, 3, 96, 96))
    assert logits.shape == (2, len(model.anchors), 3)
    assert deltas.shape == (2, len(model.anchors), 4)
    assert SSDConfig.from_dict(config.to_dict()) == config


def test_folding_batch_norm_changes_nothing() -> None:
    torch.manual_seed(0)
    model = SSD(SSDConfig(labels=("a",), width=0.25, resolution=96, extras=((16, 32),)))
    for part in model.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(part.running_mean, -0.3, 0.3)
            torch.nn.init.uniform_(part.running_var, 0.5, 2.0)
            torch.nn.init.uniform_(part.bias, -0.3, 0.3)
    model.eval()
    x = torch.randn(1, 3, 96, 96)
    before = model(x)
    assert fold_batch_norm(model) > 20
    after = model(x)
    assert torch.allclose(before[0], after[0], atol=1e-5)
    assert torch.allclose(before[1], after[1], atol=1e-5)
