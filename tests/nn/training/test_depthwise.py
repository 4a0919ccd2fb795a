"""The quick backward pass of depthwise convolutions gives torch's own slopes."""

from __future__ import annotations

import copy
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from edgecam.nn.training import depthwise  # noqa: E402

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def library() -> Any:
    found = depthwise._library()
    if found is None:
        pytest.skip("no C compiler here")
    return found


@pytest.mark.parametrize(("kernel", "stride", "size"), [(3, 1, 9), (3, 2, 10), (5, 1, 7), (5, 2, 9)])
def test_slopes_are_those_of_torch(library: Any, kernel: Any, stride: Any, size: Any) -> None:
    torch.manual_seed(0)
    plain = torch.nn.Sequential(
        torch.nn.Conv2d(3, 12, 1), torch.nn.Conv2d(12, 12, kernel, stride, kernel // 2, groups=12)
    )
    with torch.no_grad():  # exact in bfloat16, so that only the order of sums differs
        for parameter in plain.parameters():
            parameter.copy_(parameter.to(torch.bfloat16))
    quick = copy.deepcopy(plain)
    assert depthwise.quicken(quick) == 1
    x = torch.randn(2, 3, size, size + 2)
    with torch.autocast("cpu", torch.bfloat16):
        a, b = plain(x), quick(x)
    assert torch.equal(a, b)
    slope = torch.randn_like(a)
    a.backward(slope)
    b.backward(slope)
    for one, other in zip(plain.parameters(), quick.parameters(), strict=True):
        assert torch.allclose(one.grad, other.grad, rtol=0.02, atol=0.02 * float(one.grad.abs().max()))


def test_it_is_torch_outside_of_a_training_in_bfloat16(library: Any) -> None:
    layer = torch.nn.Conv2d(4, 4, 3, padding=1, groups=4)
    x = torch.randn(1, 4, 6, 6)
    expected = layer(x)
    assert depthwise.quicken(torch.nn.ModuleList([layer])) == 1
    assert torch.equal(layer(x), expected)
    layer(x).sum().backward()
    assert layer.weight.grad is not None


def test_without_a_compiler_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "/proc/nowhere/cc")
    layer = torch.nn.Conv2d(4, 4, 3, padding=1, groups=4)
    assert depthwise.quicken(torch.nn.ModuleList([layer])) == 0
    assert type(layer) is torch.nn.Conv2d
