"""Export a trained detector as ONNX: calibrate it on held-out pictures, measure it, write its card."""

from __future__ import annotations

import copy
import subprocess
import time
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from edgecam.core.progress import Progress, silent
from edgecam.inference.models.card import Card
from edgecam.nn.detection.checkpoint import load_checkpoint
from edgecam.nn.detection.config import TrainConfig
from edgecam.nn.detection.data import DetectionSet, PixelCache, load_set
from edgecam.nn.detection.evaluation.calibrate import at_precision, calibrate
from edgecam.nn.detection.evaluation.evaluate import PictureDetections, Report, predict_set, score_detections
from edgecam.nn.detection.evaluation.matching import match_classes
from edgecam.nn.detection.evaluation.predict import Deployed, onnx_predict, torch_predict
from edgecam.nn.detection.loader import split_dev
from edgecam.nn.detection.sources import training_set
from edgecam.nn.export.card_writer import write_card
from edgecam.nn.export.onnx import export_onnx
from edgecam.nn.hub.google_ssd import ORIGIN
from edgecam.nn.networks.count import multiply_adds
from edgecam.nn.networks.detector import DetectionNetwork
from edgecam.nn.networks.pan_detector import PanConfig

#: A class is judged on the validation split if it has at least this many boxes there, otherwise on labelled
#: training pictures.
_ENOUGH_BOXES = 10
#: Below this AP50 a class is off by default (issue 4).
WEAK_AP50 = 0.2
_PICTURES_PER_CLASS = 15
#: The card gives each class's threshold at this precision, besides the one with the best balance (F1).
_SURE = 0.8


def architecture_of(model: DetectionNetwork) -> str:
    """The network's architecture, in a card's words."""
    config = model.config
    pruned = ", pruned" if config.channels else ""
    if isinstance(config, PanConfig):
        return f"CSP-PAN of {config.neck_width} and anchor-free GFL head on {config.backbone}{pruned}"
    head = "SSDLite" if config.predictor == "separable" else "SSD"
    neck = f", top-down neck of {config.neck_channels}" if config.neck_channels else ""
    return f"{head} on {config.backbone}{neck}{pruned}"


def describe(model: DetectionNetwork, data: dict[str, Any], name: str, about: dict[str, Any]) -> Card:
    """The card of a checkpoint before anything is measured. ``about``: fields that only a person knows."""
    config = model.config
    recipe = msgspec.convert(data["recipe"], TrainConfig)
    side = config.resolution
    fields: dict[str, Any] = {
        "name": name,
        "task": "detection",
        "architecture": architecture_of(model),
        "width_multiplier": config.width,
        "labels": config.labels,
        "resolution": (side, side),
        "parameters": sum(p.numel() for p in model.parameters()),
        "macs": multiply_adds(copy.deepcopy(model), torch.zeros(1, 3, side, side)),
        "seed": recipe.seed,
        "created": time.strftime("%Y-%m-%d", time.gmtime()),
        "commit": _commit(),
        "score_threshold": 0.35,
        "nms_iou": 0.5,
        "origin": ORIGIN if recipe.model.start == "google-ssd" else "",
        "extra": {
            "steps": int(data.get("step", 0)),
            "recipe": {k: v for k, v in recipe.to_dict().items() if k != "card"},
            "table": {k: v for k, v in config.to_dict().items() if k != "labels"},
        },
    }
    extra = {**fields["extra"], **about.get("extra", {})}
    return Card(**{**fields, **recipe.card, **about, "extra": extra})


def _commit() -> str:
    """The source's commit, where there is a repository."""
    try:
        answer = subprocess.run(
            ["git", "rev-parse", "--short=12", "HEAD"],
            cwd=Path(__file__).parent, capture_output=True, text=True, timeout=10, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.strip() if answer.returncode == 0 else ""


def write_onnx(model: DetectionNetwork, card: Card, output: Path, samples: list[NDArray[np.uint8]]) -> Card:
    """Export with normalisation and decoding inside; outputs are compared with torch's on ``samples``."""
    deployed = copy.deepcopy(model).cpu().eval()
    return export_onnx(Deployed(deployed), card, output, sample=samples)


def export_checkpoint(path: Path, output: Path, *, name: str | None = None, **about: Any) -> Card:
    """Export a checkpoint of ``edgecam train`` as ONNX, with a card of what it knows; nothing is measured."""
    model, data = load_checkpoint(path)
    card = describe(model, data, name or output.stem, {**data.get("card", {}), **about})
    side = model.config.resolution
    sample = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    return write_onnx(model, card, output, [cv2.blur(sample, (9, 9)).astype(np.uint8), sample])


def finish(
    checkpoint: Path,
    output: Path,
    annotations: Path,
    *,
    cache: Path,
    name: str | None = None,
    about: dict[str, Any] | None = None,
    progress: Progress = silent,
) -> Card:
    """Export a checkpoint, choose its thresholds on held-out training data, and measure the file.

    Thresholds come from pictures that were not trained on; AP comes from ``val.json`` beside ``annotations``,
    or from those same held-out pictures if there is none. Classes with fewer than ten boxes there are judged
    on training pictures that show them, which flatters them; ``extra["judged_on_training_pictures"]`` names
    them. Whether a class is weak depends on its AP50 over all pictures that were not trained on; a class
    without boxes there is weak.
    """
    model, data = load_checkpoint(checkpoint)
    recipe = msgspec.convert(data["recipe"], TrainConfig)
    train_all = training_set(annotations, recipe.data, model.config.labels)
    val = annotations.with_name("val.json")
    train_set, dev, _, _ = split_dev(train_all, recipe)
    side = (model.config.resolution,) * 2
    predict = torch_predict(model)

    def look(part: DetectionSet, what: str) -> tuple[list[PictureDetections], Report]:
        pixels = PixelCache(part, cache, recipe.data.max_side)  # of these alone: the training set is large
        done = 0

        def tick(n: int) -> None:
            nonlocal done
            done += n
            progress(what, done, len(part.images))

        found = predict_set(predict, part, pixels.__getitem__, side, batch=4, tick=tick)
        return found, score_detections(found, part)

    fields: dict[str, Any] = dict(about or {})
    dev_report: Report | None = None
    if dev.images:
        found, dev_report = look(dev, "held-out pictures")
        matches = match_classes(found, dev)
        chosen = calibrate(matches, dev.labels)
        fields.update(score_threshold=chosen.threshold, thresholds=chosen.thresholds)
        sure = at_precision(matches, dev.labels, _SURE)
        fields["extra"] = {**fields.get("extra", {}), "thresholds_at_precision": {str(_SURE): sure}}
    card = describe(model, data, name or output.stem, fields)
    few = train_all.subset([0, len(train_all.images) // 2])
    samples = [cv2.resize(p, side).astype(np.uint8) for p in map(PixelCache(few, cache).__getitem__, (0, 1))]
    card = write_onnx(model, card, output, samples)
    report = dev_report
    if annotations.is_file() and val.is_file():
        report = evaluate_file(output, val, cache, progress)[1]
    if report is None:
        return card
    rare = [x for x in card.labels if report.per_class.get(x, (0, 0, 0))[2] < _ENOUGH_BOXES]
    subset = _showing(train_set, rare)
    shown = look(train_set.subset(subset), "rare classes")[1].per_class if subset else {}
    per_class = {x: report.per_class[x][0] for x in report.per_class if x not in rare}
    per_class |= {x: shown[x][0] for x in rare if x in shown}
    weak = tuple(x for x in card.labels if _judged(x, per_class.get(x, 0.0), report, dev_report) < WEAK_AP50)
    extra: dict[str, Any] = {
        **card.extra,
        "judged_on_training_pictures": rare,
        "boxes_judged": {x: report.per_class[x][2] for x in report.per_class if x not in rare},
        "AP_per_class": {x: round(report.per_class[x][1], 3) for x in report.per_class if x not in rare},
    }
    if dev_report is not None:
        extra["held_out"] = {k: round(v, 4) for k, v in dev_report.figures.items()}
    card = msgspec.structs.replace(
        card,
        metrics={k: round(v, 4) for k, v in report.figures.items()},
        per_class={x: round(per_class[x], 3) for x in card.labels if x in per_class},
        weak_labels=weak,
        extra=extra,
    )
    return write_card(output, card)


def _judged(label: str, own: float, report: Report, dev: Report | None) -> float:
    """AP50 of a class over both sets that were not trained on, weighted by its boxes in them (less noisy than
    one set)."""
    if dev is None or dev is report or label not in dev.per_class:
        return own
    ap50, _, boxes = dev.per_class[label]
    count = max(report.per_class.get(label, (0.0, 0.0, 0))[2], _ENOUGH_BOXES)
    return (own * count + ap50 * boxes) / (count + boxes)


def _showing(data: DetectionSet, labels: list[str]) -> list[int]:
    """Pictures that show ``labels``, at most fifteen of each."""
    wanted = {data.labels.index(x): 0 for x in labels}
    chosen = []
    for i, image in enumerate(data.images):
        here = {int(c) for c in image.class_id[~image.ignore]} & wanted.keys()
        if any(wanted[c] < _PICTURES_PER_CLASS for c in here):
            chosen.append(i)
            for c in here:
                wanted[c] += 1
    return chosen


def evaluate_file(
    path: Path, annotations: Path, cache: Path, progress: Progress = silent
) -> tuple[Card, Report]:
    """(card, COCO's figures) of an ONNX detector on labelled data."""
    predict, card = onnx_predict(path)
    data = load_set(annotations, labels=card.labels)
    pixels = PixelCache(data, cache)
    done = 0

    def tick(n: int) -> None:
        nonlocal done
        done += n
        progress("evaluating", done, len(data.images))

    found = predict_set(predict, data, pixels.__getitem__, card.resolution, tick=tick)
    return card, score_detections(found, data)
