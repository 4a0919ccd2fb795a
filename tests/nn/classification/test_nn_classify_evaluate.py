"""The figures of a classifier, on answers whose figures are known."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("torch")

from edgecam.core.errors import ConfigError
from edgecam.nn.classification import evaluate as classification_evaluate
from edgecam.nn.classification.data import read_folders
from edgecam.nn.classification.evaluate import (
    calibration_error,
    draw_confusion,
    evaluate,
    judge,
    open_labelled,
)
from edgecam.nn.training.charts import MOST_CLASSES, plot_curves

LABELS = ("a", "b", "c", "d", "e", "f", "g")


def answers(rows: list[list[int]]) -> np.ndarray:
    """Probabilities that rank the classes as each row says."""
    table = np.zeros((len(rows), len(LABELS)), np.float32)
    for row, order in zip(table, rows, strict=True):
        row[order] = np.linspace(1, 0.4, len(order))
    return np.asarray(table / table.sum(1, keepdims=True))


def test_top_one_top_five_and_confusion() -> None:
    probabilities = answers([[0, 1, 2, 3, 4], [1, 0, 2, 3, 4], [1, 2, 3, 4, 5], [6, 0, 1, 2, 3]])
    report = judge(probabilities, np.array([0, 0, 0, 6]), LABELS)
    assert report.top1 == 50.0
    assert report.top5 == 75.0
    assert report.per_class == {"a": 33.3, "g": 100.0}
    assert report.mean_per_class == 66.65
    assert report.worst_confusions() == [("a", "b", 2)]
    assert report.pictures == 4


def test_calibration_error_of_the_sure_and_the_honest() -> None:
    right = np.array([True, False] * 50)
    assert calibration_error(np.full(100, 0.5, np.float32), right) == pytest.approx(0.0)
    assert calibration_error(np.full(100, 1.0, np.float32), right) == pytest.approx(0.5)


@pytest.fixture
def colours(tmp_path: Path) -> Path:
    for label, bgr in (("b", (255, 0, 0)), ("g", (0, 255, 0))):
        (tmp_path / label).mkdir()
        for number in range(3):
            cv2.imwrite(str(tmp_path / label / f"{number}.png"), np.full((8, 9, 3), bgr, np.uint8))
    return tmp_path


def test_labels_are_matched_by_name_not_by_order(colours: Path) -> None:
    def by_colour(image: np.ndarray) -> np.ndarray:
        blue, green = image[..., 0].mean(), image[..., 1].mean()
        return np.array([0.0, green, 0.0, blue], np.float32) / 255

    report = evaluate(by_colour, ("x", "g", "y", "b"), read_folders(colours))
    assert report.top1 == 100.0
    with pytest.raises(ConfigError, match="does not know 1 of the data's 2 classes"):
        evaluate(by_colour, ("x", "y", "z", "b"), read_folders(colours))


def test_open_labelled_says_what_it_wants(colours: Path) -> None:
    assert open_labelled(colours).labels == ("b", "g")
    with pytest.raises(ConfigError, match="does not exist"):
        open_labelled(colours / "nowhere")


def _blue(path: Path) -> np.ndarray:
    """Where a picture is as blue as a full cell of the matrix."""
    image = cv2.imread(str(path))
    assert image is not None
    blue, red = image[..., 0].astype(int), image[..., 2].astype(int)
    return np.asarray((blue - red > 60) & (blue < 140))


def test_the_confusion_picture_has_its_diagonal(tmp_path: Path) -> None:
    report = judge(np.eye(7, dtype=np.float32), np.arange(7), LABELS)
    draw_confusion(report, tmp_path / "confusion.png", "seven")
    full = np.argwhere(_blue(tmp_path / "confusion.png"))
    (top, left), (bottom, right) = full.min(0), full.max(0) + 1
    cells = ((full - [top, left]) * 7 // [bottom - top, right - left]).tolist()
    inside = sum(row == column for row, column in cells) / len(cells)
    assert inside > 0.9  # the rest are the pixels of the cells' edges


def test_of_many_classes_those_with_mistakes_are_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[tuple[np.ndarray, list[str]]] = []

    def keep(path: Path, table: np.ndarray, names: list[str], title: str) -> None:
        shown.append((table, names))

    monkeypatch.setattr(classification_evaluate, "plot_confusion", keep)
    count = MOST_CLASSES + 5
    answers = np.eye(count, dtype=np.float32)
    answers[count - 1] = answers[count - 2]  # the last class is taken for the one before
    report = judge(answers, np.arange(count), tuple(f"c{i}" for i in range(count)))
    draw_confusion(report, tmp_path / "confusion.png", "many")
    table, names = shown[0]
    assert names[-3:] == [f"c{count - 2}", f"c{count - 1}", "(5 others)"]
    assert table.sum() == count
    assert table[-2, -3] == 1
    assert table[-1, -1] == 5


def test_curves_fall_where_the_sure_are_wrong(tmp_path: Path) -> None:
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4]], np.float32)
    report = judge(probabilities, np.array([0, 1, 1, 0]), ("a", "b"))
    every, a, b = report.curves()
    assert (every.total, a.total, b.total) == (4, 2, 2)
    np.testing.assert_allclose(a.precision, [1, 1 / 2, 2 / 3, 1 / 2])
    np.testing.assert_allclose(a.recall, [1 / 2, 1 / 2, 1, 1])
    np.testing.assert_allclose(b.precision, [1, 1 / 2, 2 / 3, 1 / 2])
    np.testing.assert_allclose(every.precision, [1, 1 / 2, 2 / 3, 3 / 4])
    plot_curves(tmp_path / "pr.png", report.curves(), "two")
    assert cv2.imread(str(tmp_path / "pr.png")) is not None
