"""Is this still the same scene? Detects hard cuts, and cross-fades while they last.

Each picture is reduced to a few hundred grey cells, which takes some ten microseconds. A *cut* is a picture
that does not resemble the one before, although the pictures before resembled each other. A *fade* shows over
several pictures: nearly every cell changes steadily in one direction, and neither a lamp (gain, offset,
curve) nor a moving camera (the cells' gradients: shift, turn and zoom) explains the change.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Literal

import cv2
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from edgecam.core.types import Image

SceneState = Literal["same", "cut", "fade"]

#: Of the pixels, one in this many in each direction is read, and they are averaged over cells of this grid.
STRIDE, GRID_WH = 16, (24, 14)
#: Only pictures within this time are compared; after a longer gap the scene begins anew anyway.
LONGEST_GAP_NS = 1_000_000_000
#: A cut, if all of these hold. The correlation with the picture before is below the first value, and lower by
#: the second value than the least among the pictures before. No shift of the camera by up to the last value
#: (cells) makes the two alike. Beyond gain and offset, a difference of at least the third value (grey levels)
#: remains all over the picture.
CUT_CORRELATION, CUT_DROP, CUT_LEVELS, SHIFT = 0.55, 0.3, 12.0, 2
#: A fade is looked for over this time and at least this many pictures.
FADE_NS, FADE_PICTURES = 170_000_000, 4
#: What a lamp (gain, offset, curve) must leave unexplained: at least this many levels (root mean square), in
#: this share of the cells (those above half of that). A moving camera may explain the last share at most.
FADE_LEVELS, HALF_SHARE, MOTION_SHARE = 6.0, 0.45, 0.5
#: In a fade, each picture is a blend of the first and the last: at most the first share of the change
#: deviates from a blend. The blend progresses evenly in time: it deviates by at most the second share of an
#: even step.
OFF_BLEND, UNEVEN = 0.06, 0.3
#: A fade lasts for this long after it was last detected.
HOLD_NS = 120_000_000


class _Picture(Struct, frozen=True):
    """at: time, ns. cells: (14, 24) grey levels; flat: the same as (336,). centred: ``flat`` minus its mean;
    power: the sum of the squares of ``centred``."""

    at: int
    cells: NDArray[np.float32]
    flat: NDArray[np.float32]
    centred: NDArray[np.float32]
    power: float


class SceneChange:
    """Watches one source; implements :class:`edgecam.core.ports.SceneWatch`."""

    def __init__(self) -> None:
        self._past: deque[_Picture] = deque(maxlen=16)
        self._likeness: deque[float] = deque(maxlen=4)
        self._fading_ns: int | None = None

    def reset(self) -> None:
        """Forget all pictures."""
        self._past.clear()
        self._likeness.clear()
        self._fading_ns = None

    def sample(self, image: Image) -> NDArray[np.float32]:
        """(14, 24) grey levels of a picture (H, W, 3)."""
        first_y, first_x = (min(STRIDE // 2, side - 1) for side in image.shape[:2])
        few = np.ascontiguousarray(image[first_y::STRIDE, first_x::STRIDE, 1])
        return cv2.resize(few, GRID_WH, interpolation=cv2.INTER_AREA).astype(np.float32)

    def look(self, sample: NDArray[np.float32], at_ns: int) -> SceneState:
        """The state of the scene in the picture taken at ``at_ns``: the same, a cut (the first picture of
        another scene), or a fade in progress."""
        picture = _picture(sample, at_ns)
        now, past = picture.at, self._past
        if past and not 0 < now - past[-1].at <= LONGEST_GAP_NS:
            self.reset()
        if not past:
            past.append(picture)
            return "same"
        before = past[-1]
        past.append(picture)
        if _most(picture.flat - before.flat) < FADE_LEVELS:  # a still scene: nothing to work out
            self._likeness.append(1.0)
        else:
            likeness = _likeness(before, picture)
            usual = min(self._likeness, default=1.0)
            self._likeness.append(likeness)
            unlike = likeness < min(CUT_CORRELATION, usual - CUT_DROP)
            if (
                unlike
                and _everywhere(before.flat, picture.flat)
                and not _shifted(before.cells, picture.cells)
            ):
                self.reset()
                past.append(picture)
                return "cut"
        if self._fades(now):
            self._fading_ns = now
        return "fade" if self._fading_ns is not None and now - self._fading_ns <= HOLD_NS else "same"

    def _fades(self, now: int) -> bool:
        window = [one for one in self._past if now - one.at <= FADE_NS]
        if len(window) < FADE_PICTURES:
            window = list(self._past)[-FADE_PICTURES:]
        if len(window) < FADE_PICTURES:
            return False
        since, first, last = window[0].at, window[0].flat, window[-1].flat
        whole = last - first
        if _mean(np.abs(whole)) < FADE_LEVELS / 2:
            return False
        # the cheapest test comes first: most movement is no blend
        total = float(whole @ whole)
        steps = []
        for one in window[1:-1]:
            step = one.flat - first
            part = float(step @ whole) / total
            if abs(part - (one.at - since) / (now - since)) * (len(window) - 1) > UNEVEN:
                return False
            steps.append((step, part))
        for step, part in steps:
            if float(np.sum((step - part * whole) ** 2)) > OFF_BLEND * total:
                return False
        lamp = [first, first * first / 255.0, np.ones_like(first)]
        rest = _unexplained(last, lamp)
        level = float(np.sqrt(np.mean(rest**2)))
        if level < FADE_LEVELS or float(np.mean(np.abs(rest) > 0.5 * level)) < HALF_SHARE:
            return False
        between = ((window[0].cells + window[-1].cells) / 2).astype(np.float32)
        moved = _unexplained(last, [*lamp, *_motions(between)])
        return float(np.mean(moved**2)) > (1 - MOTION_SHARE) * level**2


def _mean(flat: NDArray[np.float32]) -> float:
    return float(np.add.reduce(flat)) / len(flat)  # NumPy's own takes three times as long for so few


def _most(change: NDArray[np.float32]) -> float:
    return float(np.maximum.reduce(np.abs(change)))


def _picture(cells: NDArray[np.float32], at_ns: int) -> _Picture:
    flat = cells.reshape(-1)
    centred = flat - np.float32(_mean(flat))
    return _Picture(at_ns, cells, flat, centred, float(centred @ centred))


def _likeness(a: _Picture, b: _Picture) -> float:
    """Correlation of two pictures. A picture without any contrast resembles only others without contrast."""
    count = a.flat.size
    if min(a.power, b.power) < 1.0 * count:
        return 0.0 if max(a.power, b.power) > 25.0 * count else 1.0
    return float(a.centred @ b.centred) / math.sqrt(a.power * b.power)


def _everywhere(a: NDArray[np.float32], b: NDArray[np.float32]) -> bool:
    """Whether ``b`` differs from ``a`` in most of the picture, beyond gain and offset."""
    rest = np.abs(_unexplained(b, [a, np.ones_like(a)]))
    level = float(np.sqrt(np.mean(rest**2)))
    return level >= CUT_LEVELS and float(np.mean(rest > 0.5 * level)) >= HALF_SHARE


def _shifted(a: NDArray[np.float32], b: NDArray[np.float32]) -> bool:
    """Whether ``b`` is ``a`` seen by a shifted camera: a shift by a few cells makes them alike."""
    best = cv2.matchTemplate(a, b[SHIFT:-SHIFT, SHIFT:-SHIFT], cv2.TM_CCOEFF_NORMED).max()
    return float(best) >= CUT_CORRELATION


def _unexplained(last: NDArray[np.float32], by: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """``last`` minus its best fit by the pictures ``by``."""
    basis = np.stack([one.reshape(-1) for one in by], axis=1)
    normal = basis.T @ basis + 1e-3 * np.eye(basis.shape[1], dtype=np.float32)
    weights = np.linalg.solve(normal, basis.T @ last.reshape(-1))
    rest: NDArray[np.float32] = last.reshape(-1) - basis @ weights
    return rest


def _motions(cells: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """How ``cells`` change if the camera shifts, turns or zooms a little."""
    down = np.gradient(cells, axis=0)
    right = np.gradient(cells, axis=1)
    high, wide = cells.shape
    y = np.linspace(-1, 1, high, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, wide, dtype=np.float32)[None, :]
    return [right, down, x * right + y * down, y * right - x * down, x * right - y * down]
