"""Records of a classifier's training: a curve, TensorBoard, and a sheet of its mistakes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecam.nn.classification.data import Image, plain
from edgecam.nn.training.scalar_log import EVERY, ScalarLog

_CELL_PX, _TEXT_PX = 150, 36


class StepLog(ScalarLog):
    """Writes the mean loss over every twenty steps."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._losses: list[float] = []

    def step(self, step: int, loss: float, rate: float) -> None:
        """Record one step; called after each."""
        self._losses.append(loss)
        if len(self._losses) == EVERY:
            self.write(step, "train", {"loss": float(np.mean(self._losses)), "lr": rate})
            self._losses.clear()


def draw_mistakes(
    path: Path,
    pictures: Sequence[Image],
    probabilities: NDArray[np.float32],
    truth: NDArray[np.int64],
    labels: Sequence[str],
    limit: int = 48,
) -> int:
    """A sheet of the wrongly classified pictures, the most confident first; returns how many there are.

    Each caption gives the true class, then the answer and its probability.
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
