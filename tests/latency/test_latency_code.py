"""The code survives what a camera does to it, and nothing else reads as one."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from edgecam.core.types import Image
from edgecam.latency.code import CELLS, CODES, CodeReader, draw


def scene(code: Image, corners: list[tuple[float, float]], wh: tuple[int, int] = (640, 480)) -> Image:
    """The code on a grey wall, its corners where given; BGR."""
    side = code.shape[0]
    source = np.array([[0, 0], [side, 0], [side, side], [0, side]], np.float32)
    turn = cv2.getPerspectiveTransform(source, np.array(corners, np.float32))
    grey = cv2.warpPerspective(code, turn, wh, borderValue=(110,))
    return cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)  # type: ignore[return-value]


SQUARE = [(200.0, 100.0), (440.0, 100.0), (440.0, 340.0), (200.0, 340.0)]
ASKEW = [(180.0, 80.0), (430.0, 130.0), (400.0, 380.0), (150.0, 330.0)]


def test_every_code_is_read_and_differs() -> None:
    reader = CodeReader()
    assert [reader.read(scene(draw(i, 270), SQUARE)) for i in range(CODES)] == list(range(CODES))


@pytest.mark.parametrize("turned", range(4))
@pytest.mark.parametrize("mirrored", [False, True])
def test_it_is_read_askew_turned_and_mirrored(turned: Any, mirrored: Any) -> None:
    image = scene(draw(77, 270), ASKEW[turned:] + ASKEW[:turned])
    if mirrored:
        image = np.ascontiguousarray(image[:, ::-1])
    assert CodeReader().read(image) == 77


@pytest.mark.parametrize("light", [(0.25, 20), (0.5, 120), (1.0, 0)])
def test_it_is_read_blurred_noisy_dim_and_compressed(light: Any) -> None:
    image = cv2.GaussianBlur(scene(draw(201, 270), ASKEW), (7, 7), 0)
    noise = np.random.default_rng(1).normal(0, 8, image.shape)
    image = np.clip(image * light[0] + light[1] + noise, 0, 255).astype(np.uint8)
    image = cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 50])[1], cv2.IMREAD_COLOR)  # type: ignore[assignment]
    assert CodeReader().read(image) == 201


def test_a_large_picture_is_read_small() -> None:
    wh = (1920, 1080)
    corners = [(x * 2.5, y * 2.2) for x, y in ASKEW]
    assert CodeReader().read(scene(draw(5, 900), corners, wh)) == 5


@pytest.mark.parametrize("value", range(0, 40, 5))
def test_a_change_within_a_picture_reads_as_one_of_both_or_none(value: Any) -> None:
    before, after = scene(draw(value, 270), SQUARE), scene(draw(value + 1, 270), SQUARE)
    reader = CodeReader()
    assert reader.read(before) == value
    for share in (0.2, 0.4, 0.5, 0.6, 0.8):  # an exposure over the change
        blend = cv2.addWeighted(before, 1 - share, after, share, 0)
        assert reader.read(blend) in (value, value + 1, None)  # type: ignore[arg-type]
    assert reader.read(cv2.addWeighted(before, 0.2, after, 0.8, 0)) == value + 1  # type: ignore[arg-type]
    for row in range(120, 330, 15):  # a rolling shutter
        rolled = np.vstack([after[:row], before[row:]])
        assert reader.read(rolled) in (value, value + 1, None)


def test_nothing_reads_as_nothing() -> None:
    reader = CodeReader()
    rng = np.random.default_rng(3)
    assert reader.read(np.zeros((480, 640, 3), np.uint8)) is None
    for _ in range(5):
        assert reader.read(rng.integers(0, 256, (480, 640, 3), np.uint8)) is None
    board = np.kron(np.indices((12, 16)).sum(axis=0) % 2, np.ones((40, 40))).astype(np.uint8) * 255
    assert reader.read(cv2.cvtColor(board, cv2.COLOR_GRAY2BGR)) is None  # type: ignore[arg-type]


def test_the_picture_of_the_picture_is_not_taken_for_the_code() -> None:
    small = [(20.0, 380.0), (110.0, 380.0), (110.0, 470.0), (20.0, 470.0)]
    large, inset = scene(draw(9, 270), SQUARE), scene(draw(8, 270), small)
    both = np.where(inset == 110, large, inset)
    reader = CodeReader()
    assert reader.read(both) == 9
    both[90:350, 190:450] = 110  # the large one cannot be read for a moment
    assert reader.read(both) is None


def test_it_is_found_again_elsewhere() -> None:
    reader = CodeReader()
    assert reader.read(scene(draw(1, 270), SQUARE)) == 1
    moved = [(x + 180, y + 120) for x, y in SQUARE]
    assert reader.read(scene(draw(2, 270), moved)) == 2


def test_drawn_in_whole_cells_with_a_white_margin() -> None:
    code = draw(3, 100)
    cell = 100 // CELLS
    assert code.shape == (cell * CELLS, cell * CELLS)
    assert code[:cell].min() == 255 and code[cell : 2 * cell, cell:-cell].max() == 0
