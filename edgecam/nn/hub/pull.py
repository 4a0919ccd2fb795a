"""Turn official weights into a model file: read safely, map to our modules, export, check, store."""

from __future__ import annotations

import errno
import pickle
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgecam.core.errors import ConfigError, ModelError
from edgecam.core.files import check_archive
from edgecam.inference.models.card import Card
from edgecam.inference.models.store import user_folder
from edgecam.nn.export.onnx import ClassifierForExport, UintInput, export_onnx, find_stem
from edgecam.nn.hub.describe import describe
from edgecam.nn.hub.pull_download import DownloadError, Progress, cache_folder, check, fetch, published_sha256
from edgecam.nn.hub.registry import Official
from edgecam.nn.labels import imagenet_labels
from edgecam.nn.labels.coco import COCO80
from edgecam.nn.networks.backbones import build_backbone
from edgecam.nn.networks.importers import import_state
from edgecam.nn.networks.ssdlite320 import DeployedSSDLite, import_ssdlite320

Say = Callable[[str], None]


def read_state(path: Path) -> dict[str, Tensor]:
    """The tensors of a ``.safetensors`` or torch file; no code in the file is executed.

    Raises :class:`ModelError` for a file that is neither, is truncated, or contains code to run.
    """
    try:
        with path.open("rb") as file:
            head = file.read(16)
        if head[8:9] == b"{":  # 8 bytes of header length, then JSON
            from safetensors.torch import load_file

            return dict(load_file(path))
        check_archive(path)
        state: Any = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise ModelError(f"no weights file at '{path}': check the path") from None
    except pickle.UnpicklingError as error:
        raise ModelError(
            f"'{path}' is not a plain file of tensors, so it is not opened (torch could run code from it): "
            "use the file that the registry names"
        ) from error
    except Exception as error:  # zip, safetensors and torch each raise exceptions of their own
        raise ModelError(
            f"'{path}' cannot be read as weights ({_first_line(error)}): fetch it again"
        ) from error
    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
        state = state["state_dict"]
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ModelError(f"'{path}' is not a state dict of tensors: use the file that the registry names")
    return {str(key): value for key, value in state.items()}


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0][:120] or type(error).__name__


def pull(
    entry: Official, *, say: Say, progress: Progress, source: Path | None = None, folder: Path | None = None
) -> Path:
    """Fetch (or take ``source``), verify, convert and store ``entry``; returns the ONNX file.

    The file is written atomically to ``folder`` (default: the user's model folder). Raises
    :class:`ConfigError`, :class:`ModelError` or :class:`DownloadError`, each with a message of one sentence.
    """
    if not entry.url:
        raise ConfigError(f"there is nothing to pull for {entry.name}: {entry.note}")
    target = (folder or user_folder()) / f"{entry.name}.onnx"
    published = entry.sha256
    if source is None:
        published = published or published_sha256(entry.hash_url)
        weights = cache_folder() / f"{entry.name}-{entry.file_name}"
        if not weights.exists():
            say(f"downloading {entry.url}")
            fetch(entry.url, weights, progress)
        try:
            check(weights, published, entry.file_name)
        except ModelError:
            weights.unlink(missing_ok=True)  # the next attempt must not find a damaged file
            raise
    else:
        weights = source
        if not weights.is_file():
            raise ModelError(f"no weights file at '{weights}': check the path given to --from")
        if published:
            check(weights, published, f"'{weights}'")
        else:
            say(f"nobody publishes a fixed hash of {entry.name}: '{weights}' is taken as it is, unverified")
    say(f"reading {weights.name}, mapping it onto {entry.architecture}, exporting")
    card = convert(entry, read_state(weights), target)
    if source is None:
        weights.unlink(missing_ok=True)
    say(f"stored {target} (ONNX equals torch; {len(card.labels)} labels)")
    return target


def convert(entry: Official, state: dict[str, Tensor], target: Path) -> Card:
    """Map ``state`` to our modules and export it to ``target`` with its card, after a parity check."""
    module, labels, macs = _detector(state) if entry.task == "detection" else _classifier(entry, state)
    card = Card(
        name=entry.name,
        task=entry.task,
        architecture=entry.architecture,
        labels=labels,
        resolution=(entry.resolution, entry.resolution),
        width_multiplier=entry.width,
        resize="stretch" if entry.task == "detection" else "center_crop",
        crop=round(entry.crop, 4),
        interpolation=entry.interpolation,
        licence=entry.licence,
        origin=entry.url,
        training_data=entry.training_data,
        metrics={f"published {entry.score[0]}": entry.score[1]} if entry.score else {},
        nms_iou=0.55 if entry.task == "detection" else 0.5,  # torchvision's ssdlite320
        parameters=entry.parameters or None,
        macs=macs,
        created=time.strftime("%Y-%m-%d", time.gmtime()),
    )
    try:
        return export_onnx(module, card, target, sample=_samples(entry.resolution))
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DownloadError(
                f"the disk with {target.parent} is full: free some space and try again"
            ) from error
        raise DownloadError(f"{target} cannot be written ({error.strerror or error})") from error


def _classifier(entry: Official, state: dict[str, Tensor]) -> tuple[nn.Module, tuple[str, ...], int]:
    net = build_backbone(
        entry.architecture,
        width=entry.width,
        padding="tf" if entry.tensorflow else "symmetric",
    )
    import_state(net, state, entry.origin)
    mean, std = ([255.0 * value for value in values] for values in (entry.mean, entry.std))
    module = ClassifierForExport(net.eval(), mean=mean, std=std)
    macs = describe(entry.architecture, width=entry.width, resolution=entry.resolution).macs
    return module, imagenet_labels(), macs


def _detector(state: dict[str, Tensor]) -> tuple[nn.Module, tuple[str, ...], int | None]:
    model = import_ssdlite320(state)
    return DeployedSSDLite(model, UintInput(stem=find_stem(model))), COCO80, None


def _samples(side: int) -> list[NDArray[np.uint8]]:
    """One picture of noise and one of soft blobs, for comparing ONNX with torch."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (side, side, 3), dtype=np.uint8)
    coarse = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    blobs = np.kron(coarse, np.ones((side // 8, side // 8, 1), np.uint8))
    return [noise, np.ascontiguousarray(blobs)]
