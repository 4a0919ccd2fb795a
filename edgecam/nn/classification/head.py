"""The first stage of a classifier's training: the backbone is frozen, and only a linear head is fitted.

Each picture passes through the backbone only a few times, plain and augmented. Fitting the head on the cached
features takes seconds, while training all layers takes hours.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from edgecam.core.progress import Progress, silent
from edgecam.nn.classification.data import NONE_OF_THEM, Image, augment, plain
from edgecam.nn.networks.table import Backbone

log = logging.getLogger(__name__)


def normalise(batch: NDArray[np.uint8]) -> Tensor:
    """uint8 (N, H, W, 3) BGR to float32 (N, 3, H, W) RGB / 127.5 - 1, channels last in memory."""
    planes = torch.from_numpy(batch).permute(0, 3, 1, 2).flip(1)
    return planes.to(torch.float32).sub_(127.5).div_(127.5).contiguous(memory_format=torch.channels_last)


def batches(
    pictures: Sequence[Image], side_px: int, size: int, variation: tuple[int, int] | None
) -> Iterator[Tensor]:
    """Network inputs in order; ``variation`` (seed, round) augments, None leaves the pictures plain."""
    for start in range(0, len(pictures), size):
        chunk = [
            plain(image, side_px) if variation is None else augment(image, side_px, (*variation, start + i))
            for i, image in enumerate(pictures[start : start + size])
        ]
        yield normalise(np.stack(chunk))


def pooled(backbone: Backbone, x: Tensor) -> Tensor:
    """The input of the classifier layer: (N, 3, H, W) to pooled features (N, C)."""
    features = backbone.forward_features(x).mean((2, 3), keepdim=True)
    for layer in backbone.head:
        features = layer(features)
    return features.flatten(1)


@torch.no_grad()
def extract(
    backbone: Backbone,
    pictures: Sequence[Image],
    side_px: int,
    *,
    variation: tuple[int, int] | None = None,
    batch: int = 32,
    amp: bool = True,
    progress: Progress = silent,
) -> NDArray[np.float16]:
    """Pooled features (N, C) of every picture, in evaluation mode."""
    backbone.eval()
    device = backbone.classifier.weight.device
    parts = []
    done = 0
    for x in batches(pictures, side_px, batch, variation):
        with torch.autocast(device.type, torch.bfloat16, enabled=amp):
            parts.append(pooled(backbone, x.to(device)).float().cpu().numpy().astype(np.float16))
        done += len(x)
        progress("features", done, len(pictures))
    return np.concatenate(parts)


def soft_targets(targets: Tensor, classes: int, smoothing: float) -> Tensor:
    """Class numbers (N,) to probabilities (N, C); :data:`NONE_OF_THEM` becomes the uniform distribution."""
    none = targets == NONE_OF_THEM
    hot = F.one_hot(targets.clamp_min(0), classes).float()
    soft = hot * (1.0 - smoothing) + smoothing / classes
    soft[none] = 1.0 / classes
    return soft


def balance(targets: NDArray[np.int64], power: float = 0.5) -> NDArray[np.float64]:
    """The sampling probability of each picture; a class's total is proportional to its size ** (1 - power).

    "None of them" makes up a tenth of all draws.
    """
    counts = np.bincount(targets[targets >= 0])
    weights = np.zeros(len(targets))
    known = targets >= 0
    weights[known] = counts[targets[known]].astype(np.float64) ** -power
    weights[known] /= weights[known].sum()
    if (~known).any():
        weights[known] *= 0.9
        weights[~known] = 0.1 / (~known).sum()
    chances: NDArray[np.float64] = weights / weights.sum()
    return chances


def fit_head(
    head: nn.Linear,
    features: NDArray[np.float16],
    targets: NDArray[np.int64],
    *,
    seed: int,
    steps: int = 3000,
    batch: int = 256,
    learning_rate: float = 2e-3,
    weight_decay: float = 0.05,
    smoothing: float = 0.1,
    progress: Progress = silent,
) -> None:
    """Fit ``head`` in place. ``features``: (rounds, N, C), one round per variation; ``targets``: (N,)."""
    rng = np.random.default_rng(seed)
    chances = balance(targets)
    target = soft_targets(torch.from_numpy(targets), head.out_features, smoothing)
    torch.manual_seed(seed)
    optimiser = torch.optim.AdamW(head.parameters(), lr=learning_rate, weight_decay=weight_decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    with torch.no_grad():
        head.weight.normal_(0.0, 0.01, generator=torch.Generator().manual_seed(seed))
        head.bias.zero_()
    for step in range(steps):
        rows = rng.choice(len(targets), batch, p=chances)
        rounds = rng.integers(len(features), size=batch)
        x = torch.from_numpy(features[rounds, rows].astype(np.float32)).to(head.weight.device)
        loss = F.cross_entropy(head(F.dropout(x, 0.2)), target[rows].to(x.device))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        if step % 100 == 99:
            progress("head", step + 1, steps)


@torch.no_grad()
def head_logits(head: nn.Linear, features: NDArray[np.float16]) -> NDArray[np.float32]:
    """(N, C) features to (N, classes) logits."""
    x = torch.from_numpy(features.astype(np.float32)).to(head.weight.device)
    answer: NDArray[np.float32] = head(x).cpu().numpy()
    return answer


def temperature_of(logits: NDArray[np.float32], targets: NDArray[np.int64]) -> float:
    """The divisor of the logits that minimises the negative log likelihood (Guo et al., arXiv:1706.04599)."""
    x = torch.from_numpy(logits.astype(np.float32))
    y = torch.from_numpy(targets)
    candidates = np.exp(np.linspace(np.log(0.25), np.log(4.0), 161))
    losses = [float(F.cross_entropy(x / t, y)) for t in candidates]
    return round(float(candidates[int(np.argmin(losses))]), 4)
