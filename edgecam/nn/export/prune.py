"""Remove channels from a trained SSD, and adjust the layers that read them to compensate.

The optimal brain surgeon (Hassibi and Stork 1993) chooses the channels and the new weights. It is applied to
each reading layer's least-squares problem: the inputs come from the network as pruned so far, the wanted
outputs from the unpruned one (He, Zhang and Sun 2017, "Channel Pruning for Accelerating Very Deep Neural
Networks"). No labels are used; training continues afterwards.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgecam.core.errors import ConfigError
from edgecam.nn.networks.blocks import Separable
from edgecam.nn.networks.layers import Conv2dSame
from edgecam.nn.networks.ssd import SSD

#: Added to each input's second moment, relative to their mean: keeps the matrix invertible for dead channels.
_RIDGE = 1e-4
_BATCH = 32
#: The weight of a position without any object; a certain object has weight 1.
_BACKGROUND = 0.03

Step = Callable[[str, int, int], None]


@dataclass(frozen=True)
class _Cut:
    """Channels to remove from ``writers`` (rows of weight and bias), ``between`` (depthwise) and ``readers``
    (columns); all three hold names of convolutions."""

    name: str
    keep: int
    writer: str
    readers: tuple[str, ...]
    between: str | None = None


@dataclass
class _Moments:
    """Sums over positions of inputs by inputs and of inputs by wanted outputs; the last input is the constant
    1 of the bias."""

    gram: Tensor | None = None
    cross: Tensor | None = None
    square: list[Tensor] = field(default_factory=list)

    def add(self, x: Tensor, y: Tensor) -> None:
        x, y = x.double(), y.double()
        self.gram = x.T @ x if self.gram is None else self.gram + x.T @ x
        self.cross = x.T @ y if self.cross is None else self.cross + x.T @ y


def _cuts(model: SSD, channels: Sequence[int], extras: Sequence[tuple[int, int]]) -> list[_Cut]:
    """The cuts to make, in the order of the forward pass."""
    rows = list(model.backbone.features)
    if len(channels) != len(rows) or not all(isinstance(row, Separable) for row in rows[1:]):
        raise ConfigError(
            f"pruning wants MobileNetV1 and one channel number for each of its {len(rows)} rows"
        )
    if len(extras) != len(model.extras):
        raise ConfigError(
            f"pruning wants one pair of channel numbers for each of {len(model.extras)} extra maps"
        )
    tapped = {i for i, mark in enumerate(model.backbone._marks) if mark is not None}
    used = sorted(tapped)[-len(model.config.strides) :]
    cuts = []
    for i, keep in enumerate(channels):
        name = f"backbone.features.{i}"
        writer = f"{name}.pw.conv" if i else f"{name}.conv"
        if i == len(rows) - 1:
            first = ("extras.0.squeeze.conv",) if len(model.extras) else ()
            cuts.append(_Cut(name, keep, writer, (*_heads(len(used) - 1), *first)))
        elif keep != rows[i].out_channels:
            if i in used:
                raise ConfigError(f"row {i} feeds a predictor and the rows after it: keep its channels")
            following = f"backbone.features.{i + 1}"
            cuts.append(_Cut(name, keep, writer, (f"{following}.pw.conv",), f"{following}.dw.conv"))
    for i, (squeezed, out) in enumerate(extras):
        name = f"extras.{i}"
        cuts.append(_Cut(f"{name}.squeeze", squeezed, f"{name}.squeeze.conv", (f"{name}.down.conv",)))
        further = (f"extras.{i + 1}.squeeze.conv",) if i + 1 < len(extras) else ()
        cuts.append(_Cut(name, out, f"{name}.down.conv", (*_heads(len(used) + i), *further)))
    wider = [cut.name for cut in cuts if cut.keep > _conv(model, cut.writer).out_channels]
    if wider:
        raise ConfigError(f"pruning takes channels away, but {', '.join(wider)} would have more than it has")
    return [cut for cut in cuts if cut.keep < _conv(model, cut.writer).out_channels]


def _heads(tap: int) -> tuple[str, str]:
    return f"class_heads.{tap}", f"box_heads.{tap}"


def _conv(model: nn.Module, name: str) -> nn.Conv2d:
    conv = model.get_submodule(name)
    assert isinstance(conv, nn.Conv2d)
    return conv


def _columns(conv: nn.Conv2d, x: Tensor) -> Tensor:
    """The inputs of each output position of ``conv``: (B * positions, C * k * k + 1), the last one 1."""
    kernel, stride, padding = conv.kernel_size[0], conv.stride[0], int(conv.padding[0])
    if isinstance(conv, Conv2dSame):
        needed = [max((-(-size // stride) - 1) * stride + kernel - size, 0) for size in x.shape[2:]]
        x = F.pad(x, (needed[1] // 2, needed[1] - needed[1] // 2, needed[0] // 2, needed[0] - needed[0] // 2))
    read = F.unfold(x, kernel, padding=padding, stride=stride).transpose(1, 2).flatten(0, 1)
    return torch.cat([read, torch.ones(read.shape[0], 1)], dim=1)


def _rows(y: Tensor) -> Tensor:
    return y.flatten(2).transpose(1, 2).flatten(0, 1)


def _saliency(scores: Sequence[Tensor]) -> Tensor:
    """(B, 1, H, W) on the finest map: the best score at each position over all maps.

    scores: logits (B, anchors * classes, H, W) of each map, from fine to coarse.
    """
    best = [torch.sigmoid(one).amax(dim=1, keepdim=True) for one in scores]
    size = best[0].shape[2:]
    return torch.stack([F.interpolate(one, size=size) for one in best]).amax(dim=0)


def _watch(work: SSD, whole: SSD, readers: Sequence[str], pictures: Tensor) -> tuple[_Moments, list[Tensor]]:
    """The readers' moments (inputs from ``work``, wanted outputs from ``whole``), and their output variances.

    Positions are weighted by the scores of the whole network there; otherwise background would dominate.
    """
    moments = _Moments()
    seen: dict[str, Tensor] = {}
    totals = [torch.zeros(3, dtype=torch.float64) for _ in readers]
    heads = [f"class_heads.{i}" for i in range(len(whole.class_heads))]
    hooks = [_conv(work, readers[0]).register_forward_hook(lambda _m, i, _o: seen.update(x=i[0]))]
    hooks += [
        # cloned because the following activation works in place
        _conv(whole, name).register_forward_hook(lambda _m, _i, o, name=name: seen.update({name: o.clone()}))
        for name in dict.fromkeys((*readers, *heads))
    ]
    try:
        for start in range(0, len(pictures), _BATCH):
            block = pictures[start : start + _BATCH]
            work(block)
            whole(block)
            found = _saliency([seen[name] for name in heads])
            weight = F.interpolate(found, size=seen[readers[0]].shape[2:], mode="area") + _BACKGROUND
            root = _rows(weight).sqrt()
            wanted = [_rows(seen[name]) * root for name in readers]
            for total, y in zip(totals, wanted, strict=True):
                total += torch.tensor([len(y), float(y.mean(1).sum()), float(y.square().mean(1).sum())])
            moments.add(_columns(_conv(work, readers[0]), seen["x"]) * root, torch.cat(wanted, dim=1))
    finally:
        for hook in hooks:
            hook.remove()
    spread = [(t[2] / t[0] - (t[1] / t[0]) ** 2).clamp(min=1e-9) * y.shape[1]
              for t, y in zip(totals, wanted, strict=True)]  # fmt: skip
    return moments, spread


def surgeon(gram: Tensor, cross: Tensor, keep: int, group: int, scale: Tensor) -> tuple[Tensor, Tensor]:
    """Least squares of outputs on inputs, leaving out groups of ``group`` inputs one by one until ``keep``
    groups are left.

    gram (N, N), cross (N, M): second moments; inputs after the last whole group (the bias) always stay.
    scale (M,) weighs the outputs' errors. Returns (indices of the groups kept, weights (N, M), zero
    for the groups left out).
    """
    count = (gram.shape[0] - 1) // group
    ridge = gram.diagonal().mean() * _RIDGE
    inverse = torch.linalg.inv(gram + ridge * torch.eye(len(gram), dtype=gram.dtype))
    weight = inverse @ cross
    alive = torch.ones(count, dtype=torch.bool)
    for _ in range(count - keep):
        blocks = inverse[: count * group, : count * group].view(count, group, count, group)
        own = blocks.diagonal(dim1=0, dim2=2).permute(2, 0, 1)  # (count, group, group)
        own = own + torch.eye(group, dtype=own.dtype) * (~alive)[:, None, None]
        scaled = (weight[: count * group] * scale).view(count, group, -1)
        between = scaled @ scaled.transpose(
            1, 2
        )  # kept small: solving with all outputs on the right-hand side takes minutes
        cost = (between * (own.reciprocal() if group == 1 else torch.linalg.inv(own))).sum(dim=(1, 2))
        cost[~alive] = torch.inf
        out = int(cost.argmin())
        at = slice(out * group, (out + 1) * group)
        step = torch.linalg.solve(inverse[at, at], torch.cat([weight[at], inverse[at]], dim=1))
        column = inverse[:, at].clone()
        weight -= column @ step[:, : weight.shape[1]]
        inverse -= column @ step[:, weight.shape[1] :]
        weight[at] = 0.0
        inverse[at] = 0.0
        inverse[:, at] = 0.0
        alive[out] = False
    return alive.nonzero().flatten(), weight


@torch.no_grad()
def prune(
    model: SSD, channels: Sequence[int], extras: Sequence[tuple[int, int]], pictures: Tensor,
    step: Step | None = None,
) -> SSD:  # fmt: skip
    """A copy of ``model`` that has ``channels`` (outputs of each backbone row) and ``extras`` (pairs) instead
    of its own numbers.

    pictures: (B, 3, S, S), the network's input, a few hundred typical ones. The model must have its
    batch norm folded; it is not changed. Raises :class:`ConfigError` for numbers that do not fit.
    """
    if not model.config.folded:
        raise ConfigError("pruning wants batch norm folded into the convolutions")
    whole, work = copy.deepcopy(model).eval(), copy.deepcopy(model).eval()
    cuts = _cuts(model, channels, extras)
    kept: dict[str, Tensor] = {}
    for number, cut in enumerate(cuts):
        if step is not None:
            step(cut.name, number, len(cuts))
        moments, spread = _watch(work, whole, cut.readers, pictures)
        assert moments.gram is not None
        assert moments.cross is not None
        first = _conv(work, cut.readers[0])
        group = first.kernel_size[0] ** 2
        outputs = [_conv(work, name).out_channels for name in cut.readers]
        scale = torch.cat([s.rsqrt().expand(n) for s, n in zip(spread, outputs, strict=True)])
        kept[cut.name], weight = surgeon(moments.gram, moments.cross, cut.keep, group, scale.double())
        for name, part in zip(cut.readers, torch.split(weight, outputs, dim=1), strict=True):
            conv = _conv(work, name)
            assert conv.bias is not None
            conv.weight.copy_(part[:-1].T.reshape(conv.weight.shape))
            conv.bias.copy_(part[-1])
    made = SSD(
        replace(model.config, channels=tuple(channels), extras=tuple((int(a), int(b)) for a, b in extras))
    )
    return _slice(work, made, cuts, kept)


def _slice(work: SSD, made: SSD, cuts: Sequence[_Cut], kept: dict[str, Tensor]) -> SSD:
    """Copy the remaining channels of ``work`` into the smaller ``made``."""
    state = work.state_dict()
    for cut in cuts:
        rows = kept[cut.name]
        for name in filter(None, (cut.writer, cut.between)):
            state[f"{name}.weight"] = state[f"{name}.weight"][rows]
            state[f"{name}.bias"] = state[f"{name}.bias"][rows]
        for name in cut.readers:
            state[f"{name}.weight"] = state[f"{name}.weight"][:, rows]
    made.load_state_dict(state)
    return made.eval()
