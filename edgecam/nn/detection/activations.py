"""Exchange a PAN detector's h-swish for ReLU by least squares, layer by layer, without training.

For each channel, a ReLU of a shifted and scaled input replaces h-swish. The layer that reads it is then
solved by ridge regression, so that its output stays as it was. The alternative, fading one activation into
the other during training, loses nearly everything at first and takes long to recover (docs/training.md).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgecam.core.errors import ConfigError
from edgecam.nn.networks.layers import ConvNormAct
from edgecam.nn.networks.pan_detector import PanDetector

#: Strength of the ridge that holds the weights near their old values, as a share of the inputs' mean square.
_RIDGE, _RIDGE_DEPTHWISE = 1e-3, 3e-3
#: Cells on which a layer is solved.
_CELLS = 40_000
_BATCH = 8
#: Shifts that are tried: below zero the ReLU leaves out the dip of h-swish, far above zero it is linear.
_SHIFTS = tuple(x / 5 for x in range(-5, 11)) + tuple(x / 10 for x in range(23, 42, 3))


@torch.no_grad()
def exchange_activations(model: PanDetector, act: str, act_finest: str, pictures: Tensor) -> PanDetector:
    """``model`` with other activations in neck and head; pictures (n, S, S, 3) uint8 BGR, about thirty.

    Raises :class:`ConfigError` if batch norm is not folded, or if a ReLU would have to become an h-swish.
    """
    made = PanDetector(replace(model.config, act=act, act_finest=act_finest)).eval()
    made.load_state_dict(model.state_dict())
    before = copy.deepcopy(model).eval()
    if not model.config.folded:
        raise ConfigError("activations are exchanged where batch norm is folded into the convolutions")
    blocks = [
        before.feature_maps(before.network_input(pictures[i : i + _BATCH]))
        for i in range(0, len(pictures), _BATCH)
    ]
    draw = torch.Generator().manual_seed(1)
    for name in _in_order(before, blocks[0]):
        old, new = before.get_submodule(name), made.get_submodule(name)
        inputs, wanted = _seen(before, name, blocks)
        ours, _ = _seen(made, name, blocks)
        changes = isinstance(old, ConvNormAct) and type(old.act) is not type(new.act)
        conv = new.conv if isinstance(new, ConvNormAct) else new
        assert isinstance(conv, nn.Conv2d)
        if not torch.equal(inputs, ours):
            _solve(conv, ours, wanted, draw)
        if changes:
            if not isinstance(old.act, nn.Hardswish):
                raise ConfigError("only h-swish can be exchanged, and only for ReLU")
            shift, scale = stand_in(wanted[:16])
            assert conv.bias is not None
            conv.weight.mul_(scale.view(-1, 1, 1, 1))
            conv.bias.add_(shift).mul_(scale)
    return made


def _in_order(model: PanDetector, maps: Sequence[Tensor]) -> list[str]:
    """Names of the convolutions in neck and head, with what belongs to them, in the order they run."""
    order: list[str] = []
    hooks = []
    for name, part in model.named_modules():
        if name.startswith(("neck.", "head.")) and (
            isinstance(part, ConvNormAct) or (isinstance(part, nn.Conv2d) and not name.endswith(".conv"))
        ):
            hooks.append(part.register_forward_hook(lambda _m, _i, _o, name=name: order.append(name)))
    model.head(model.neck(maps))
    for hook in hooks:
        hook.remove()
    return order


def _seen(model: PanDetector, name: str, blocks: Sequence[Sequence[Tensor]]) -> tuple[Tensor, Tensor]:
    """Inputs and outputs (before its activation) of the convolution ``name``, over all blocks."""
    part = model.get_submodule(name)
    conv = part.conv if isinstance(part, ConvNormAct) else part
    read: list[Tensor] = []
    given: list[Tensor] = []

    def hook(_: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        read.append(inputs[0])
        given.append(output.clone())  # the activation that follows works in place

    handle = conv.register_forward_hook(hook)
    for maps in blocks:
        model.head(model.neck(maps))
    handle.remove()
    return torch.cat(read), torch.cat(given)


def _solve(conv: nn.Conv2d, inputs: Tensor, wanted: Tensor, draw: torch.Generator) -> None:
    """Change ``conv`` so that it turns ``inputs`` into ``wanted`` (N, O, H, W)."""
    goal = wanted.permute(0, 2, 3, 1).flatten(0, 2)
    at = torch.randperm(len(goal), generator=draw)[:_CELLS]
    goal = goal[at].double()
    assert conv.bias is not None
    if conv.groups == 1:
        rows = inputs.permute(0, 2, 3, 1).flatten(0, 2)[at].double()
        weight, bias = _ridge(rows, goal, conv.weight.flatten(1).double(), conv.bias.double(), _RIDGE)
        conv.weight.copy_(weight.view_as(conv.weight))
        conv.bias.copy_(bias)
        return
    assert not isinstance(conv.padding, str)
    for channel in range(conv.out_channels):
        patches = F.unfold(
            inputs[:, channel : channel + 1], conv.kernel_size, padding=conv.padding, stride=conv.stride
        )
        rows = patches.transpose(1, 2).flatten(0, 1)[at].double()
        one = slice(channel, channel + 1)
        weight, bias = _ridge(
            rows,
            goal[:, one],
            conv.weight[one].flatten(1).double(),
            conv.bias[one].double(),
            _RIDGE_DEPTHWISE,
        )
        conv.weight[one] = weight.view_as(conv.weight[one]).float()
        conv.bias[one] = bias.float()


def _ridge(rows: Tensor, goal: Tensor, weight: Tensor, bias: Tensor, ridge: float) -> tuple[Tensor, Tensor]:
    """Weights (O, I) and bias (O,) that map rows (n, I) to goal (n, O), held near the given ones."""
    rest = goal - (rows @ weight.T + bias)
    wide = torch.cat([rows, rows.new_ones(len(rows), 1)], dim=1)
    gram = wide.T @ wide / len(wide)
    hold = gram.diagonal()[:-1].mean() * ridge + 1e-8
    held = torch.cat([hold.expand(rows.shape[1]), hold.new_full((1,), 1e-9)])
    step = torch.linalg.solve(gram + torch.diag(held), wide.T @ rest / len(wide))
    return weight + step[:-1].T, bias + step[-1]


def stand_in(values: Tensor) -> tuple[Tensor, Tensor]:
    """Per channel the ``shift`` and ``scale`` with which scale * relu(z + shift) comes closest to h-swish(z),
    up to a constant, for the ``values`` z (N, C, H, W). Two things are fitted: the value itself, and its
    difference from its surroundings (which is what a depthwise 5x5 reads)."""
    dims = (0, 2, 3)

    def apart(x: Tensor) -> Tensor:
        return x - F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)

    goal = F.hardswish(values)
    centred, detail = goal - goal.mean(dims, keepdim=True), apart(goal)
    spread, fine = centred.square().mean(dims) + 1e-6, detail.square().mean(dims) + 1e-7
    best = torch.full_like(spread, torch.inf)
    shift, scale = torch.zeros_like(spread), torch.ones_like(spread)
    for tried in _SHIFTS:
        found = torch.relu(values + tried)
        x, d = found - found.mean(dims, keepdim=True), apart(found)
        along = (x * centred).mean(dims) / spread + (d * detail).mean(dims) / fine
        size = x.square().mean(dims) / spread + d.square().mean(dims) / fine + 1e-9
        by = (along / size).clamp(0.02, 3.0)
        wide = by.view(1, -1, 1, 1)
        off = (centred - wide * x).square().mean(dims) / spread + (detail - wide * d).square().mean(
            dims
        ) / fine
        better = off < best
        best, scale = torch.where(better, off, best), torch.where(better, by, scale)
        shift = torch.where(better, torch.full_like(shift, tried), shift)
    return shift, scale
