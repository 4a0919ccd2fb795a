"""``edgecam bench`` itself, on a model of a few kilobytes."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from edgecam.bench import runner
from edgecam.bench.case import Case
from edgecam.bench.clip import AsCamera, default_clip, is_camera, open_as_camera
from edgecam.capture import SourceOptions
from edgecam.cli.bench import main
from edgecam.core.errors import EXIT_MODEL, EXIT_RUNTIME, EXIT_USAGE

onnx = pytest.importorskip("onnx")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Two boxes whatever it sees: input uint8 (1, 32, 32, 3), as the contract has it."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    from edgecam.inference.models.card import METADATA_KEY, Card

    boxes = np.array([[[0.1, 0.1, 0.4, 0.4], [0.5, 0.5, 0.9, 0.9]]], np.float32)
    scores = np.array([[[0.9, 0.0], [0.0, 0.8]]], np.float32)
    nodes = [
        helper.make_node("Cast", ["image"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["f"], ["m"], keepdims=0),
        helper.make_node("Mul", ["m", "zero"], ["z"]),
        helper.make_node("Add", ["b", "z"], ["boxes"]),
        helper.make_node("Add", ["s", "z"], ["scores"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, [1, 32, 32, 3])],
        [
            helper.make_tensor_value_info("boxes", TensorProto.FLOAT, [1, 2, 4]),
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 2, 2]),
        ],
        [
            numpy_helper.from_array(boxes, "b"),
            numpy_helper.from_array(scores, "s"),
            numpy_helper.from_array(np.float32(0), "zero"),
        ],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    card = Card(
        name="tiny",
        task="detection",
        architecture="none",
        labels=("a", "b"),
        resolution=(32, 32),
        metrics={"AP50": 0.25},
    )
    entry = made.metadata_props.add()
    entry.key, entry.value = METADATA_KEY, card.to_json()
    path = tmp_path / "tiny.onnx"
    path.write_bytes(made.SerializeToString())
    return path


def case(model: Path, **more: object) -> Case:
    values: dict[str, object] = {
        "path": str(model),
        "model": "tiny",
        "task": "detection",
        "precision": "fp32",
        "threads": 1,
        "provider": "cpu",
        "source": "synthetic:?size=160x120",
        "seconds": 0.3,
    }
    return Case(**{**values, **more})  # type: ignore[arg-type]


def test_one_model_end_to_end(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, reference = tmp_path / "bench.json", tmp_path / "reference.csv"
    arguments = [str(model), "--threads", "1", "--seconds", "0.3", "--source", "synthetic:?size=160x120"]
    arguments += ["--json", str(out), "--reference", str(reference), "--keep"]
    assert main(arguments) == 0
    (found,) = json.loads(out.read_bytes())["rows"]
    assert found["error"] == ""
    assert found["accuracy"] == 0.25
    for name in ("inference_p50_ms", "rate_per_s", "age_p95_ms", "cpu_share", "rss_mb"):
        assert found[name] > 0, name
    assert found["inference_p50_ms"] <= found["inference_p95_ms"]
    assert found["parts"]["capture_hz"] == 30
    assert "tiny" in reference.read_text()
    printed = capsys.readouterr().out
    assert "(limit)" in printed


def test_inference_only_and_json_on_standard_output(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(model), "--threads", "1", "--seconds", "0.1", "--inference-only", "--json", "-"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["rows"]
    assert found["inference_p50_ms"] > 0
    assert found["rate_per_s"] is None


def test_a_provider_that_is_not_there_is_a_row_with_its_error(model: Path) -> None:
    found = runner.run_case(case(model, provider="tensorrt", whole=False))
    assert found.inference_p50_ms is None
    assert "tensorrt" in found.error


def test_a_process_that_dies_is_a_row_with_its_error(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    killed = subprocess.CompletedProcess([], -4, b"", b"")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: killed)
    assert runner.run_case(case(model)).error == "its process was killed by SIGILL"
    said = subprocess.CompletedProcess([], 1, b"", b"Traceback\nImportError: libcuda.so\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: said)
    assert runner.run_case(case(model)).error == "ImportError: libcuda.so"


def test_a_process_that_hangs_is_a_row_with_its_error(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(*_: object, **__: object) -> None:
        raise subprocess.TimeoutExpired("x", 1)

    monkeypatch.setattr(subprocess, "run", hang)
    assert "no answer within" in runner.run_case(case(model)).error


def test_a_source_that_is_missing_is_told(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [str(model), "--threads", "1", "--seconds", "0.1", "--source", "/proc/nowhere/x.mp4"]
    assert main(arguments) == EXIT_RUNTIME
    assert "does not exist" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [["--threads", "zero"], ["--precision", "int4"], ["--seconds", "0"], ["--tolerance", "-1"]],
)
def test_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == EXIT_USAGE
    assert arguments[1] in capsys.readouterr().err


def test_an_unknown_model_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["no-such-model"]) == EXIT_MODEL
    assert "no-such-model" in capsys.readouterr().err


def test_a_file_as_a_camera(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("edgecam.bench.clip.FRAMES", 4)
    monkeypatch.setattr("edgecam.bench.clip.SIZE_WH", (320, 240))
    clip = default_clip()
    made = clip.stat().st_mtime_ns
    assert default_clip().stat().st_mtime_ns == made
    with open_as_camera(str(clip), SourceOptions()) as camera:
        assert isinstance(camera, AsCamera)
        assert camera.is_live
        assert camera.size_wh == (320, 240)
        assert not is_camera(str(clip), camera)
        indices = [frame.index for _ in range(6) if (frame := camera.read(1.0)) is not None]
    assert indices == list(range(6))  # it goes round
    with open_as_camera("synthetic:?size=96x64", SourceOptions()) as made_up:
        assert made_up.is_live
        assert not is_camera("synthetic:?size=96x64", made_up)
