"""models/README.md says what the cards say."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

onnx = pytest.importorskip("onnx")

from edgecam.inference.models.card import Card  # noqa: E402
from edgecam.nn.export.card_writer import attach_card  # noqa: E402

ROOT = Path(__file__).resolve().parents[3]


def load_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("models_table", ROOT / "scripts" / "models_table.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_readme_is_what_the_script_writes() -> None:
    script = load_script()
    assert script.README.read_text(encoding="utf-8") == script.render(script.MODELS), (
        "run python scripts/models_table.py"
    )


def write_model(path: Path, card: Card) -> None:
    image = onnx.helper.make_tensor_value_info("image", onnx.TensorProto.UINT8, [1, 4, 4, 3])
    out = onnx.helper.make_tensor_value_info("probabilities", onnx.TensorProto.FLOAT, [1, 2])
    value = onnx.numpy_helper.from_array(__import__("numpy").zeros((1, 2), "float32"), "value")
    node = onnx.helper.make_node("Identity", ["value"], ["probabilities"])
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "g", [image], [out], [value]))
    attach_card(model, card)
    onnx.save(model, path)


def test_figures_of_both_files_stand_in_one_row(tmp_path: Path) -> None:
    script = load_script()
    common: dict[str, Any] = {
        "task": "classification",
        "architecture": "mobilenet_v1",
        "labels": ("a", "b"),
        "resolution": (224, 224),
        "width_multiplier": 0.25,
        "parameters": 1_250_000,
        "macs": 41_000_000,
        "licence": "GPL-3.0-or-later",
        "known_failures": "takes a for b",
    }
    write_model(tmp_path / "m.onnx", Card(name="m", metrics={"top1": 91.25}, **common))
    speed = {"fp32_ms": 3.0, "int8_ms": 2.0, "ratio": 1.5, "threads": 1, "machine": "board"}
    write_model(
        tmp_path / "m-int8.onnx",
        Card(
            name="m-int8", precision="int8", metrics={"top1": 90.5},
            extra={"speed": speed, "int8": {"delta": {"top1": -0.75}}}, **common,
        ),
    )  # fmt: skip
    text = script.render(tmp_path)
    (row,) = [line for line in text.splitlines() if line.startswith("| `m`")]
    assert "mobilenet_v1 ×0.25" in row
    assert "| 1.25 | 41 |" in row
    assert "91.2 / 90.5" in row
    assert "1.50×" in row
    assert "change top1 -0.75" in text
    assert "takes a for b" in text
    assert "## Detectors" not in text
