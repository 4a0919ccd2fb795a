"""Map the state dicts of well-known public implementations to our modules, by name.

timm and torchvision are not imported: a state dict is only names and tensors. An import is refused unless
every tensor of theirs has its place and every parameter of ours is filled.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Literal

import torch
from torch import Tensor, nn

from edgecam.core.errors import ModelError
from edgecam.nn.networks.attention import MobileMQA
from edgecam.nn.networks.blocks import FusedBottleneck, InvertedBottleneck, Separable, UniversalBottleneck
from edgecam.nn.networks.layers import ConvNormAct, SqueezeExcite
from edgecam.nn.networks.table import Backbone

Origin = Literal["timm", "torchvision"]
State = Mapping[str, Tensor]
Part = nn.Module | nn.Parameter

_BUFFER_NOT_WEIGHT = "num_batches_tracked"  # a counter that evaluation ignores; older files lack it


def import_state(backbone: Backbone, state: State, origin: Origin) -> Backbone:
    """Fill ``backbone`` from a timm or torchvision classifier's ``state`` dict; returns it.

    Raises :class:`ModelError` naming the first tensor that is missing, left over, or of another shape.
    """
    named = list(_timm(backbone, state)) if origin == "timm" else list(_torchvision(backbone, state))
    fill(named, state, f"{origin}'s {backbone.arch.name}")
    return backbone


@torch.no_grad()
def fill(named: list[tuple[str, Part]], state: State, what: str) -> None:
    """Copy ``state["<name>.*"]`` into each named module or parameter; every tensor must be used."""
    used: set[str] = set()
    for name, part in named:
        tensors = (
            {name: part}
            if isinstance(part, nn.Parameter)
            else {
                f"{name}.{key}": tensor
                for key, tensor in part.state_dict(keep_vars=True).items()
                if not key.endswith(_BUFFER_NOT_WEIGHT)
            }
        )
        for key, target in tensors.items():
            if key not in state:
                raise ModelError(f"{what}: the file has no {key!r}; is it another architecture's?")
            source = state[key]
            if source.ndim == 4 and target.ndim == 2:
                source = source.flatten(1)  # a 1x1 convolution in the file, a linear layer here
            elif source.ndim == 2 and target.ndim == 4:
                source = source[:, :, None, None]
            if source.shape != target.shape:
                raise ModelError(
                    f"{what}: {key!r} has shape {tuple(source.shape)}, expected {tuple(target.shape)}; "
                    "check width and number of classes"
                )
            target.copy_(source)
            used.add(key)
    left = [key for key in state if key not in used and not key.endswith(_BUFFER_NOT_WEIGHT)]
    if left:
        raise ModelError(f"{what}: {len(left)} tensors of the file have no place, the first is {left[0]!r}")


def _conv(name_conv: str, name_norm: str, part: ConvNormAct) -> Iterator[tuple[str, Part]]:
    yield name_conv, part.conv
    if isinstance(part.bn, nn.BatchNorm2d):
        yield name_norm, part.bn


def _timm(net: Backbone, state: State) -> Iterator[tuple[str, Part]]:
    """timm's names: ``blocks.<stage>.<index>`` in numerical order are our rows between stem and head."""
    numbers = {tuple(int(n) for n in key.split(".")[1:3]) for key in state if key.startswith("blocks.")}
    theirs = [f"blocks.{stage}.{index}" for stage, index in sorted(numbers)]
    rows = list(net.features)
    stem, *blocks = rows
    assert isinstance(stem, ConvNormAct)
    yield from _conv("conv_stem", "bn1", stem)
    if "bn2.weight" in state:  # V2, EdgeTPU: the last convolution is outside timm's blocks
        last = blocks.pop()
        assert isinstance(last, ConvNormAct)
        yield from _conv("conv_head", "bn2", last)
    if len(theirs) != len(blocks):
        raise ModelError(f"timm's file has {len(theirs)} blocks, {net.arch.name} has {len(blocks)}")
    for name, block in zip(theirs, blocks, strict=True):
        yield from _timm_block(name, block)
    for part in net.head:
        assert isinstance(part, ConvNormAct)
        yield from _conv("conv_head", "norm_head", part)
    yield "classifier", net.classifier


def _timm_block(name: str, block: nn.Module) -> Iterator[tuple[str, Part]]:
    if isinstance(block, ConvNormAct):
        yield from _conv(f"{name}.conv", f"{name}.bn1", block)
    elif isinstance(block, Separable):
        yield from _conv(f"{name}.conv_dw", f"{name}.bn1", block.dw)
        yield from _conv(f"{name}.conv_pw", f"{name}.bn2", block.pw)
    elif isinstance(block, InvertedBottleneck):
        expanded = isinstance(block.expand, ConvNormAct)
        if isinstance(block.expand, ConvNormAct):
            yield from _conv(f"{name}.conv_pw", f"{name}.bn1", block.expand)
        dw, project = ("bn2", "bn3") if expanded else ("bn1", "bn2")
        yield from _conv(f"{name}.conv_dw", f"{name}.{dw}", block.dw)
        if isinstance(block.se, SqueezeExcite):
            yield f"{name}.se.conv_reduce", block.se.reduce
            yield f"{name}.se.conv_expand", block.se.expand
        yield from _conv(
            f"{name}.conv_pwl" if expanded else f"{name}.conv_pw", f"{name}.{project}", block.project
        )
    elif isinstance(block, FusedBottleneck):
        yield from _conv(f"{name}.conv_exp", f"{name}.bn1", block.expand)
        yield from _conv(f"{name}.conv_pwl", f"{name}.bn2", block.project)
    elif isinstance(block, UniversalBottleneck):
        for theirs, part in (
            ("dw_start", block.start),
            ("pw_exp", block.expand),
            ("dw_mid", block.mid),
            ("pw_proj", block.project),
        ):
            if isinstance(part, ConvNormAct):
                yield from _conv(f"{name}.{theirs}.conv", f"{name}.{theirs}.bn", part)
        if isinstance(gamma := getattr(block.scale, "gamma", None), nn.Parameter):
            yield f"{name}.layer_scale.gamma", gamma
    elif isinstance(block, MobileMQA):
        yield f"{name}.norm", block.norm
        yield f"{name}.attn.query.proj", block.query
        for theirs, shared in (("key", block.key), ("value", block.value)):
            *halving, proj = shared
            for suffix, part in zip(("down_conv", "norm"), halving, strict=False):
                yield f"{name}.attn.{theirs}.{suffix}", part
            yield f"{name}.attn.{theirs}.proj", proj
        yield f"{name}.attn.output.proj", block.project
        yield f"{name}.layer_scale.gamma", block.scale.gamma
    else:
        raise TypeError(f"no timm names known for {type(block).__name__}")


def natural(name: str) -> list[tuple[int, int | str]]:
    """Sort key that puts ``10`` after ``9``."""
    return [(0, int(part)) if part.isdigit() else (1, part) for part in re.split(r"\.", name)]


def leaf_names(state: State) -> list[str]:
    """Names of the modules in ``state``, in natural order, which is torchvision's forward order."""
    parts: dict[str, list[str]] = defaultdict(list)
    for key in state:
        module, _, tensor = key.rpartition(".")
        parts[module].append(tensor)
    return sorted((name for name in parts), key=natural)


def leaf_modules(module: nn.Module) -> list[nn.Module]:
    """Our modules with tensors of their own, in the order of the forward pass."""
    return [part for part in module.modules() if isinstance(part, (nn.Conv2d, nn.BatchNorm2d, nn.Linear))]


def _torchvision(net: Backbone, state: State) -> Iterator[tuple[str, Part]]:
    """torchvision numbers its modules in forward order (and "classifier" sorts before "features")."""
    names = leaf_names({key: value for key, value in state.items() if key.startswith("features.")})
    names += leaf_names({key: value for key, value in state.items() if key.startswith("classifier.")})
    yield from pair(names, leaf_modules(net), net.arch.name)


def pair(names: list[str], modules: list[nn.Module], what: str) -> Iterator[tuple[str, Part]]:
    """Names and modules in pairs; :class:`ModelError` if their numbers differ."""
    if len(names) != len(modules):
        raise ModelError(f"the file has {len(names)} layers, {what} has {len(modules)}: not its weights")
    yield from zip(names, modules, strict=True)
