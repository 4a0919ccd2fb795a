"""What a classifier's training leaves to look at: a curve, TensorBoard, and a sheet of its mistakes."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecam.nn.classification_data import Image, plain

#: Steps that one line of the log averages over.
EVERY = 20
_CELL_PX, _TEXT_PX = 150, 36


class ScalarLog:
    """Appends to ``folder/log.jsonl``, and to TensorBoard where it is installed; a context manager."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / "log.jsonl"
        self._losses: list[float] = []
        self._writer: Any = None
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:  # the JSON lines hold the same figures
            return
        self._writer = SummaryWriter(str(folder / "tensorboard"))

    def __enter__(self) -> ScalarLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.close()

    def step(self, step: int, loss: float, rate: float) -> None:
        """After each step; writes the mean of twenty."""
        self._losses.append(loss)
        if len(self._losses) == EVERY:
            self.write(step, "train", {"loss": float(np.mean(self._losses)), "lr": rate})
            self._losses.clear()

    def write(self, step: int, kind: str, figures: dict[str, float]) -> None:
        """One line of figures."""
        line = {"time": round(time.time(), 1), "step": step, "kind": kind}
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps({**line, **{k: float(f"{v:.5g}") for k, v in figures.items()}}) + "\n")
        if self._writer is not None:
            for name, value in figures.items():
                self._writer.add_scalar(f"{kind}/{name}", value, step)


def draw_mistakes(
    path: Path,
    pictures: Sequence[Image],
    probabilities: NDArray[np.float32],
    truth: NDArray[np.int64],
    labels: Sequence[str],
    limit: int = 48,
) -> int:
    """A sheet of the pictures that were answered wrongly, the surest first; returns how many there are.

    Under each: what it is, then what it was taken for and at which probability.
    """
    answers = probabilities.argmax(1)
    wrong = np.flatnonzero(answers != truth)
    order = wrong[np.argsort(-probabilities[wrong, answers[wrong]], kind="stable")][:limit]
    columns = 8
    rows = max(1, -(-len(order) // columns))
    sheet = np.full((rows * (_CELL_PX + _TEXT_PX), columns * _CELL_PX, 3), 255, np.uint8)
    for place, index in enumerate(order):
        y, x = (place // columns) * (_CELL_PX + _TEXT_PX), (place % columns) * _CELL_PX
        sheet[y : y + _CELL_PX, x : x + _CELL_PX] = plain(pictures[index], _CELL_PX)
        sure = float(probabilities[index, answers[index]])
        for line, text in enumerate((labels[truth[index]], f"> {labels[answers[index]]} {sure:.2f}")):
            at = (x + 3, y + _CELL_PX + 14 + 16 * line)
            cv2.putText(sheet, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.4, (0, 0, 0), 1, cv2.LINE_AA)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), sheet)
    return len(wrong)
