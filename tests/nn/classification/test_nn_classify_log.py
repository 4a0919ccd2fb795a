"""What a training leaves to look at."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("torch")

from edgecam.nn.classification.log import StepLog, draw_mistakes
from edgecam.nn.training.scalar_log import EVERY


def test_the_curve_averages_and_survives_a_restart(tmp_path: Path) -> None:
    for start in (0, EVERY):
        with StepLog(tmp_path) as scalars:
            for step in range(start, start + EVERY):
                scalars.step(step + 1, float(step), 0.1)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [(x["step"], x["loss"]) for x in lines] == [
        (EVERY, (EVERY - 1) / 2),
        (2 * EVERY, EVERY + (EVERY - 1) / 2),
    ]


def test_mistakes_are_drawn_surest_first(tmp_path: Path) -> None:
    pictures = [np.full((20, 20, 3), value, np.uint8) for value in (10, 90, 170)]
    probabilities = np.array([[0.9, 0.1], [0.3, 0.7], [0.05, 0.95]], np.float32)
    count = draw_mistakes(tmp_path / "m.png", pictures, probabilities, np.array([0, 0, 0]), ["ant", "bee"])
    assert count == 2
    sheet = cv2.imread(str(tmp_path / "m.png"))
    assert sheet is not None
    assert (sheet[75, 75, 0], sheet[75, 225, 0], sheet[75, 375, 0]) == (170, 90, 255)
