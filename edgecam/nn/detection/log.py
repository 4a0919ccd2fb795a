"""The log of a detection training: a progress line, TensorBoard, a CSV and a picture per epoch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from edgecam.nn.detection.config import TrainConfig
from edgecam.nn.detection.data import DetectionSet, PixelCache
from edgecam.nn.detection.evaluation.evaluate import Report, predict_set
from edgecam.nn.detection.evaluation.pictures import contact_sheet
from edgecam.nn.detection.evaluation.predict import torch_predict
from edgecam.nn.detection.loader import split_dev
from edgecam.nn.detection.train import Progress
from edgecam.nn.networks.detector import DetectionNetwork
from edgecam.nn.training.scalar_log import EVERY, ScalarLog

#: Boxes with at least this score are drawn into an epoch's picture.
_SHOWN_SCORE = 0.35
_PICTURES = 24


class TrainLog(ScalarLog):
    """Receives a training's steps and epochs; a context manager.

    Writes ``run/log.jsonl`` (one line per twenty steps and per epoch), ``run/step-N.jpg``
    and TensorBoard events.
    """

    def __init__(
        self, run: Path, progress: Callable[[str, int, int], None], config: TrainConfig,
        data: DetectionSet, pixels: PixelCache, *, tensorboard: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(run, tensorboard=tensorboard)
        self._run, self._progress, self._pixels = run, progress, pixels
        train_set, dev, train_at, dev_at = split_dev(data, config)
        shown, at = (dev, dev_at) if dev_at else (train_set, train_at)
        pick = np.unique(np.linspace(0, len(at) - 1, min(_PICTURES, len(at))).round().astype(int)).tolist()
        self._shown, self._at = shown.subset(pick), [at[i] for i in pick]
        self._recent: list[Progress] = []

    def step(self, now: Progress) -> None:
        """Record a step."""
        self._recent.append(now)
        rate = f"{now.pictures_per_s:.0f} pictures/s"
        self._progress(f"training, loss {now.loss:.3f}, {rate}", now.step, now.steps)
        if len(self._recent) < EVERY and now.step < now.steps:
            return
        n = len(self._recent)
        mean = {
            "loss": sum(p.loss for p in self._recent) / n,
            "class_loss": sum(p.class_loss for p in self._recent) / n,
            "box_loss": sum(p.box_loss for p in self._recent) / n,
            "lr": now.lr,
            "pictures_per_s": n / sum(1 / p.pictures_per_s for p in self._recent),
        }
        self._recent.clear()
        self.write(now.step, "train", mean)

    def epoch(self, step: int, model: DetectionNetwork, report: Report | None) -> None:
        """Record an epoch: figures on the held-out pictures, and a sheet of what the model finds there."""
        if report is not None:
            self.write(step, "held_out", report.figures)
        side = model.config.resolution
        found = predict_set(
            torch_predict(model), self._shown, lambda i: self._pixels[self._at[i]], (side, side), batch=4
        )
        thresholds = np.full(len(model.config.labels), _SHOWN_SCORE, np.float32)
        path = self._run / f"step-{step:06d}.jpg"
        contact_sheet(
            path, self._shown, found, lambda i: self._pixels[self._at[i]], thresholds, count=_PICTURES,
            columns=6,
        )  # fmt: skip
