"""torchvision's ssdlite320_mobilenet_v3_large and ours: the same raw outputs, anchors and boxes."""

# torch types a module's part as Tensor | Module, and its state as Tensor | None
# mypy: disable-error-code="no-any-return,no-untyped-call,operator,union-attr"

from __future__ import annotations

import hashlib
import io
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    import torch
else:
    torch = pytest.importorskip("torch")

from loopback import serving
from public_packages import torchvision_model

from edgecam.core.errors import ModelError
from edgecam.core.types import Frame
from edgecam.inference.detector import OnnxDetector
from edgecam.inference.models.store import find_model
from edgecam.nn.hub.pull import pull
from edgecam.nn.hub.registry import official
from edgecam.nn.networks.anchors import anchors_to_xyxy, decode
from edgecam.nn.networks.ssdlite320 import DeployedSSDLite, import_ssdlite320

pytestmark = [pytest.mark.torch, pytest.mark.parity]

# our i-th anchor of a cell is torchvision's ORDER[i]-th: 1, 2, 1/2, 3, 1/3, in-between
ORDER = torch.tensor([0, 2, 3, 4, 5, 1])


def _ours(theirs: torch.Tensor) -> torch.Tensor:
    """(..., cells * 6, k) from torchvision's order of anchors to ours."""
    cells = theirs.unflatten(-2, (-1, 6))
    return cells[..., ORDER, :].flatten(-3, -2)


@pytest.fixture(scope="module")
def public() -> torch.nn.Module:
    return torchvision_model("ssdlite320_mobilenet_v3_large", 320, weights_backbone=None)


def test_raw_heads_equal_torchvisions(public: torch.nn.Module) -> None:
    ours = import_ssdlite320(public.state_dict())
    assert sum(p.numel() for p in ours.parameters()) == 3_440_060
    x = torch.randn(2, 3, 320, 320, generator=torch.Generator().manual_seed(5))
    with torch.inference_mode():
        features = list(public.backbone(x).values())
        heads = public.head(features)
        logits, deltas = ours(x)
    expected = _ours(heads["cls_logits"])
    assert expected.std() > 0.1
    assert (logits - expected).abs().max() < 1e-4
    boxes = _ours(heads["bbox_regression"])[..., [1, 0, 3, 2]]
    assert boxes.std() > 0.1
    assert (deltas - boxes).abs().max() < 1e-4


def test_anchors_and_boxes_equal_torchvisions(public: torch.nn.Module) -> None:
    from torchvision.models.detection.image_list import ImageList

    ours = import_ssdlite320(public.state_dict())
    x = torch.randn(1, 3, 320, 320, generator=torch.Generator().manual_seed(6))
    with torch.inference_mode():
        features = list(public.backbone(x).values())
        heads = public.head(features)
        anchors = public.anchor_generator(ImageList(x, [(320, 320)]), features)[0]
        boxes = public.box_coder.decode_single(heads["bbox_regression"][0], anchors)
        scores = heads["cls_logits"][0].softmax(-1)
        got, probability = DeployedSSDLite(ours, torch.nn.Identity())(x)
    torch.testing.assert_close(anchors_to_xyxy(ours.anchors), _ours(anchors) / 320, atol=1e-5, rtol=0)
    torch.testing.assert_close(got[0], _ours(boxes) / 320, atol=1e-4, rtol=1e-4)
    assert probability.shape == (1, 3234, 80)
    person, bicycle, toothbrush = scores[:, 1], scores[:, 2], scores[:, 90]
    expected = _ours(torch.stack([person, bicycle, toothbrush], dim=-1))
    torch.testing.assert_close(probability[0][:, [0, 1, 79]], expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(decode(ours(x)[1], ours.anchors), got)


@pytest.mark.slow
@pytest.mark.timeout(600)  # exporting takes a minute or more where others work on the same cores
def test_pulled_from_a_server_it_detects_on_a_picture(
    public: torch.nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    file = io.BytesIO()
    torch.save(public.state_dict(), file)
    with serving() as server:
        server.files["/ssdlite.pth"] = file.getvalue()
        entry = replace(
            official("ssdlite320_mobilenet_v3_large"),
            url=f"{server.url}/ssdlite.pth",
            sha256=hashlib.sha256(file.getvalue()).hexdigest()[:8],
        )
        path = pull(entry, say=lambda text: None, progress=lambda done, total: None)
    assert find_model("ssdlite320_mobilenet_v3_large", "detection") == path
    picture = np.random.default_rng(2).integers(0, 256, (320, 320, 3), dtype=np.uint8)
    found = OnnxDetector(path, score=0.05).detect(Frame(picture, 0, 0, "test"))
    x = torch.from_numpy(picture[None, ..., ::-1].copy()).permute(0, 3, 1, 2) / 127.5 - 1.0
    with torch.inference_mode():
        boxes, scores = DeployedSSDLite(import_ssdlite320(public.state_dict()), torch.nn.Identity())(x)
    best = int(scores.max(-1).values.argmax())
    top = int(found.score.argmax())
    assert found.score[top] == pytest.approx(float(scores[0, best].max()), abs=1e-4)
    assert found.class_id[top] == int(scores[0, best].argmax())
    expected = (boxes[0, best] * 320).clamp(0, 320).numpy()
    np.testing.assert_allclose(found.xyxy[top], expected, atol=0.1)


def test_a_classifiers_file_is_refused(public: torch.nn.Module) -> None:
    state = {k: v for k, v in public.state_dict().items() if not k.startswith("head.regression")}
    with pytest.raises(ModelError, match="0 layers"):
        import_ssdlite320(state)
