"""Pruning: what is redundant goes without loss, what is not by least squares; the result trains on."""

# torch types a module's part as Tensor | Module, and its state as Tensor | None
# mypy: disable-error-code="operator,union-attr"

from __future__ import annotations

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

from edgecam.core.errors import ConfigError  # noqa: E402
from edgecam.nn.detection.loss import mimic_loss  # noqa: E402
from edgecam.nn.export.prune import prune, surgeon  # noqa: E402
from edgecam.nn.labels.coco import COCO80  # noqa: E402
from edgecam.nn.networks.ssd import SSD, SSDConfig  # noqa: E402

pytestmark = pytest.mark.torch

WIDE = (8, 16, 16, 16, 16, 16, 24, 24, 24, 24, 24, 24, 32, 32)
NARROW = (8, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 24, 24, 24)


def small(channels: tuple[int, ...] = WIDE) -> SSD:
    torch.manual_seed(0)
    return SSD(
        SSDConfig(
            labels=COCO80[:3], padding="tf", resolution=76, extras=((16, 24), (8, 16)), folded=True,
            channels=channels,
        )
    ).eval()  # fmt: skip


def test_the_surgeon_takes_the_copies_first_and_loses_nothing() -> None:
    torch.manual_seed(1)
    own = torch.randn(500, 4, dtype=torch.float64)
    x = torch.cat([own, own[:, :2] * 2.0, torch.ones(500, 1, dtype=torch.float64)], dim=1)
    y = own @ torch.randn(4, 3, dtype=torch.float64) + 0.5
    kept, weight = surgeon(x.T @ x, x.T @ y, 4, 1, torch.ones(3, dtype=torch.float64))
    assert {2, 3} <= set(kept.tolist())
    assert len({0, 4} & set(kept.tolist())) == len({1, 5} & set(kept.tolist())) == 1
    assert (x @ weight - y).abs().max() < 0.01
    gone = [i for i in range(6) if i not in kept.tolist()]
    assert not weight[gone].any()


def test_the_surgeon_is_least_squares_on_what_is_left() -> None:
    torch.manual_seed(2)
    x = torch.cat([torch.randn(400, 6, dtype=torch.float64), torch.ones(400, 1, dtype=torch.float64)], dim=1)
    y = x @ torch.randn(7, 5, dtype=torch.float64)
    kept, weight = surgeon(x.T @ x, x.T @ y, 2, 2, torch.ones(5, dtype=torch.float64))
    columns = [c for group in kept.tolist() for c in (2 * group, 2 * group + 1)] + [6]
    best = torch.linalg.lstsq(x[:, columns], y).solution
    assert torch.allclose(weight[columns], best, atol=1e-2)


def test_channels_that_say_nothing_are_the_ones_that_go() -> None:
    model = small()
    with torch.no_grad():
        dead = model.backbone.features[7].pw.conv
        dead.weight[:8] = 0.0
        dead.bias[:8] = 0.0
    x = torch.rand(8, 3, 76, 76) * 2 - 1
    channels = tuple(16 if i == 7 else c for i, c in enumerate(WIDE))
    made = prune(model, channels, model.config.extras, x)
    assert made.config.channels == channels
    with torch.no_grad():
        for ours, theirs in zip(made(x), model(x), strict=True):
            assert torch.allclose(ours, theirs, atol=2e-3)


def test_a_pruned_network_is_smaller_and_near() -> None:
    model = small()
    x = torch.rand(16, 3, 76, 76) * 2 - 1
    made = prune(model, NARROW, ((8, 16), (8, 16)), x)
    assert sum(p.numel() for p in made.parameters()) < 0.8 * sum(p.numel() for p in model.parameters())
    assert torch.equal(made.anchors, model.anchors)
    fresh = SSD(replace(made.config)).eval()
    with torch.no_grad():
        whole, near, far = model(x), made(x), fresh(x)
        assert mimic_loss(*near, *whole) < 0.5 * mimic_loss(*far, *whole)
        assert mimic_loss(*whole, *whole) < 1e-6


@pytest.mark.parametrize(
    ("channels", "extras", "says"),
    [
        (NARROW[:-1], ((16, 24), (8, 16)), "one channel number for each of its 14 rows"),
        (NARROW, ((16, 24),), "each of 2 extra maps"),
        ((*NARROW[:11], 16, 24, 24), ((16, 24), (8, 16)), "row 11 feeds a predictor"),
        ((*NARROW[:13], 40), ((16, 24), (8, 16)), "more than it has"),
    ],
)
def test_numbers_that_do_not_fit_are_named(
    channels: tuple[int, ...], extras: tuple[tuple[int, int], ...], says: str
) -> None:
    with pytest.raises(ConfigError, match=says):
        prune(small(), channels, extras, torch.zeros(1, 3, 76, 76))
