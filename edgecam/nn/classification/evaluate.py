"""Accuracy of a classifier on labelled pictures: top-1, top-5, per class, calibration, confusion.

Torch, ONNX and int8 models are measured alike: each is a function from a picture to probabilities.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecam.core.errors import ConfigError, ModelError
from edgecam.core.progress import Progress, silent
from edgecam.inference.models.card import Card
from edgecam.inference.models.external import check_external
from edgecam.inference.preprocess import resizer_of
from edgecam.nn.classification.data import (
    ClassificationSet,
    Image,
    load_pictures,
    read_coco_classes,
    read_folders,
    split,
)
from edgecam.nn.export.card_writer import read_card
from edgecam.nn.training.charts import MOST_CLASSES, Curve, curve_of, plot_confusion

#: Bins of the calibration error (Guo et al., arXiv:1706.04599, use 15).
BINS = 15

Predict = Callable[[Image], NDArray[np.float32]]


@dataclass(frozen=True)
class ClassificationReport:
    """``confusion[truth, answer]`` counts pictures; accuracies and calibration error ``ece`` are in per cent.

    probabilities (N, C) and truth (N,) are the answers and true classes of the evaluated pictures.
    """

    labels: tuple[str, ...]
    top1: float
    top5: float
    ece: float
    confusion: NDArray[np.int64]
    probabilities: NDArray[np.float32]
    truth: NDArray[np.int64]

    @property
    def pictures(self) -> int:
        """How many pictures were evaluated."""
        return int(self.confusion.sum())

    @property
    def per_class(self) -> dict[str, float]:
        """The share of each class's pictures that was recognised, per cent; only classes with pictures."""
        totals = self.confusion.sum(1)
        return {
            label: round(100.0 * float(self.confusion[i, i]) / int(totals[i]), 1)
            for i, label in enumerate(self.labels)
            if totals[i]
        }

    @property
    def mean_per_class(self) -> float:
        """Mean over classes, per cent: small classes count as much as large ones."""
        return round(float(np.mean(list(self.per_class.values()))), 2)

    def metrics(self) -> dict[str, float]:
        """The figures as a card stores them."""
        return {
            "top1": self.top1,
            "top5": self.top5,
            "mean_per_class": self.mean_per_class,
            "calibration_error": self.ece,
            "pictures": float(self.pictures),
        }

    def curves(self) -> list[Curve]:
        """Precision-recall curves of each class that has pictures, and of all answers together."""
        found = []
        for i, count in enumerate(self.confusion.sum(1)):
            if count:
                order = np.argsort(-self.probabilities[:, i], kind="stable")
                found.append(curve_of(self.labels[i], self.truth[order] == i, int(count)))
        order = np.argsort(-self.probabilities.max(1), kind="stable")
        right = self.probabilities.argmax(1) == self.truth
        return [curve_of("every picture's best answer", right[order], self.pictures), *found]

    def worst_confusions(self, count: int = 10) -> list[tuple[str, str, int]]:
        """(truth, answer, pictures), the most frequent mistakes first."""
        wrong = self.confusion.copy()
        np.fill_diagonal(wrong, 0)
        order = np.argsort(-wrong, axis=None, kind="stable")[:count]
        rows, columns = np.unravel_index(order, wrong.shape)
        return [
            (self.labels[r], self.labels[c], int(wrong[r, c]))
            for r, c in zip(rows, columns, strict=True)
            if wrong[r, c]
        ]


def open_labelled(data: Path, card: Card | None = None) -> ClassificationSet:
    """Open a folder per class, a COCO-format .json with ``images/`` beside it, or the folder that holds both.

    card: of a model that was trained on this data; then only the part that its training held out is returned.
    """
    if not data.exists():
        raise ConfigError(f"'{data}' does not exist: give a folder of pictures per class, or a COCO .json.")
    annotations = data / "train.json" if data.is_dir() else data
    if annotations.is_file():
        every = read_coco_classes(annotations, annotations.parent / "images")[0]
    else:
        every = read_folders(data)
    if card is None:
        return every
    part = card.extra.get("held_out")
    if not isinstance(part, dict):
        raise ConfigError(f"the card of '{card.name}' does not say which part of its data was held out.")
    return split(every, float(part["fraction"]), int(part["seed"]))[1]


def onnx_predictor(path: Path, threads: int = 1) -> tuple[Card, Predict]:
    """(card, function from a BGR picture of any size to probabilities) for a classifier's model file."""
    import onnxruntime as ort

    card = read_card(path)
    if card.task != "classification":
        raise ModelError(f"'{path}' is for {card.task}, not a classifier.")
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    check_external(path)
    session: Any = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    resizer = resizer_of(card)  # the same resizer as in the app

    def predict(image: Image) -> NDArray[np.float32]:
        resizer.picture(image)
        answer: NDArray[np.float32] = session.run(None, {name: resizer.buffer})[0][0]
        return answer

    return card, predict


def evaluate(
    predict: Predict, labels: tuple[str, ...], data: ClassificationSet, progress: Progress = silent
) -> ClassificationReport:
    """Judge ``predict`` (probabilities over ``labels``) on every picture of ``data``."""
    cv2.setNumThreads(1)
    index = {label: i for i, label in enumerate(labels)}
    unknown = sorted(set(data.labels) - set(labels))
    if unknown:
        raise ConfigError(
            f"the model does not know {len(unknown)} of the data's {len(data.labels)} classes "
            f"(such as '{unknown[0]}'): evaluate it on data with its own labels."
        )
    truth = np.array([index[data.labels[t]] for t in data.targets], dtype=np.int64)
    rows = []
    for number, image in enumerate(load_pictures(data)):
        rows.append(predict(image))
        progress("evaluating", number + 1, len(data))
    return judge(np.stack(rows), truth, labels)


def judge(
    probabilities: NDArray[np.float32], truth: NDArray[np.int64], labels: tuple[str, ...]
) -> ClassificationReport:
    """The report for (N, C) probabilities and (N,) class numbers."""
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :5]
    hits = best == truth[:, None]
    confusion = np.zeros((len(labels), len(labels)), dtype=np.int64)
    np.add.at(confusion, (truth, best[:, 0]), 1)
    return ClassificationReport(
        labels,
        round(100.0 * float(hits[:, 0].mean()), 2),
        round(100.0 * float(hits.any(1).mean()), 2),
        round(100.0 * calibration_error(probabilities.max(1), hits[:, 0]), 2),
        confusion,
        probabilities,
        truth,
    )


def calibration_error(confidence: NDArray[np.float32], right: NDArray[np.bool_]) -> float:
    """Expected calibration error, 0 to 1: mean |accuracy - confidence| over bins of confidence."""
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    error = 0.0
    for number in range(BINS):
        inside = bins == number
        if inside.any():
            gap = abs(float(right[inside].mean()) - float(confidence[inside].mean()))
            error += gap * float(inside.mean())
    return error


def evaluate_file(path: Path, data: ClassificationSet, progress: Progress = silent) -> ClassificationReport:
    """Run :func:`evaluate` on a model file."""
    card, predict = onnx_predictor(path)
    return evaluate(predict, card.labels, data, progress)


def draw_confusion(report: ClassificationReport, path: Path, title: str) -> None:
    """Draw the confusion matrix; if there are many classes, of those with the most mistakes."""
    table = report.confusion
    wrong = table.sum(0) + table.sum(1) - 2 * np.diag(table)
    occur = np.flatnonzero(table.sum(0) + table.sum(1))
    keep = occur[np.argsort(-wrong[occur], kind="stable")][:MOST_CLASSES]
    keep.sort()
    part, names = table[np.ix_(keep, keep)], [report.labels[i] for i in keep]
    if len(keep) < len(occur):
        rest = np.setdiff1d(occur, keep)
        part = np.block(
            [
                [part, table[np.ix_(keep, rest)].sum(1, keepdims=True)],
                [table[np.ix_(rest, keep)].sum(0, keepdims=True), table[np.ix_(rest, rest)].sum()],
            ]
        )
        names.append(f"({len(rest)} others)")
    plot_confusion(path, part, names, title)
