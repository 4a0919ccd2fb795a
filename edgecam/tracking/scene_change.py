"""Is this still the same scene? Hard cuts, and cross-fades while they last.

Each picture is reduced to a few hundred grey cells, which cost some ten microseconds. A *cut* is a picture
that has nothing to do with the one before, although those before it had. A *fade* shows in several pictures:
nearly every cell changes, steadily in one direction, and neither a lamp (gain, offset, curve) nor a camera
that moves (the cells' gradients: shift, turn and zoom) explains it.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from edgecam.core.types import Frame, Image

SceneState = Literal["same", "cut", "fade"]

#: Every so many pixels of every so many rows are looked at, and averaged over cells of this grid.
STRIDE, GRID_WH = 16, (24, 14)
#: Pictures are compared within this time; a longer gap is a new beginning anyway.
LONGEST_GAP_NS = 1_000_000_000
#: A cut: the correlation with the picture before is below the first, and by the second below what it was
#: among the pictures before, whichever way a camera was pushed by some cells; and beyond gain and offset at
#: least this many grey levels remain, all over the picture.
CUT_CORRELATION, CUT_DROP, CUT_LEVELS, SHIFT = 0.55, 0.3, 12.0, 2
#: A fade is looked for over so long and at least so many pictures.
FADE_NS, FADE_PICTURES = 170_000_000, 4
#: What a lamp (gain, offset, curve) leaves unexplained: at least so many levels (root mean square), in so
#: many cells (those above half of that); a moving camera may explain at most this share of it.
FADE_LEVELS, HALF_SHARE, MOTION_SHARE = 6.0, 0.45, 0.5
#: In a fade, each picture on the way is a blend of the first and the last: at most this share of the change
#: is off it, and the blend goes on with time: off by at most this share of an even step.
OFF_BLEND, UNEVEN = 0.06, 0.3
#: A fade goes on for so long after it was last seen for sure.
HOLD_NS = 120_000_000


class SceneChange:
    """Watches one source. ``look`` at every frame that is detected on, in their order, by one thread."""

    def __init__(self) -> None:
        self._past: deque[tuple[int, NDArray[np.float32]]] = deque(maxlen=16)
        self._likeness: deque[float] = deque(maxlen=4)
        self._fading_ns: int | None = None

    def reset(self) -> None:
        """Nothing was seen before."""
        self._past.clear()
        self._likeness.clear()
        self._fading_ns = None

    def look(self, frame: Frame) -> SceneState:
        """What became of the scene with ``frame``: the same, another (its first picture), or on the way."""
        now, cells = frame.timeline_ns, _cells(frame.image)
        past = self._past
        if past and (past[-1][1].shape != cells.shape or not 0 < now - past[-1][0] <= LONGEST_GAP_NS):
            self.reset()
        if not past:
            past.append((now, cells))
            return "same"
        before = past[-1][1]
        past.append((now, cells))
        change = cells - before
        if float(np.abs(change).max()) < FADE_LEVELS:  # a still scene: nothing more to work out
            self._likeness.append(1.0)
        else:
            likeness = _likeness(before, cells)
            usual = min(self._likeness, default=1.0)
            self._likeness.append(likeness)
            unlike = likeness < min(CUT_CORRELATION, usual - CUT_DROP)
            if unlike and _everywhere(before, cells) and not _shifted(before, cells):
                self.reset()
                past.append((now, cells))
                return "cut"
        if self._fades(now):
            self._fading_ns = now
        return "fade" if self._fading_ns is not None and now - self._fading_ns <= HOLD_NS else "same"

    def _fades(self, now: int) -> bool:
        window = [one for one in self._past if now - one[0] <= FADE_NS]
        if len(window) < FADE_PICTURES:
            window = list(self._past)[-FADE_PICTURES:]
        if len(window) < FADE_PICTURES:
            return False
        (since, first), (_, last) = window[0], window[-1]
        if float(np.abs(last - first).mean()) < FADE_LEVELS / 2:
            return False
        lamp = [first, first * first / 255.0, np.ones_like(first)]
        rest = _unexplained(last, lamp)
        level = float(np.sqrt(np.mean(rest**2)))
        if level < FADE_LEVELS or float(np.mean(np.abs(rest) > 0.5 * level)) < HALF_SHARE:
            return False
        whole = last - first
        total = float(np.sum(whole**2))
        for at, cells in window[1:-1]:
            step = cells - first
            part = float(np.sum(step * whole)) / total
            even = (at - since) / (now - since)
            if abs(part - even) * (len(window) - 1) > UNEVEN:
                return False
            if float(np.sum((step - part * whole) ** 2)) > OFF_BLEND * total:
                return False
        moved = _unexplained(last, [*lamp, *_motions(((first + last) / 2).astype(np.float32))])
        return float(np.mean(moved**2)) > (1 - MOTION_SHARE) * level**2


def _cells(image: Image) -> NDArray[np.float32]:
    few = np.ascontiguousarray(image[STRIDE // 2 :: STRIDE, STRIDE // 2 :: STRIDE, 1])
    small = cv2.resize(few, GRID_WH, interpolation=cv2.INTER_AREA)
    return small.astype(np.float32)


def _likeness(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Correlation of two pictures; one without any contrast is like nothing but its own kind."""
    da, db = a - a.mean(), b - b.mean()
    va, vb = float(np.sum(da * da)), float(np.sum(db * db))
    if min(va, vb) < 1.0 * a.size:
        return 0.0 if max(va, vb) > 25.0 * a.size else 1.0
    return float(np.sum(da * db)) / math.sqrt(va * vb)


def _everywhere(a: NDArray[np.float32], b: NDArray[np.float32]) -> bool:
    """Whether ``b`` differs from ``a``, beyond gain and offset, in most of the picture."""
    rest = np.abs(_unexplained(b, [a, np.ones_like(a)]))
    level = float(np.sqrt(np.mean(rest**2)))
    return level >= CUT_LEVELS and float(np.mean(rest > 0.5 * level)) >= HALF_SHARE


def _shifted(a: NDArray[np.float32], b: NDArray[np.float32]) -> bool:
    """Whether ``b`` is ``a`` seen by a camera that was pushed: a shift by a few cells makes them alike."""
    best = cv2.matchTemplate(a, b[SHIFT:-SHIFT, SHIFT:-SHIFT], cv2.TM_CCOEFF_NORMED).max()
    return float(best) >= CUT_CORRELATION


def _unexplained(last: NDArray[np.float32], by: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """``last`` less its best fit by the pictures ``by``."""
    basis = np.stack([one.reshape(-1) for one in by], axis=1)
    normal = basis.T @ basis + 1e-3 * np.eye(basis.shape[1], dtype=np.float32)
    weights = np.linalg.solve(normal, basis.T @ last.reshape(-1))
    rest: NDArray[np.float32] = last.reshape(-1) - basis @ weights
    return rest


def _motions(cells: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """How ``cells`` change where the camera shifts, turns or zooms a little."""
    down = np.gradient(cells, axis=0)
    right = np.gradient(cells, axis=1)
    high, wide = cells.shape
    y = np.linspace(-1, 1, high, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, wide, dtype=np.float32)[None, :]
    return [right, down, x * right + y * down, y * right - x * down, x * right - y * down]
