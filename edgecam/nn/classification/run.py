"""Train a classifier in one call: data, head, all layers, evaluation, and export to ONNX with its card."""

from __future__ import annotations

import datetime
import logging
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from edgecam.core.errors import ConfigError
from edgecam.core.progress import Progress, silent
from edgecam.inference.models.card import Card
from edgecam.nn.classification.checkpoint import Recipe, Run, load_run
from edgecam.nn.classification.data import (
    ClassificationSet,
    Image,
    load_pictures,
    plain,
    read_coco_classes,
    read_folders,
    split,
)
from edgecam.nn.classification.evaluate import ClassificationReport, Predict, evaluate_file
from edgecam.nn.classification.false_names import false_names
from edgecam.nn.classification.log import StepLog
from edgecam.nn.classification.train import fine_tune, measure, start
from edgecam.nn.export.onnx import ClassifierForExport, export_onnx
from edgecam.nn.networks.count import multiply_adds
from edgecam.nn.training.host import find_host

log = logging.getLogger(__name__)

#: The number of pictures on which ONNX Runtime's outputs are compared with torch's.
PARITY_PICTURES = 4


def read_data(
    data: Path, recipe: Recipe
) -> tuple[ClassificationSet, ClassificationSet, ClassificationSet | None]:
    """(train, held out, "none of them") from a folder per class, or from ``train.json`` with ``images/``."""
    outliers = None
    if (data / "train.json").is_file():
        every, outliers = read_coco_classes(
            data / "train.json", data / "images", recipe.outliers, recipe.seed
        )
    elif data.is_dir():
        every = read_folders(data)
    else:
        raise ConfigError(f"'{data}' is not a folder: give one with a sub-folder of pictures per class.")
    train, held = split(every, recipe.held_out, recipe.seed)
    if len(train) < recipe.batch:
        raise ConfigError(
            f"'{data}' leaves {len(train)} pictures to train on, fewer than one batch of {recipe.batch}: "
            "add pictures."
        )
    return train, held, outliers


def train_classifier(
    data: Path,
    folder: Path,
    recipe: Recipe,
    *,
    weights: Path | None = None,
    teacher: Path | None = None,
    resume: bool = True,
    progress: Progress = silent,
) -> Run:
    """Train in ``folder``, resuming where it stopped; the result is in ``folder/classifier.pt``.

    weights: published arrays (.npz) to start from. teacher: checkpoint of a better classifier of the same
    labels. Raises :class:`ConfigError` if the folder holds a run with another recipe.
    """
    host = find_host("auto" if recipe.amp else "fp32")
    train, held, outliers = read_data(data, recipe)
    checkpoint = folder / "classifier.pt"
    if resume and checkpoint.exists():
        run = load_run(checkpoint)
        if run.recipe != recipe or run.labels != train.labels:
            raise ConfigError(
                f"'{folder}' holds a run with another recipe or other labels: give another folder, "
                "or --no-resume to start over."
            )
    else:
        if host.rank == 0:
            start(folder, recipe, train, outliers, weights, progress)
        if host.world > 1:
            torch.distributed.barrier()
        run = load_run(checkpoint)
    network = None
    if teacher is not None:
        teaching = load_run(teacher)
        if teaching.labels != run.labels:
            raise ConfigError(f"the teacher '{teacher}' knows other labels than the data.")
        network = teaching.averaged()
    if host.rank != 0:
        fine_tune(run, train, outliers, teacher=network, host=host)
        return run
    with StepLog(folder) as scalars:
        fine_tune(run, train, outliers, teacher=network, host=host, scalars=scalars, progress=progress)
        metrics = measure(run, held, progress)
        scalars.write(run.step, "held_out", metrics)
    log.info("held out: top-1 %.2f %%, top-5 %.2f %%", metrics["top1"], metrics["top5"])
    return run


def checkpoint_predictor(run: Run) -> Predict:
    """A torch function from a BGR picture of any size to probabilities, equal to the exported file's."""
    module = ClassifierForExport(run.averaged(), temperature=run.temperature).eval()

    def predict(image: Image) -> NDArray[np.float32]:
        with torch.inference_mode():
            batch = torch.from_numpy(plain(image, run.recipe.resolution)[None])
            answer: NDArray[np.float32] = module(batch)[0].numpy()
        return answer

    return predict


def held_out_of(run: Run, data: Path) -> ClassificationSet:
    """The part of its data that ``run`` was not trained on."""
    return read_data(data, run.recipe)[1]


def commit_of_sources() -> str:
    """The commit of edgecam's own sources if they are a git checkout; otherwise an empty string."""
    try:
        done = subprocess.run(
            ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short=12", "HEAD"],
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def export_run(
    run: Run, data: Path, path: Path, about: Mapping[str, str] | None = None, progress: Progress = silent
) -> tuple[Card, ClassificationReport]:
    """Write ``run`` as ONNX with a full card; its figures are measured on that file and the held-out split.

    about: what only people know (name, role, licence, origin, training_data, known_failures); the rest of the
    card is filled in from the run.
    """
    recipe = run.recipe
    _, held, _ = read_data(data, recipe)
    network = run.averaged()
    side = recipe.resolution
    module = ClassifierForExport(network, temperature=run.temperature)
    text: dict[str, Any] = {"name": path.stem, **(about or {})}
    role = text.pop("role", None)
    text |= {
        "task": "classification",
        "architecture": recipe.architecture,
        "width_multiplier": recipe.width,
        "labels": run.labels,
        "resolution": (side, side),
        "precision": "fp32",
        "resize": "stretch",
        "parameters": sum(p.numel() for p in network.parameters()),
        "macs": multiply_adds(network, torch.zeros(1, 3, side, side)),
        "created": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
        "seed": recipe.seed,
        "commit": commit_of_sources(),
        "extra": {"role": role} if role else {},
    }
    samples = [plain(p, side) for p in load_pictures(held.subset(range(0, len(held), len(held) // 4)))]
    card = export_onnx(module, Card(**text), path, sample=samples[:PARITY_PICTURES])
    report = evaluate_file(path, held, progress)
    card = msgspec.structs.replace(
        card,
        metrics={**report.metrics(), **false_names(path, data, progress)},
        per_class=report.per_class,
        extra={
            **card.extra,
            "temperature": run.temperature,
            "steps": run.step,
            "held_out": {"fraction": recipe.held_out, "seed": recipe.seed},
            "confusions": [list(c) for c in report.worst_confusions()],
        },
    )
    from edgecam.nn.export.card_writer import write_card

    return write_card(path, card), report
