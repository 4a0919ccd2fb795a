"""What the default detector finds and misses on photographs that it was not chosen for."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
from shots import ROOT, edgecam, save
from stage import MATERIAL, Picture

#: What is in each photograph, of what the model's 80 labels name; no label names a pig or an elk.
TRUTH: dict[str, dict[str, int]] = {
    "astronaut": {"person": 1},
    "cat": {"cat": 1},
    "dog": {"dog": 1},
    "sheep": {"sheep": 1},
    "cow": {"cow": 3},
    "horse": {"horse": 5},
    "coffee": {"cup": 1, "spoon": 1},
    "chicken": {"bird": 4},
    "duck": {"bird": 1},
    "owl": {"bird": 1},
    "pig": {},
    "moose": {},
}
_TILE_WH, _FOOT, _COLUMNS = (300, 225), 44, 4


def _photograph(name: str) -> Path:
    own = ROOT / "edgecam/capture/generated/photographs" / f"{name}.jpg"
    return own if own.exists() else MATERIAL / f"{name}.jpg"


def told(truth: dict[str, int], found: Counter[str]) -> tuple[str, str]:
    """Two short lines: what was found of what is there, and what is wrong."""
    first = ", ".join(f"{label} {min(found[label], n)} of {n}" for label, n in truth.items())
    wrong = [f"{n} x {label}" for label, n in (found - Counter(truth)).items()]
    return first or "nothing with a label", f"wrong: {', '.join(wrong)}" if wrong else ""


def _tile(picture: Picture, lines: tuple[str, str]) -> Picture:
    wide, high = _TILE_WH
    scale = max(wide / picture.shape[1], high / picture.shape[0])
    fitted = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    left, top = (fitted.shape[1] - wide) // 2, (fitted.shape[0] - high) // 2
    tile = np.full((high + _FOOT, wide, 3), 28, np.uint8)
    tile[:high] = fitted[top : top + high, left : left + wide]
    for number, (line, colour) in enumerate(zip(lines, ((230, 226, 220), (90, 120, 250)), strict=True)):
        at = (8, high + 17 + 18 * number)
        cv2.putText(tile, line, at, cv2.FONT_HERSHEY_SIMPLEX, 0.48, colour, 1, cv2.LINE_AA)
    return tile


def finds_and_misses(folder: Path) -> None:
    tiles = []
    for name, truth in TRUTH.items():
        target = folder / f"{name}.png"
        photograph = str(_photograph(name))
        said = edgecam(folder, "try", photograph, "--terminal", "off", "--output", str(target))
        found = Counter(re.findall(r"^  (\S.*?) +0\.\d\d  ", said, re.MULTILINE))
        picture = cv2.imread(str(target))
        assert picture is not None
        tiles.append(_tile(np.asarray(picture, np.uint8), told(truth, found)))
    rows = [np.hstack(tiles[n : n + _COLUMNS]) for n in range(0, len(tiles), _COLUMNS)]
    save("models-find-and-miss", np.vstack(rows), 70)
