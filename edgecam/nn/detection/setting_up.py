"""Set up a training from its recipe: its objective and teacher, and a start that needs pictures."""

from __future__ import annotations

import copy
import logging
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch

from edgecam.core.errors import ConfigError
from edgecam.nn.detection.activations import exchange_activations
from edgecam.nn.detection.checkpoint import start_labels
from edgecam.nn.detection.config import TrainConfig
from edgecam.nn.detection.data import DetectionSet, PixelCache
from edgecam.nn.detection.objective import PanObjective
from edgecam.nn.detection.ssd_objective import SsdObjective, load_ssd_teacher
from edgecam.nn.detection.start import graft, transfer_pan
from edgecam.nn.detection.teachers import load_teacher
from edgecam.nn.networks.detector import DetectionNetwork
from edgecam.nn.networks.pan_detector import PanDetector
from edgecam.nn.networks.ssd import SSD
from edgecam.nn.training.host import Host

log = logging.getLogger(__name__)

#: These pictures have enough cells for every layer's least squares.
_EXCHANGE_PICTURES = 32


def make_objective(
    model: DetectionNetwork, config: TrainConfig, labels: tuple[str, ...], folder: Path, host: Host
) -> SsdObjective | PanObjective:
    """The objective of a training, with its teacher.

    Raises :class:`ConfigError` if the recipe's sizes or its teacher do not fit the model, or if what only a
    dense teacher makes sense of has none.
    """
    how, sizes = config.optimise, config.augment.sizes
    scale, blend = config.model.teacher_scale, config.augment.blend
    step = scale * max(model.config.strides) if isinstance(model, PanDetector) else 0
    if sizes and not (step and all(side > 0 and side % step == 0 for side in sizes)):
        raise ConfigError(
            f"sizes = {list(sizes)}: a PAN detector takes several, multiples of {step or 32}; others take one"
        )
    if not (isinstance(model, PanDetector) and config.model.teacher):
        for setting, wanted in ((f"blend = {blend}", blend), (f"teacher_scale = {scale}", scale > 1)):
            if wanted:
                raise ConfigError(
                    f"{setting}: only a PAN detector with a teacher has a use for it; give --teacher FILE or "
                    "leave it out of the recipe"
                )
    if isinstance(model, PanDetector):
        teacher = load_teacher(folder / config.model.teacher, model, scale) if config.model.teacher else None
        if teacher is not None:
            teacher = teacher.to(host.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        return PanObjective(model, teacher, how, host)
    # a start that was trained on these very classes is the second teacher, for what is not labelled
    known = config.model.start != "scratch" and start_labels(config, folder) == labels
    second: SSD | None = copy.deepcopy(model).eval() if known and how.distil > 0 else None
    if config.model.teacher:  # takes its place
        second = load_ssd_teacher(folder / config.model.teacher, model)
    elif how.mimic:
        raise ConfigError("the recipe follows a teacher (mimic): give it with --teacher FILE")
    if second is not None:
        second = second.to(host.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return SsdObjective(model, second, how, host)


def prepared_start(
    model: PanDetector, config: TrainConfig, data: DetectionSet, pixels: PixelCache, at: list[int],
    labels: tuple[str, ...], folder: Path, *, solve: bool,
) -> PanDetector:  # fmt: skip
    """Complete a PAN detector's start with pictures, drawn by the recipe's weights: join a graft, and
    exchange activations that differ from the start's.

    Without ``solve`` the network only gets its final shape: a resumed training has the weights already.
    """
    wanted, graft_it = config.model, config.model.start == "graft"
    act = wanted.act or model.config.act
    finest = wanted.act_finest or model.config.act_finest
    exchange = (act, finest or act) != (model.config.act, model.config.act_finest or model.config.act)
    if (graft_it or exchange) and not solve:
        channels = tuple(wanted.channels) if graft_it else model.config.channels
        model = PanDetector(replace(model.config, act=act, act_finest=finest, channels=channels))
    elif graft_it or exchange:
        count = min(config.optimise.graft_pictures, len(at))
        weight = np.array([config.data.weight.get(image.source, 1.0) for image in data.images])
        rng = np.random.default_rng([config.seed, 5])
        drawn = rng.choice(len(at), count, replace=False, p=weight / weight.sum())
        side = (model.config.resolution,) * 2
        block = np.stack([cv2.resize(pixels[at[int(i)]], side) for i in drawn]).astype(np.uint8)
        if graft_it:
            model, left = graft(model, wanted, folder, block)
            log.info("grafted; variance left unexplained: %s", ", ".join(f"{x:.2f}" for x in left))
        if exchange:
            log.info("activations are exchanged by least squares, which takes a minute or two")
            model = exchange_activations(model, act, finest, torch.from_numpy(block[:_EXCHANGE_PICTURES]))
    return model if labels == model.config.labels else transfer_pan(model, labels)
