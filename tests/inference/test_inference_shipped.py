"""Every model that we ship: its weights are its card's, it follows the contract, and the roles are there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgecam.core.types import Frame
from edgecam.inference.classifier import OnnxClassifier
from edgecam.inference.detector import OnnxDetector
from edgecam.inference.models import store

SHIPPED = sorted(store.shipped_folder().glob("*.onnx"))


@pytest.mark.skipif(not SHIPPED, reason="no models are in models/ yet")
def test_one_model_of_each_task_is_the_default() -> None:
    for task in ("detection", "classification"):
        roles = [
            (card.extra.get("role"), card.precision)
            for card in map(store.load_card, SHIPPED)
            if card.task == task
        ]
        if roles:
            assert roles.count(("default", "fp32")) <= 1, f"two default models for {task}"
            assert any(role == "default" for role, _ in roles) or len(roles) == 1


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_model_keeps_the_contract(path: Path) -> None:
    card = store.load_card(path)
    store.check_weights(path)
    assert card.licence
    assert card.training_data
    picture = np.random.default_rng(0).integers(0, 256, (240, 320, 3)).astype(np.uint8)
    if card.task == "detection":
        detector = OnnxDetector(path, threads=1, score=0.01)
        found = detector.detect(Frame(picture, 0, 0, "noise"))
        assert detector.input_wh == card.resolution
        assert (found.xyxy >= 0).all()
        assert (found.xyxy <= [320, 240, 320, 240]).all()
        return
    classes = OnnxClassifier(path, threads=1, top_k=len(card.labels)).classify(picture)
    assert sum(c.score for c in classes) == pytest.approx(1, abs=1e-3)
