"""Detection checkpoints, which hold the architecture, the recipe and the weights in one file; and the network
that a training starts from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from edgecam.core.errors import ConfigError, ModelError
from edgecam.core.files import check_archive
from edgecam.nn.detection.config import TrainConfig
from edgecam.nn.detection.start import pan_config, start_graft, transfer_pan
from edgecam.nn.hub.google_ssd import load_google_ssd
from edgecam.nn.hub.starting_detector import load_detector_onnx
from edgecam.nn.labels.coco import COCO80
from edgecam.nn.networks.detector import DetectionNetwork, network_of
from edgecam.nn.networks.pan_detector import PanDetector
from edgecam.nn.networks.ssd import SSD, SSDConfig


def build_model(config: TrainConfig, labels: tuple[str, ...], folder: Path) -> DetectionNetwork:
    """The network of a recipe at its start; ``weights`` is relative to ``folder``.

    A graft is only put together here. Its 1x1 convolutions are solved later, on pictures
    (:func:`edgecam.nn.detection.start.graft`).
    """
    model = config.model
    if model.start == "graft":
        return start_graft(model, folder)
    if model.start != "scratch":
        if not model.weights:
            raise ConfigError("the recipe starts from other weights: give them with --from FILE")
        file = folder / model.weights
        start = load_google_ssd(file) if model.start == "google-ssd" else load_start(file)
        start = resize(start, model.resolution, model.anchor_scale, model.keep_extras)
        return start if labels == start.config.labels else transfer(start, labels)
    torch.manual_seed(config.seed)
    if model.head == "pan":
        return PanDetector(pan_config(model, labels))
    return SSD(
        SSDConfig(
            labels=labels, backbone=model.backbone, width=model.width, padding=model.padding,
            resolution=model.resolution, strides=model.strides, extras=model.extras,
            separable_extras=model.separable_extras, predictor=model.predictor,
            neck_channels=model.neck_channels,
        )
    )  # fmt: skip


def start_labels(config: TrainConfig, folder: Path) -> tuple[str, ...]:
    """The labels of the weights that a recipe starts from."""
    if config.model.start in ("google-ssd", "graft"):
        return COCO80
    return load_start(folder / config.model.weights).config.labels


def load_start(path: Path) -> DetectionNetwork:
    """A trained detector to start from: a checkpoint, or an ONNX file that edgecam exported."""
    return load_detector_onnx(path) if path.suffix == ".onnx" else load_checkpoint(path)[0]


def resize(
    model: DetectionNetwork, resolution: int, anchor_scale: float = 1.0, keep_extras: int = 0
) -> DetectionNetwork:
    """The same weights at another resolution; see :class:`edgecam.nn.detection.config.Model`."""
    if isinstance(model, PanDetector):
        if resolution == model.config.resolution:
            return model
        other = PanDetector(replace(model.config, resolution=resolution))
        other.load_state_dict(model.state_dict())
        return other
    config = model.config
    if (resolution, anchor_scale, keep_extras) == (config.resolution, 1.0, 0):
        return model
    made = SSD(
        replace(
            config,
            resolution=resolution,
            anchor_scale=config.anchor_scale * anchor_scale,
            anchor_taps=config.anchor_taps or len(config.strides) + len(config.extras),
            extras=config.extras[: keep_extras or None],
        )
    )
    own = made.state_dict()
    made.load_state_dict({k: v for k, v in model.state_dict().items() if k in own})
    return made


def transfer(model: DetectionNetwork, labels: tuple[str, ...]) -> DetectionNetwork:
    """The same detector for other ``labels``: known classes keep their weights, new ones start fresh."""
    if isinstance(model, PanDetector):
        return transfer_pan(model, labels)
    made = SSD(SSDConfig.from_dict({**model.config.to_dict(), "labels": labels}))
    own = made.state_dict()
    fits = {k: v for k, v in model.state_dict().items() if v.shape == own[k].shape}
    made.load_state_dict({**own, **fits})
    known = {name: i for i, name in enumerate(model.config.labels)}
    with torch.no_grad():
        for old_head, new_head in zip(model.class_heads, made.class_heads, strict=True):
            old, new = _last(old_head), _last(new_head)
            fresh = nn.Conv2d(new.in_channels, new.out_channels, 1)
            nn.init.normal_(fresh.weight, 0.0, 0.01)
            assert fresh.bias is not None
            nn.init.constant_(fresh.bias, -4.6)  # a score of 0.01 to begin with (Lin et al. 2017)
            for ours, theirs, start in (
                (new.weight, old.weight, fresh.weight),
                (new.bias, old.bias, fresh.bias),
            ):
                assert ours is not None
                assert theirs is not None
                rows = start.expand_as(ours).clone().view(-1, len(labels), *ours.shape[1:])
                before = theirs.view(-1, len(known), *theirs.shape[1:])
                for i, name in enumerate(labels):
                    if name in known:
                        rows[:, i] = before[:, known[name]]
                ours.copy_(rows.view_as(ours))
    return made


def _last(head: nn.Module) -> nn.Conv2d:
    last = head[-1] if isinstance(head, nn.Sequential) else head
    assert isinstance(last, nn.Conv2d)
    return last


def save_checkpoint(path: Path, **parts: Any) -> None:
    """Write a checkpoint atomically: the file is complete or not there."""
    temporary = path.with_suffix(".part")
    torch.save(parts, temporary)
    temporary.replace(path)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint's content, read without running code in it; :class:`ModelError` if it is none."""
    try:
        check_archive(Path(path))
        data: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        if not {"architecture", "ema", "recipe"} <= data.keys():
            raise ModelError("it has no architecture in it")
    except FileNotFoundError:
        raise ModelError(f"no checkpoint at '{path}': check the path, or train one") from None
    except Exception as error:
        raise ModelError(f"'{path}' is not a detection checkpoint of edgecam ({error})") from error
    return data


def load_checkpoint(path: Path) -> tuple[DetectionNetwork, dict[str, Any]]:
    """(the averaged model, the checkpoint's content)."""
    data = read_checkpoint(path)
    model = network_of(data["architecture"])
    model.load_state_dict(data["ema"])
    return model.eval(), data
