"""Train a detector: the training loop, its checkpoints and its reports.

One command and one recipe reproduce a shipped detector from a data folder. A checkpoint holds the
architecture, the recipe, the weights and their moving average, the optimiser and the step. Batches depend on
the seed and the step alone, so an interrupted training continues as if it had never stopped.
"""

from __future__ import annotations

import copy
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from edgecam.core.errors import ConfigError, ModelError
from edgecam.nn.detection.checkpoint import (
    build_model,
    read_checkpoint,
    save_checkpoint,
)
from edgecam.nn.detection.config import Optimise, TrainConfig
from edgecam.nn.detection.data import DetectionSet, PixelCache
from edgecam.nn.detection.evaluation.evaluate import Report, predict_set, score_detections
from edgecam.nn.detection.evaluation.predict import torch_predict
from edgecam.nn.detection.loader import Loader, split_dev
from edgecam.nn.detection.setting_up import make_objective, prepared_start
from edgecam.nn.networks.detector import DetectionNetwork
from edgecam.nn.networks.pan_detector import PanDetector
from edgecam.nn.training.depthwise import quicken
from edgecam.nn.training.host import Host, average_gradients

log = logging.getLogger(__name__)

#: Least time (s) between two checkpoints within an epoch.
_SAVE_EVERY_S = 120.0


@dataclass(frozen=True)
class Progress:
    """One step's figures, for a progress bar or a log."""

    step: int
    steps: int
    epoch: float
    loss: float
    class_loss: float
    box_loss: float
    lr: float
    pictures_per_s: float


class Ema:
    """Moving average of a model's weights. The average is the model that is evaluated and shipped."""

    def __init__(self, model: DetectionNetwork, decay: float) -> None:
        self.model = copy.deepcopy(model).eval()
        for parameter in self.model.parameters():
            parameter.requires_grad_(False)
        self.decay = decay
        kept = self.model.state_dict()  # not a batch's own, like the cells of its size
        self._buffers = [name for name, _ in self.model.named_buffers() if name in kept]

    @torch.no_grad()
    def update(self, model: DetectionNetwork, step: int) -> None:
        """Move the average towards ``model``; faster in the first steps, so that the start is forgotten."""
        keep = min(self.decay, (1 + step) / (10 + step))
        mine: list[Tensor] = list(self.model.parameters())
        theirs = [p.detach() for p in model.parameters()]
        torch._foreach_mul_(mine, keep)
        torch._foreach_add_(mine, theirs, alpha=1 - keep)
        for name in self._buffers:
            self.model.get_buffer(name).copy_(model.get_buffer(name))


def learning_rate(step: int, steps: int, config: TrainConfig) -> float:
    """The rate at ``step``: a linear warm-up, then a cosine down to ``final_lr`` of the peak, or a linear
    cool-down that ends it early."""
    o = config.optimise
    if o.cooldown is not None and step >= o.cooldown[0]:
        first, last = o.cooldown
        return learning_rate(first - 1, steps, config) * max(0.0, (last - step) / (last - first))
    if step < o.warmup:
        return o.lr * (step + 1) / o.warmup
    part = (step - o.warmup) / max(1, steps - o.warmup)
    return o.lr * (o.final_lr + (1 - o.final_lr) * (1 + math.cos(math.pi * part)) / 2)


def _groups(model: DetectionNetwork, how: Optimise) -> list[dict[str, Any]]:
    """Parameter groups: weight decay on convolution weights, none on biases and norms; the backbone at its
    own share of the rate."""
    groups = []
    backbone = {id(p) for p in model.backbone.parameters()}
    for share, mine in ((how.backbone_lr, True), (1.0, False)):
        parameters = [p for p in model.parameters() if (id(p) in backbone) == mine]
        for heavy, decay in ((True, how.weight_decay), (False, 0.0)):
            some = [p for p in parameters if (p.ndim > 1) == heavy]
            groups.append({"params": some, "weight_decay": decay, "share": share})
    return groups


def evaluate_model(
    model: DetectionNetwork,
    data: DetectionSet,
    pixels: PixelCache,
    indices: list[int] | None = None,
    device: str = "cpu",
) -> Report:
    """COCO's figures of a torch model on ``data``, whose pictures are at ``indices`` of ``pixels``."""
    place = indices if indices is not None else list(range(len(data.images)))
    side = model.config.resolution
    found = predict_set(torch_predict(model, device), data, lambda i: pixels[place[i]], (side, side), batch=8)
    return score_detections(found, data)


def train(
    config: TrainConfig,
    data: DetectionSet,
    pixels: PixelCache,
    run: Path,
    *,
    folder: Path,
    host: Host,
    on_step: Callable[[Progress], None] | None = None,
    on_epoch: Callable[[int, DetectionNetwork, Report | None], None] | None = None,
    stop_after: int | None = None,
) -> DetectionNetwork:
    """Train ``config`` on ``data`` (resuming what the folder ``run`` holds); returns the averaged model.

    Writes ``run/last.pt`` every two minutes and at the end of each epoch, and ``run/final.pt`` at the end.
    ``stop_after``: stop at this step; the training can be resumed. Raises :class:`ConfigError` if ``run``
    holds a training by another recipe, :class:`ModelError` if the loss is no longer finite.
    """
    run.mkdir(parents=True, exist_ok=True)
    train_set, dev_set, train_at, dev_at = split_dev(data, config)
    torch.manual_seed(config.seed)
    model = build_model(config, data.labels, folder)
    last_file = run / "last.pt"
    if isinstance(model, PanDetector):
        model = prepared_start(
            model, config, train_set, pixels, train_at, data.labels, folder,
            solve=not last_file.exists() or config.optimise.start_share > 0,  # the end is drawn back to it
        )  # fmt: skip
    start = copy.deepcopy(model.state_dict())
    model = model.to(host.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    objective = make_objective(model, config, data.labels, folder, host)
    optimiser = torch.optim.AdamW(_groups(model, config.optimise), lr=config.optimise.lr)
    ema, first = Ema(model, config.optimise.ema), 0
    if host.bf16 and host.device == "cpu":
        log.info("%d depthwise convolutions with the quick backward pass", quicken(model))
    if last_file.exists():
        state = read_checkpoint(last_file)
        if state["recipe"] != config.to_dict():
            raise ConfigError(f"'{run}' holds a training by another recipe: give another --out folder")
        model.load_state_dict(state["model"])
        ema.model.load_state_dict(state["ema"])
        optimiser.load_state_dict(state["optimiser"])
        first = int(state["step"])
        log.info("resumed at step %d from '%s'", first, last_file)
    side = model.config.resolution * config.model.teacher_scale
    probe = Loader(train_set, pixels, train_at, config, side, first=0, last=0)
    per_epoch = probe.steps_per_epoch
    steps = max(1, round(per_epoch * config.optimise.epochs))
    last = min(steps, config.optimise.cooldown[1]) if config.optimise.cooldown else steps
    end = min(last, stop_after) if stop_after is not None else last

    def save(step: int) -> None:
        if host.rank == 0:
            save_checkpoint(
                last_file, architecture=model.config.to_dict(), recipe=config.to_dict(), step=step,
                steps=steps, model=model.state_dict(), ema=ema.model.state_dict(),
                optimiser=optimiser.state_dict(),
            )  # fmt: skip

    early = _early_parameters(model, config)
    saved = time.monotonic()
    loader = Loader(
        train_set, pixels, train_at, config, side,
        first=first, last=last, rank=host.rank, world=host.world,
    )  # fmt: skip
    if first >= end:
        return _conclude(config, ema.model, start, run, last, host) if first >= last else ema.model
    with loader:
        step, clock = first, time.monotonic()
        for batch in loader:
            rate = learning_rate(step, steps, config)
            for group in optimiser.param_groups:
                group["lr"] = rate * group["share"]
            model.train()
            for parameter in early:
                parameter.requires_grad_(step % config.optimise.early_every == 0)
            losses = objective.losses(batch.pictures, batch.targets, step * config.optimise.batch)
            optimiser.zero_grad(set_to_none=True)
            losses["total"].backward()  # type: ignore[no-untyped-call]
            if not math.isfinite(float(losses["total"].detach())):
                raise ModelError(f"the loss became {float(losses['total'])} at step {step}: lower the rate")
            if host.world > 1:
                average_gradients(model, host.world)
            nn.utils.clip_grad_norm_(model.parameters(), config.optimise.clip)
            optimiser.step()
            ema.update(model, step)
            step += 1
            now = time.monotonic()
            if on_step is not None and host.rank == 0:
                on_step(
                    Progress(
                        step=step,
                        steps=last,
                        epoch=step / per_epoch,
                        loss=float(losses["total"].detach()),
                        class_loss=float(losses["class"]),
                        box_loss=float(losses["box"]),
                        lr=rate,
                        pictures_per_s=len(batch.targets) * host.world / max(1e-6, now - clock),
                    )
                )
            clock = now
            if step % per_epoch == 0 or step >= end:
                save(step)
                if on_epoch is not None and host.rank == 0:
                    report = (
                        evaluate_model(ema.model, dev_set, pixels, dev_at, host.device) if dev_at else None
                    )
                    on_epoch(step, ema.model, report)
                saved = clock = time.monotonic()
            elif now - saved > _SAVE_EVERY_S:
                save(step)
                saved = time.monotonic()
            if step >= end:
                break
    return _conclude(config, ema.model, start, run, last, host) if step >= last else ema.model


def _conclude(
    config: TrainConfig, model: DetectionNetwork, start: dict[str, Tensor], run: Path, step: int, host: Host
) -> DetectionNetwork:
    """Blend with the starting weights, if the recipe asks for it, and write ``run/final.pt``."""
    share = config.optimise.start_share
    if share:
        own = model.state_dict()
        # batch norm's counters are integers and are not blended
        model.load_state_dict(
            {k: torch.lerp(v, start[k].to(v), share) if v.is_floating_point() else v for k, v in own.items()}
        )
    if host.rank == 0:
        save_checkpoint(
            run / "final.pt", architecture=model.config.to_dict(), recipe=config.to_dict(), step=step,
            ema=model.state_dict(),
        )  # fmt: skip
    return model


def _early_parameters(model: DetectionNetwork, config: TrainConfig) -> list[nn.Parameter]:
    layers = list(model.backbone.features)[: config.optimise.early_layers]
    return [parameter for layer in layers for parameter in layer.parameters()]
