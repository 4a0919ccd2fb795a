"""Every shipped detector says from which score on each of its classes may be shown."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from edgecam.inference.models.shown import read_table, table_path
from edgecam.inference.models.store import describe, find_model

MODELS = find_model("default", "detection").parent
SHIPPED = [p for p in sorted(MODELS.glob("*.onnx")) if describe(p)[0].task == "detection"]


@pytest.mark.parametrize("model", SHIPPED, ids=lambda p: p.stem)
def test_a_shipped_detector_has_a_table_of_its_own_weights(model: Path) -> None:
    card, _ = describe(model)
    table = read_table(model, card)
    assert table is not None, f"run: python scripts/shown_thresholds.py {model}"
    assert set(table.classes) == set(card.labels) and table.target >= 0.8
    person = table.classes["person"]
    assert person.dependable and person.precision >= 0.8 and person.boxes > 100


def test_a_table_of_other_weights_or_a_broken_one_is_not_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    card, _ = describe(SHIPPED[0])
    model = tmp_path / "m.onnx"
    assert read_table(model, card) is None and not caplog.records
    good = table_path(SHIPPED[0]).read_bytes()
    table_path(model).write_bytes(good)
    assert read_table(model, card) is not None
    assert read_table(model, msgspec.structs.replace(card, weights_sha256="another")) is None
    table_path(model).write_bytes(good[: len(good) // 2])
    assert read_table(model, card) is None
    assert "of other weights" in caplog.records[0].message and "is not used" in caplog.records[1].message
