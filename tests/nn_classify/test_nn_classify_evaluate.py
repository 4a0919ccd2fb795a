"""The figures of a classifier, on answers whose figures are known."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("torch")

from edgecam.errors import ConfigError
from edgecam.nn.classification_data import read_folders
from edgecam.nn.classification_evaluate import (
    calibration_error,
    draw_confusion,
    evaluate,
    judge,
    open_labelled,
)

LABELS = ("a", "b", "c", "d", "e", "f", "g")


def answers(rows: list[list[int]]) -> np.ndarray:
    """Probabilities that rank the classes as each row says."""
    table = np.zeros((len(rows), len(LABELS)), np.float32)
    for row, order in zip(table, rows, strict=True):
        row[order] = np.linspace(1, 0.4, len(order))
    return table / table.sum(1, keepdims=True)


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


def test_the_confusion_picture_has_its_diagonal(tmp_path: Path) -> None:
    report = judge(np.eye(7, dtype=np.float32), np.arange(7), LABELS)
    draw_confusion(report, tmp_path / "confusion.png")
    image = cv2.imread(str(tmp_path / "confusion.png"))
    assert image is not None
    cells = image[170:, 170:]
    side = cells.shape[0] // 7
    middles = cells[side // 2 :: side, side // 2 :: side].astype(int).sum(2)
    assert middles.shape == (7, 7)
    assert np.diag(middles).min() > middles[~np.eye(7, dtype=bool)].max()
    assert (image[:170, 170:] < 100).any()  # column names
    assert (image[170:, :170] < 100).any()  # row names


def test_the_names_of_the_columns_stand_over_their_columns(tmp_path: Path) -> None:
    report = judge(np.eye(3, dtype=np.float32), np.arange(3), ("mmmmmmmmm", ".", "."))
    draw_confusion(report, tmp_path / "confusion.png")
    image = cv2.imread(str(tmp_path / "confusion.png"))
    assert image is not None
    header, side = image[:170, 170:] < 128, (image.shape[1] - 170) // 3
    ink = [int(header[:, i * side : (i + 1) * side].sum()) for i in range(3)]
    assert ink[0] > 5 * max(ink[1:])
    assert header[-20:].any()  # they begin at the matrix
