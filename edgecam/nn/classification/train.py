"""Train a classifier: first a head on cached features, then all layers. It can be resumed at any step.

The order of the pictures, their augmentation and the dropout depend only on the seed and the step number, so
a run that was stopped and resumed gives the same weights as an uninterrupted one.
"""

from __future__ import annotations

import hashlib
import logging
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from edgecam.core.errors import ConfigError
from edgecam.core.progress import Progress, silent
from edgecam.nn.classification.checkpoint import Recipe, Run, build_network
from edgecam.nn.classification.data import ClassificationSet, Image, augment, load_pictures
from edgecam.nn.classification.evaluate import judge
from edgecam.nn.classification.head import (
    balance,
    batches,
    extract,
    fit_head,
    head_logits,
    normalise,
    soft_targets,
    temperature_of,
)
from edgecam.nn.classification.log import StepLog, draw_mistakes
from edgecam.nn.hub.npz_weights import measure_norms
from edgecam.nn.hub.starting_weights import load_starting
from edgecam.nn.networks.ssd import fold_batch_norm
from edgecam.nn.networks.table import Backbone
from edgecam.nn.training.host import Host, average_gradients, find_host, precision_of

log = logging.getLogger(__name__)

#: How many pictures batch norm's first statistics are measured on (it is folded away in published weights).
NORM_PICTURES = 256


def start(
    folder: Path,
    recipe: Recipe,
    train: ClassificationSet,
    outliers: ClassificationSet | None,
    weights: Path | None,
    progress: Progress = silent,
) -> Run:
    """Start a run: published weights (batch norm merged, or with this data's statistics), a fitted head."""
    cv2.setNumThreads(1)
    torch.manual_seed(recipe.seed)
    network = build_network(replace(recipe, fold=False), train.labels)
    pictures, targets = _together(train, outliers)
    if weights is not None:
        load_starting(network, weights, recipe.origin)
    elif recipe.fold:
        raise ConfigError("a recipe with fold = true needs weights to start from: give --weights FILE.")
    if weights is not None and weights.suffix == ".onnx" and not recipe.fold:
        raise ConfigError("an ONNX file has its batch norm folded in: it needs a recipe with fold = true.")
    if recipe.fold:
        fold_batch_norm(network)
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    elif weights is not None and weights.suffix == ".npz":
        rng = np.random.default_rng(recipe.seed)
        few = [pictures[i] for i in rng.permutation(len(pictures))[:NORM_PICTURES]]
        measure_norms(network, batches(few, recipe.resolution, 32, None))
    folder.mkdir(parents=True, exist_ok=True)
    same = hashlib.sha256(
        msgspec.json.encode([recipe, list(map(str, train.files)), str(weights)])
    ).hexdigest()
    kept = [folder / f"features_{same[:12]}_{number}.npy" for number in range(recipe.head_rounds + 1)]
    for number, file in enumerate(kept):
        if not file.exists():  # an interrupted start resumes here
            variation = None if number == 0 else (recipe.seed, number)
            features = extract(
                network, pictures, recipe.resolution, variation=variation, amp=recipe.amp, progress=progress
            )
            temporary = file.with_suffix(".part.npy")
            np.save(temporary, features)
            temporary.replace(file)
    fit_head(
        network.classifier,
        np.stack([np.load(file, allow_pickle=False) for file in kept]),
        targets,
        seed=recipe.seed,
        steps=recipe.head_steps,
        progress=progress,
    )
    run = Run(
        folder,
        recipe,
        train.labels,
        network,
        {k: v.detach().clone() for k, v in network.state_dict().items()},
    )
    run.save()
    for file in kept:
        file.unlink()
    return run


def _together(
    train: ClassificationSet, outliers: ClassificationSet | None
) -> tuple[list[Image], NDArray[np.int64]]:
    pictures, targets = load_pictures(train), train.targets
    if outliers is not None and len(outliers):
        pictures = pictures + load_pictures(outliers)
        targets = np.concatenate([targets, outliers.targets])
    return pictures, targets


def plan(recipe: Recipe, pictures: int) -> list[int]:
    """The side in pixels of every step, from the first to the last."""
    per_epoch = pictures // recipe.batch
    return [px for px, epochs in recipe.stages for _ in range(per_epoch * epochs)]


def fine_tune(
    run: Run,
    train: ClassificationSet,
    outliers: ClassificationSet | None,
    *,
    teacher: Backbone | None = None,
    host: Host | None = None,
    scalars: StepLog | None = None,
    save_every_s: float = 120.0,
    progress: Progress = silent,
) -> None:
    """Train all layers from ``run.step`` to the end of the plan, and save at intervals.

    teacher: a better classifier of the same labels, in evaluation mode; its answers are mixed into the
    targets. host: device, precision and rank (default: found automatically). With several processes
    (torchrun), each takes its share of every batch, gradients are averaged, and rank 0 saves.
    """
    cv2.setNumThreads(1)
    recipe, network = run.recipe, run.backbone
    pictures, targets = _together(train, outliers)
    steps = plan(recipe, len(pictures))
    host = host or find_host("auto" if recipe.amp else "fp32")
    device = torch.device(host.device)
    network.to(device)
    if teacher is not None:
        teacher.to(device)
    average = {k: v.to(device) for k, v in run.average.items()}
    groups = _groups(network, recipe)
    optimiser = torch.optim.AdamW(groups, lr=recipe.learning_rate)
    if run.optimiser_state is not None:
        optimiser.load_state_dict(run.optimiser_state)
    soft = soft_targets(torch.from_numpy(targets), len(run.labels), recipe.smoothing)
    chances = balance(targets)
    per_epoch = max(1, len(pictures) // recipe.batch)
    last_saved = time.monotonic()
    while run.step < len(steps):
        step, side = run.step, steps[run.step]
        epoch, position = divmod(step, per_epoch)
        rng = np.random.default_rng((recipe.seed, 1, epoch))
        order = rng.choice(len(pictures), per_epoch * recipe.batch, p=chances)
        rows = order[position * recipe.batch : (position + 1) * recipe.batch][host.rank :: host.world]
        number = epoch % recipe.rounds
        varied = [augment(pictures[i], side, (recipe.seed, 100 + number, int(i))) for i in rows]
        x, target = normalise(np.stack(varied)).to(device), soft[rows].to(device)
        network.train()
        torch.manual_seed(recipe.seed * 1_000_003 + step)
        for group in optimiser.param_groups:
            group["lr"] = group["peak"] * _schedule(step, len(steps))
        with precision_of(host):
            if teacher is not None:
                with torch.no_grad():
                    answer = teacher(x).float().softmax(1)
                known = torch.from_numpy(targets[rows] >= 0).to(device)[:, None]
                mixed = recipe.distil * answer + (1.0 - recipe.distil) * target
                target = torch.where(known, mixed, target)
            logits = network(x)
        loss = F.cross_entropy(logits.float(), target)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        if host.world > 1:
            average_gradients(network, host.world)
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        # The averaging window grows with the number of steps, so that a short run forgets its start.
        decay = min(recipe.ema, (1 + step) / (10 + step))
        for name, value in network.state_dict().items():
            if value.is_floating_point():
                average[name].lerp_(value, 1.0 - decay)
        run.step += 1
        if host.rank != 0:
            continue
        progress(f"training at {side} px, loss {loss.item():.3f}", run.step, len(steps))
        if scalars is not None:
            scalars.step(run.step, loss.item(), optimiser.param_groups[0]["lr"])
        if time.monotonic() - last_saved > save_every_s or run.step == len(steps):
            run.average = {name: value.cpu() for name, value in average.items()}
            run.optimiser_state = optimiser.state_dict()
            run.save()
            last_saved = time.monotonic()


def _groups(network: Backbone, recipe: Recipe) -> list[dict[str, Any]]:
    """Parameter groups: weight decay on weight matrices, none on gains and biases, which are few and set the
    scale; a higher learning rate for the head."""
    head = set(network.classifier.parameters())
    groups = []
    for own, factor in ((False, 1.0), (True, recipe.head_factor)):
        for matrices, decay in ((True, recipe.weight_decay), (False, 0.0)):
            chosen = [p for p in network.parameters() if (p in head) == own and (p.ndim > 1) == matrices]
            peak = recipe.learning_rate * factor
            groups.append({"params": chosen, "weight_decay": decay, "lr": peak, "peak": peak})
    return groups


def _schedule(step: int, steps: int) -> float:
    """Factor on the learning rate: it rises over the first twentieth, then a cosine lowers it to 0.01."""
    warm = max(1, steps // 20)
    if step < warm:
        return (step + 1) / warm
    return float(0.01 + 0.99 * 0.5 * (1.0 + np.cos(np.pi * (step - warm) / max(1, steps - warm))))


def measure(run: Run, held: ClassificationSet, progress: Progress = silent) -> dict[str, float]:
    """Top-1 and top-5 (per cent) of the averaged weights on ``held``, and the temperature; stored in ``run``.

    A sheet of the mistakes is written beside the checkpoint.
    """
    network = run.averaged()
    pictures = load_pictures(held)
    features = extract(network, pictures, run.recipe.resolution, amp=run.recipe.amp, progress=progress)
    logits = head_logits(network.classifier, features)
    run.temperature = temperature_of(logits, held.targets)
    probabilities = torch.softmax(torch.from_numpy(logits) / run.temperature, 1).numpy()
    report = judge(probabilities, held.targets, run.labels)
    run.metrics = {"top1": report.top1, "top5": report.top5}
    draw_mistakes(run.folder / "mistakes.jpg", pictures, probabilities, held.targets, run.labels)
    run.save()
    return run.metrics
