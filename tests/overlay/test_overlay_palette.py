from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgecam.overlay.palette import COLOURS, class_colours, luminance, text_on

# Machado, Oliveira, Fernandes 2009, severity 1.0, on linear RGB
SEEN_BY = {
    "all": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.01182, 0.04294, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.3039],
    ],
}
XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.072175], [0.0193339, 0.119192, 0.9503041]]
)


def lab(colours: Any, matrix: Any) -> Any:
    c = np.asarray(colours, float) / 255
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) @ np.asarray(matrix).T
    xyz = np.clip(linear, 0, 1) @ XYZ.T / np.array([0.95047, 1, 1.08883])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], -1)


@pytest.mark.parametrize("eyes", SEEN_BY)
@pytest.mark.parametrize(("first", "apart"), [(8, 16.0), (12, 14.0), (24, 8.0)])
def test_colours_stay_apart(eyes: Any, first: Any, apart: Any) -> None:
    seen = lab(COLOURS[:first], SEEN_BY[eyes])
    distance = np.linalg.norm(seen[:, None] - seen[None], axis=-1) + 1e9 * np.eye(first)
    assert distance.min() >= apart


def test_common_classes_get_the_best_colours_wherever_they_stand() -> None:
    labels = (*(f"thing {i}" for i in range(60)), "person", "car")
    assert class_colours(labels)[-2:] == ((*COLOURS[0], 255), (*COLOURS[1], 255))


def test_up_to_the_palettes_size_no_two_classes_share_a_colour() -> None:
    labels = tuple(f"thing {i}" for i in range(len(COLOURS)))
    assert len(set(class_colours(labels))) == len(labels)


def test_text_on_every_class_colour_has_contrast() -> None:
    for colour in COLOURS:
        a, b = luminance((*colour, 255)), luminance(text_on((*colour, 255)))
        assert (max(a, b) + 0.05) / (min(a, b) + 0.05) >= 4.5
