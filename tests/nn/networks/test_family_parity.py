"""Our networks compute what timm's and torchvision's own modules compute, from their state dicts."""

# torch types a module's part as Tensor | Module, and its state as Tensor | None
# mypy: disable-error-code="arg-type"

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import torch
else:
    torch = pytest.importorskip("torch")

from public_packages import timm_model, timm_scaled, torchvision_model

from edgecam.nn.networks.backbones import build_backbone
from edgecam.nn.networks.importers import import_state

pytestmark = [pytest.mark.torch, pytest.mark.parity]

# ours, width, timm's name, its keyword arguments, the side of the square input
TIMM: list[tuple[str, float, str, dict[str, float], int]] = [
    ("mobilenet_v1", 1.0, "mobilenetv1_100", {}, 96),
    ("mobilenet_v1", 1.25, "mobilenetv1_125", {}, 75),
    ("mobilenet_v2", 1.0, "mobilenetv2_100", {}, 96),
    ("mobilenet_v2", 0.35, "mobilenetv2_035", {}, 75),
    ("mobilenet_v2", 1.4, "mobilenetv2_140", {}, 64),
    ("mobilenet_v3_large", 1.0, "mobilenetv3_large_100", {}, 96),
    ("mobilenet_v3_large", 0.75, "mobilenetv3_large_075", {}, 75),
    ("mobilenet_v3_small", 1.0, "mobilenetv3_small_100", {}, 96),
    ("mobilenet_v3_small", 0.5, "mobilenetv3_small_050", {}, 75),
    ("mobilenet_v3_large_minimalistic", 1.0, "tf_mobilenetv3_large_minimal_100", {}, 96),
    ("mobilenet_v3_small_minimalistic", 1.0, "tf_mobilenetv3_small_minimal_100", {}, 75),
    ("mobilenet_edgetpu", 1.0, "mobilenet_edgetpu_100", {}, 96),
    ("mobilenet_v4_conv_small", 1.0, "mobilenetv4_conv_small", {}, 128),
    ("mobilenet_v4_conv_small", 0.5, "mobilenetv4_conv_small_050", {}, 75),
    ("mobilenet_v4_conv_medium", 1.0, "mobilenetv4_conv_medium", {}, 128),
    ("mobilenet_v4_conv_large", 1.0, "mobilenetv4_conv_large", {}, 96),
    ("mobilenet_v4_hybrid_medium", 1.0, "mobilenetv4_hybrid_medium", {}, 128),
    ("mobilenet_v4_hybrid_large", 1.0, "mobilenetv4_hybrid_large", {}, 128),
]
# widths that timm gives no name, through its generating functions
SCALED = [
    ("mobilenet_v1", 0.75),
    ("mobilenet_v1", 0.5),
    ("mobilenet_v1", 0.25),
    ("mobilenet_v2", 0.75),
    ("mobilenet_v3_small", 0.35),
    ("mobilenet_edgetpu", 0.75),
    ("mobilenet_v4_conv_medium", 0.5),
    ("mobilenet_v4_hybrid_medium", 0.75),
]
TORCHVISION = [
    ("mobilenet_v2", 1.0, "mobilenet_v2", 96),
    ("mobilenet_v2", 0.5, "mobilenet_v2", 75),
    ("mobilenet_v3_large", 1.0, "mobilenet_v3_large", 96),
    ("mobilenet_v3_small", 1.0, "mobilenet_v3_small", 75),
]


def _difference(theirs: torch.nn.Module, ours: torch.nn.Module, size: int) -> float:
    x = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        expected, got = theirs(x), ours(x)
    assert expected.abs().max() > 0.1, "logits near zero would prove nothing"
    assert expected.std(dim=1).min() > 0.01
    return float((expected - got).abs().max())


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("name", "width", "theirs", "kwargs", "size"), TIMM)
def test_logits_equal_timm(name: str, width: float, theirs: str, kwargs: dict[str, float], size: int) -> None:
    public = timm_model(theirs, size, **kwargs)
    eps = 1e-3 if theirs.startswith("tf_") else 1e-5
    padding = "tf" if theirs.startswith("tf_") else "symmetric"
    ours = build_backbone(name, width=width, padding=padding, bn_eps=eps).eval()
    import_state(ours, public.state_dict(), "timm")
    assert sum(p.numel() for p in ours.parameters()) == sum(p.numel() for p in public.parameters())
    assert _difference(public, ours, size) < 1e-4


@pytest.mark.parametrize(("name", "width"), SCALED)
def test_logits_equal_timm_at_other_widths(name: str, width: float) -> None:
    public = timm_scaled(name, width, 96)
    ours = build_backbone(name, width=width, bn_eps=1e-5).eval()
    import_state(ours, public.state_dict(), "timm")
    assert sum(p.numel() for p in ours.parameters()) == sum(p.numel() for p in public.parameters())
    assert _difference(public, ours, 96) < 1e-4


@pytest.mark.parametrize(("name", "width", "theirs", "size"), TORCHVISION)
def test_logits_equal_torchvision(name: str, width: float, theirs: str, size: int) -> None:
    public = torchvision_model(theirs, size, width_mult=width)
    ours = build_backbone(name, width=width).eval()
    import_state(ours, public.state_dict(), "torchvision")
    assert _difference(public, ours, size) < 1e-4
