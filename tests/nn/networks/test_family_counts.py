"""Parameters to the last digit, multiply-adds as published, shapes of taps, widths and resolutions."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from edgecam.core.errors import ConfigError  # noqa: E402
from edgecam.nn.hub.describe import describe  # noqa: E402
from edgecam.nn.hub.published import PUBLISHED, Published, published  # noqa: E402
from edgecam.nn.networks.backbones import ARCHITECTURES, build_backbone  # noqa: E402
from edgecam.nn.networks.count import multiply_adds  # noqa: E402
from edgecam.nn.networks.layers import Conv2dSame, make_divisible  # noqa: E402

pytestmark = pytest.mark.torch

# FIELD-NOTES section 5: timm's counts for 1000 classes
EXACT = {
    "mobilenet_v1": 4_231_976,
    "mobilenet_v2": 3_504_872,
    "mobilenet_v3_large": 5_483_032,
    "mobilenet_v3_small": 2_542_856,
    "mobilenet_edgetpu": 4_091_432,
    "mobilenet_v4_conv_small": 3_774_024,
    "mobilenet_v4_conv_medium": 9_715_512,
    "mobilenet_v4_conv_large": 32_590_864,
    "mobilenet_v4_hybrid_medium": 11_074_648,
    "mobilenet_v4_hybrid_large": 37_764_624,
}


@pytest.mark.parametrize(("name", "count"), EXACT.items())
def test_parameters_to_the_last_digit(name: str, count: int) -> None:
    with torch.device("meta"):
        net = build_backbone(name)
    assert sum(p.numel() for p in net.parameters()) == count
    assert describe(name).parameters == count


@pytest.mark.parametrize("line", PUBLISHED, ids=lambda p: f"{p.architecture}-{p.width}-{p.resolution}")
def test_multiply_adds_as_published(line: Published) -> None:
    found = describe(line.architecture, width=line.width, resolution=line.resolution)
    assert line.agrees(found.macs), f"{found.macs / line.unit:.3f} against {line.macs}"
    assert line.parameters in (None, found.parameters)


@pytest.mark.parametrize("name", ["mobilenet_v1", "mobilenet_v3_small", "mobilenet_v4_hybrid_medium"])
def test_the_sum_of_the_rows_is_that_of_the_whole(name: str) -> None:
    with torch.device("meta"):
        net = build_backbone(name)
        whole = multiply_adds(net, torch.zeros(1, 3, 160, 160))
    assert describe(name, resolution=160).macs == whole


def test_a_network_one_block_short_would_not_agree() -> None:
    line = published("mobilenet_v1", 1.0, 224)
    assert line is not None
    cost = describe("mobilenet_v1")
    assert not line.agrees(cost.macs - cost.layers[8].macs)


def test_the_papers_saving_over_standard_convolutions() -> None:
    v1 = describe("mobilenet_v1")
    # table 4 of the V1 paper: "Conv MobileNet" 4866 M and 29.3 M parameters
    assert round(v1.standard_macs / 1e6) == pytest.approx(4866, abs=1)
    assert round(v1.standard_parameters / 1e6, 1) == 29.3
    built, standard = v1.separable_share
    assert 8 < standard / built < 9


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("width", [1.0, 0.35])
def test_taps_are_what_they_say(name: str, width: float) -> None:
    with torch.device("meta"):
        net = build_backbone(name, width=width, num_classes=7).eval()
        height, wide = 96, 160
        maps = net.forward_taps(torch.zeros(2, 3, height, wide))
        logits = net(torch.zeros(2, 3, 33, 47))
    assert [tap.stride for tap in net.taps] == [8, 16, 32]
    for tap, feature in zip(net.taps, maps, strict=True):
        assert tuple(feature.shape) == (2, tap.channels, height // tap.stride, wide // tap.stride)
        assert tap.channels % 8 == 0
    assert tuple(logits.shape) == (2, 7)


def test_taps_lie_on_the_way_to_the_logits() -> None:
    net = build_backbone("mobilenet_v2", width=0.35, num_classes=5).eval()
    x = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        last = net.forward_taps(x)[-1]
        torch.testing.assert_close(last, net.forward_features(x))


@pytest.mark.parametrize(("given", "rounded"), [(24 * 0.35, 8), (32 * 0.35, 16), (18, 24), (3, 8), (64, 64)])
def test_channels_round_to_eight_and_lose_at_most_a_tenth(given: float, rounded: int) -> None:
    assert make_divisible(given) == rounded


@pytest.mark.parametrize(("size", "kernel"), [(8, 3), (9, 3), (8, 5), (9, 5)])
def test_same_padding_is_tensorflows(size: int, kernel: int) -> None:
    conv = Conv2dSame(1, 1, kernel, 2, bias=False)
    torch.nn.init.ones_(conv.weight)
    x = torch.arange(float(size * size)).reshape(1, 1, size, size)
    out = -(-size // 2)
    total = (out - 1) * 2 + kernel - size
    first = -(total // 2)  # TensorFlow puts the odd pixel of padding at the end
    for i in range(out):
        rows = slice(max(first + 2 * i, 0), first + 2 * i + kernel)
        assert conv(x)[0, 0, i, 0] == x[0, 0, rows, 0 : first + kernel].sum()


def test_reduced_tail_halves_the_last_channels() -> None:
    with torch.device("meta"):
        full, reduced = (
            build_backbone("mobilenet_v3_large"),
            build_backbone("mobilenet_v3_large", reduced_tail=True),
        )
    assert full.taps[-1].channels == 2 * reduced.taps[-1].channels == 960
    assert full.taps[1] == reduced.taps[1]


@pytest.mark.parametrize(
    ("kwargs", "says"),
    [
        ({"name": "mobilenet_v5"}, "did you mean 'mobilenet_v"),
        ({"name": "mobilenet_v1", "width": 0.0}, "width multiplier 0.0"),
        ({"name": "mobilenet_v1", "num_classes": 0}, "0 classes"),
        ({"name": "mobilenet_v1", "padding": "valid"}, "padding 'valid'"),
        ({"name": "mobilenet_v1", "reduced_tail": True}, "reduced tail is V3's"),
    ],
)
def test_wrong_wishes_are_refused_in_a_sentence(kwargs: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        build_backbone(**kwargs)
