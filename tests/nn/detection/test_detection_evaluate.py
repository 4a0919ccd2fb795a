"""Figures, matching, calibration, export, and the two commands."""

# torch types a module's part as Tensor | Module, and its state as Tensor | None
# mypy: disable-error-code="arg-type,comparison-overlap,index"

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("pycocotools")

from edgecam.cli import evaluate as cli_evaluate  # noqa: E402
from edgecam.cli import train as cli_train  # noqa: E402
from edgecam.core.errors import ConfigError, ModelError  # noqa: E402
from edgecam.nn.detection.data import DetectionSet, LabelledImage  # noqa: E402
from edgecam.nn.detection.evaluation.calibrate import best_f1, calibrate  # noqa: E402
from edgecam.nn.detection.evaluation.evaluate import PictureDetections, score_detections  # noqa: E402
from edgecam.nn.detection.evaluation.matching import ClassMatches, confusion, match_classes  # noqa: E402
from edgecam.nn.detection.evaluation.nms import detections  # noqa: E402

pytestmark = [pytest.mark.torch, pytest.mark.timeout(600)]

LABELS = ("cat", "dog")


def picture(*rows: Any, number: Any = 1) -> Any:
    """Rows of (xyxy, class, ignore)."""
    return LabelledImage(
        path=Path(f"{number}.png"), image_id=number, wh=(200, 100),
        boxes=np.array([r[0] for r in rows], np.float32).reshape(-1, 4),
        class_id=np.array([r[1] for r in rows], np.int64),
        score=np.ones(len(rows), np.float32),
        ignore=np.array([r[2] for r in rows], bool),
        people=np.ones(len(rows), bool),
    )  # fmt: skip


def said(*rows: Any) -> Any:
    """Rows of (xyxy, score, class)."""
    return PictureDetections(
        np.array([r[0] for r in rows], np.float32).reshape(-1, 4),
        np.array([r[1] for r in rows], np.float32),
        np.array([r[2] for r in rows], np.int64),
    )


LEFT, RIGHT = [0.1, 0.1, 0.4, 0.9], [0.6, 0.1, 0.9, 0.9]


def test_perfect_detections_score_one_and_ignored_regions_count_neither_way() -> None:
    data = DetectionSet((picture((LEFT, 0, False), (RIGHT, 1, True)),), LABELS)
    report = score_detections([said((LEFT, 0.9, 0), (RIGHT, 0.95, 1))], data)
    assert report.figures["AP"] == pytest.approx(1.0)
    assert report.per_class == {"cat": (pytest.approx(1.0), pytest.approx(1.0), 1)}


def test_wrong_class_and_misplaced_box_score_nothing() -> None:
    data = DetectionSet((picture((LEFT, 0, False)),), LABELS)
    assert score_detections([said((LEFT, 0.9, 1))], data).figures["AP50"] == 0.0
    assert score_detections([said((RIGHT, 0.9, 0))], data).figures["AP50"] == 0.0
    assert score_detections([said()], data).figures["AP50"] == 0.0


def test_box_that_fits_loosely_counts_at_half_only() -> None:
    loose = [0.1, 0.1, 0.4, 0.62]  # IoU 0.65
    data = DetectionSet((picture((LEFT, 0, False)),), LABELS)
    figures = score_detections([said((loose, 0.9, 0))], data).figures
    assert figures["AP50"] == pytest.approx(1.0)
    assert figures["AP75"] == 0.0
    assert figures["AP"] == pytest.approx(0.4)  # 0.50, 0.55, 0.60, 0.65 of ten


def test_nms_keeps_classes_apart_and_drops_repeats() -> None:
    boxes = np.array([LEFT, [0.11, 0.1, 0.41, 0.9], RIGHT], np.float32)
    scores = np.array([[0.9, 0.3], [0.8, 0.2], [0.005, 0.7]], np.float32)
    xyxy, score, class_id = detections(boxes, scores, score=0.1)
    assert [(round(float(s), 1), int(c)) for s, c in zip(score, class_id, strict=True)] == [
        (0.9, 0), (0.7, 1), (0.3, 1),
    ]  # fmt: skip
    assert np.allclose(xyxy[1], RIGHT)


def test_matching_and_confusion() -> None:
    data = DetectionSet((picture((LEFT, 0, False), (RIGHT, 1, False)),), LABELS)
    found = [said((LEFT, 0.9, 0), (LEFT, 0.8, 0), (RIGHT, 0.7, 0))]
    cat, dog = match_classes(found, data)
    assert cat.hit.tolist() == [True, False, False]
    assert (cat.count, dog.count, len(dog.score)) == (1, 1, 0)
    table = confusion(found, data, np.array([0.5, 0.5], np.float32))
    assert table.tolist() == [[1, 0, 0], [1, 0, 0], [1, 0, 0]]
    table = confusion(found, data, np.array([0.85, 0.5], np.float32))
    assert table.tolist() == [[1, 0, 0], [0, 0, 1], [0, 0, 0]]


def test_threshold_is_where_f1_is_best() -> None:
    score = np.linspace(0.9, 0.1, 80, dtype=np.float32)
    own = ClassMatches(score, np.arange(80) < 40, 40)
    assert best_f1(own)[0] == pytest.approx(0.5, abs=0.05)
    rare = ClassMatches(np.array([0.2], np.float32), np.array([True]), 3)
    chosen = calibrate([own, rare], ("cat", "dog"))
    assert chosen.threshold == pytest.approx(0.5, abs=0.08)
    assert 0.4 < chosen.thresholds["dog"] < chosen.threshold  # drawn to the common one, being rare
    assert calibrate([ClassMatches(np.zeros(0, np.float32), np.zeros(0, bool), 0)], ("cat",)).thresholds == {}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A tiny run by the command itself, with its ONNX file."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "images").mkdir()
    rng = np.random.default_rng(1)
    images, annotations = [], []
    for i in range(16):
        x, y = (int(v) for v in rng.integers(0, 60, 2))
        pixels = np.full((96, 96, 3), 128, np.uint8)
        pixels[y : y + 36, x : x + 36] = (0, 0, 255) if i % 2 else (255, 0, 0)
        cv2.imwrite(str(folder / f"images/{i}.png"), pixels)
        images.append({"id": i, "file_name": f"{i}.png", "width": 96, "height": 96})
        annotations.append({"id": i + 1, "image_id": i, "category_id": 1 + i % 2, "bbox": [x, y, 36, 36]})
    names = [{"id": 1, "name": "blue"}, {"id": 2, "name": "red"}]
    content = json.dumps({"images": images, "annotations": annotations, "categories": names})
    (folder / "train.json").write_text(content)
    (folder / "val.json").write_text(content)
    (folder / "tiny.toml").write_text(
        "seed = 1\n[model]\nwidth = 0.25\nresolution = 96\nstrides = [16]\nextras = [[16, 32]]\n"
        'predictor = "pointwise"\nseparable_extras = false\n[data]\ndev = 4\n'
        "[optimise]\nepochs = 1.0\nbatch = 4\nwarmup = 2\n"
    )
    with (folder / "said.txt").open("w") as said, contextlib.redirect_stdout(said):
        code = cli_train.main(
            ["--data", str(folder), "--out", str(folder / "run"), "--recipe", str(folder / "tiny.toml"),
             "--export", str(folder / "tiny.onnx"), "--role", "fast", "--precision", "fp32",
             "--no-tensorboard"]
        )  # fmt: skip
    assert code == 0
    return folder


def test_training_leaves_a_run_that_explains_itself(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [json.loads(x) for x in (trained / "run/log.jsonl").read_text().splitlines()]
    assert {x["kind"] for x in lines} == {"train", "held_out"}
    assert list((trained / "run").glob("step-*.jpg"))
    assert (trained / "run/final.pt").exists()
    said = (trained / "said.txt").read_text()
    assert "16 pictures, 16 boxes of 2 classes" in said
    assert "from nothing: --from FILE" in said


def test_exported_file_says_what_torch_says(trained: Path) -> None:
    from edgecam.nn.detection.checkpoint import load_checkpoint
    from edgecam.nn.detection.evaluation.predict import onnx_predict, torch_predict

    predict, card = onnx_predict(trained / "tiny.onnx")
    assert card.labels == ("blue", "red")
    assert card.extra["role"] == "fast"
    assert card.seed == 1
    assert set(card.metrics) >= {"AP", "AP50", "AP75"}
    one = cv2.imread(str(trained / "images/3.png"))[None]
    boxes, scores = predict(one)
    expected = torch_predict(load_checkpoint(trained / "run/final.pt")[0])(one)
    assert np.abs(boxes - expected[0]).max() < 1e-4
    assert np.abs(scores - expected[1]).max() < 1e-4


def test_evaluate_command_on_onnx_and_checkpoint(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = str(trained / "val.json")
    assert cli_evaluate.main(
        [str(trained / "tiny.onnx"), "--data", data, "--pictures", str(tmp_path / "report")]
    ) == 0  # fmt: skip
    first = capsys.readouterr().out
    assert "16 pictures" in first
    assert "8 boxes" in first
    assert {p.name for p in (tmp_path / "report").iterdir()} == {
        "pr.png",
        "confusion.png",
        "sheet.jpg",
        "worst.jpg",
    }
    assert cli_evaluate.main([str(trained / "run/final.pt"), "--data", data]) == 0
    second = capsys.readouterr().out
    assert first.splitlines()[2].split()[:4] == second.splitlines()[2].split()[:4]


def test_an_onnx_file_is_evaluated(trained: Path, tmp_path: Path) -> None:
    from edgecam.nn.detection.data import find_annotations
    from edgecam.nn.detection.export import evaluate_file

    truth = find_annotations(trained, "val")
    report = evaluate_file(trained / "tiny.onnx", truth, tmp_path, lambda _what, _done, _of: None)[1]
    assert report.figures["AP50"] >= 0


@pytest.mark.parametrize(
    ("argv", "error", "words"),
    [
        (["--data", "{t}", "--out", "{t}/r", "--recipe", "nonsense"], ConfigError, "no recipe 'nonsense'"),
        (["--data", "{t}/none", "--out", "{t}/r"], ConfigError, "no labelled pictures"),
        (["--data", "{t}", "--out", "{t}/r", "--from", "{t}/x.pt"], ConfigError, "no such file"),
        (["--data", "{t}", "--out", "{t}/r", "--lr", "-1"], ConfigError, "--lr -1.0 must be more"),
        (["--data", "{t}", "--out", "{t}/r", "--resolution", "9"], ConfigError, "--resolution 9"),
    ],
)
def test_train_command_refuses_in_one_sentence(trained: Path, argv: Any, error: Any, words: Any) -> None:
    with pytest.raises(error, match=words):
        cli_train.main([a.replace("{t}", str(trained)) for a in argv])


@pytest.mark.parametrize(
    ("argv", "error", "words"),
    [
        (["{t}/none.onnx", "--data", "{t}"], ModelError, "no model file"),
        (["{t}/tiny.onnx", "--data", "{t}/none"], ConfigError, "no labelled pictures"),
        (["{t}/tiny.onnx", "--data", "{t}", "--nms-iou", "2"], ConfigError, "--nms-iou 2.0"),
    ],
)
def test_evaluate_command_refuses_in_one_sentence(trained: Path, argv: Any, error: Any, words: Any) -> None:
    with pytest.raises(error, match=words):
        cli_evaluate.main([a.replace("{t}", str(trained)) for a in argv])


@pytest.mark.parametrize("command", [cli_train, cli_evaluate])
def test_help_teaches(command: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(["--help"])
    out = capsys.readouterr().out
    assert "examples:" in out
    assert "COCO" in out


def test_thresholds_for_a_precision() -> None:
    from edgecam.nn.detection.evaluation.calibrate import at_precision
    from edgecam.nn.detection.evaluation.matching import ClassMatches

    scores = np.linspace(0.9, 0.0, 10, dtype=np.float32)
    hits = np.array([1, 1, 1, 1, 0, 1, 0, 0, 0, 0], bool)
    few = np.array([1, 1, 0, 0, 0, 0, 0, 0, 0, 0], bool)
    matches = [ClassMatches(scores, hits, 6), ClassMatches(scores, few, 2), ClassMatches(scores, ~hits, 5)]
    assert at_precision(matches, ["a", "few", "poor"]) == {"a": pytest.approx(0.4, abs=1e-3)}
