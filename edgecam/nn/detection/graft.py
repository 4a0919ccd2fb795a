"""Graft: join another detector's trained neck and head to a new backbone, by least squares.

Only the neck's 1x1 convolutions have to be new. On the same pictures, ridge regression finds those that turn
the new backbone's maps into the output of the lender's own convolutions, before their activation. Nothing is
trained and no label is needed. For example, PicoDet-S's neck on the COCO SSD's MobileNetV1-0.75 starts at a
core AP50 of .35; a fresh neck starts at zero.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from edgecam.core.errors import ConfigError
from edgecam.nn.export.prune import Step, surgeon
from edgecam.nn.networks.blocks import Separable
from edgecam.nn.networks.pan_detector import PanDetector

#: Strength of the ridge, as a share of the mean diagonal of the maps' second moments.
_RIDGE = 1e-3
_BATCH = 16

#: From pictures, as the network takes them, to the lender's maps before the activation, from fine to coarse.
Lateral = Callable[[Tensor], Sequence[Tensor]]


def _rows(x: Tensor) -> Tensor:
    """(B, C, H, W) to (B * H * W, C + 1) in double precision, the last column 1."""
    flat = x.permute(0, 2, 3, 1).reshape(-1, x.shape[1]).double()
    return torch.cat([flat, flat.new_ones(len(flat), 1)], dim=1)


def _batches(pictures: Tensor) -> Iterator[Tensor]:
    for start in range(0, len(pictures), _BATCH):
        yield pictures[start : start + _BATCH]


@torch.no_grad()
def solve_laterals(model: PanDetector, lender: Lateral, pictures: Tensor) -> list[float]:
    """Solve ``model.neck.trans`` in place; pictures (n, S, S, 3) uint8 BGR, a few hundred.

    Returns, per level, the share of the lender's variance that remains unexplained.
    """
    convs = [trans.conv for trans in model.neck.trans]
    grams: list[Tensor] = []
    crosses: list[Tensor] = []
    squares = [0.0] * len(convs)
    counts = [0] * len(convs)
    for block in _batches(pictures):
        maps = model.feature_maps(model.network_input(block))
        for i, (x, y) in enumerate(zip(maps, lender(block), strict=True)):
            a, b = _rows(x), _rows(y)[:, :-1]
            if len(grams) <= i:
                grams.append(torch.zeros(a.shape[1], a.shape[1], dtype=torch.float64))
                crosses.append(torch.zeros(a.shape[1], b.shape[1], dtype=torch.float64))
            grams[i] += a.T @ a
            crosses[i] += a.T @ b
            squares[i] += float(b.square().sum())
            counts[i] += len(b)
    left = []
    for conv, gram, cross, square, count in zip(convs, grams, crosses, squares, counts, strict=True):
        assert isinstance(conv, nn.Conv2d)
        assert conv.bias is not None
        ridge = _RIDGE * gram.diagonal().mean()
        weight = torch.linalg.solve(gram + ridge * torch.eye(len(gram), dtype=gram.dtype), cross)
        conv.weight.copy_(weight[:-1].T.reshape(conv.weight.shape))
        conv.bias.copy_(weight[-1])
        rest = square - 2 * float((weight * cross).sum()) + float((weight * (gram @ weight)).sum())
        mean = cross[-1] / count
        left.append(rest / max(1e-12, square - count * float(mean.square().sum())))
    return left


def without_extra_level(model: PanDetector, side: int) -> PanDetector:
    """``model`` for an input of ``side`` pixels without the level that its neck adds; the other layers
    keep their weights."""
    made = PanDetector(replace(model.config, extra_level=False, resolution=side))
    kept = made.state_dict().keys()
    made.load_state_dict({name: tensor for name, tensor in model.state_dict().items() if name in kept})
    return made.eval()


@torch.no_grad()
def narrow_backbone(
    model: PanDetector, channels: Sequence[int], pictures: Tensor, step: Step | None = None
) -> PanDetector:
    """``model`` with fewer ``channels`` in the rows of its MobileNetV1; the layers that read them compensate.

    :func:`edgecam.nn.export.prune.surgeon` chooses the channels and solves the reading layer anew, row by
    row, on pictures (n, S, S, 3) uint8 BGR. A row that feeds the neck can be narrowed only if it is the last.
    The batch norm must be folded.
    """
    if not model.config.folded or model.config.backbone != "mobilenet_v1":
        raise ConfigError("narrowing wants MobileNetV1 with its batch norm folded into the convolutions")
    whole, work = copy.deepcopy(model).eval(), copy.deepcopy(model).eval()
    rows = list(work.backbone.features)
    if len(channels) != len(rows):
        raise ConfigError(f"one channel number for each of {len(rows)} rows, not {len(channels)}")
    state = work.state_dict()
    for i, keep in enumerate(channels):
        have = int(rows[i].out_channels)  # type: ignore[arg-type]
        if keep > have:
            raise ConfigError(f"row {i} has {have} channels and cannot be narrowed to {keep}")
        if keep == have:
            continue
        last = i == len(rows) - 1
        if not last and i in [k for k, m in enumerate(work.backbone._marks) if m is not None]:
            raise ConfigError(f"row {i} feeds the neck and the row after it: keep its {have} channels")
        writer = f"backbone.features.{i}" + (".pw.conv" if isinstance(rows[i], Separable) else ".conv")
        between = None if last else f"backbone.features.{i + 1}.dw.conv"
        reader = (
            f"neck.trans.{len(model.neck.trans) - 1}.conv" if last else f"backbone.features.{i + 1}.pw.conv"
        )
        if step is not None:
            step(writer, i, len(channels))
        kept, weight = _choose(work, whole, reader, keep, pictures)
        conv = work.get_submodule(reader)
        assert isinstance(conv, nn.Conv2d)
        assert conv.bias is not None
        conv.weight.copy_(weight[:-1].T.reshape(conv.weight.shape))
        conv.bias.copy_(weight[-1])
        # the removed channels stay in ``work`` until the end, but no layer reads them
        state[f"{reader}.weight"] = conv.weight[:, kept]
        state[f"{reader}.bias"] = conv.bias
        for name in filter(None, (writer, between)):
            state[f"{name}.weight"] = state[f"{name}.weight"][kept]
            state[f"{name}.bias"] = state[f"{name}.bias"][kept]
    made = PanDetector(replace(model.config, channels=tuple(channels)))
    made.load_state_dict(state)
    return made.eval()


def _choose(
    work: PanDetector, whole: PanDetector, reader: str, keep: int, pictures: Tensor
) -> tuple[Tensor, Tensor]:
    """(the inputs of ``reader`` that stay, its weights (inputs + 1, outputs), zero for the others)."""
    seen: dict[str, Tensor] = {}
    hooks = [
        work.get_submodule(reader).register_forward_hook(lambda _m, i, _o: seen.update(x=i[0])),
        # cloned: the activation that follows works in place
        whole.get_submodule(reader).register_forward_hook(lambda _m, _i, o: seen.update(y=o.clone())),
    ]
    gram = cross = None
    try:
        for block in _batches(pictures):
            x = work.network_input(block)
            work.neck(work.feature_maps(x))
            whole.neck(whole.feature_maps(x))
            a, b = _rows(seen["x"]), _rows(seen["y"])[:, :-1]
            gram = a.T @ a if gram is None else gram + a.T @ a
            cross = a.T @ b if cross is None else cross + a.T @ b
    finally:
        for hook in hooks:
            hook.remove()
    assert gram is not None
    assert cross is not None
    return surgeon(gram, cross, keep, 1, torch.ones(cross.shape[1], dtype=cross.dtype))
