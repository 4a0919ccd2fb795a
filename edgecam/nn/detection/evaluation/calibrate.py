"""One operating point per class, chosen on pictures that were held out of the training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgecam.nn.detection.evaluation.matching import ClassMatches

#: A class's own threshold has the same weight as the common one if the class has this many boxes.
_PSEUDO_BOXES = 20.0
#: Thresholds stay in this range: a lower one floods the screen, a higher one hides rare classes.
_LOWEST, _HIGHEST = 0.15, 0.6


@dataclass(frozen=True)
class Calibration:
    """``thresholds`` by label; ``threshold`` is for classes that are too rare to have their own."""

    threshold: float
    thresholds: dict[str, float]


def best_f1(matches: ClassMatches) -> tuple[float, float]:
    """(score, F1) at which F1 is highest; (0.5, 0) if there is no hit."""
    if not matches.hit.any():
        return 0.5, 0.0
    _, _, recall, precision = matches.curve()
    f1 = 2 * recall * precision / np.maximum(recall + precision, 1e-9)
    # a short running mean keeps one lucky detection from deciding
    width = max(1, min(9, len(f1) // 20))
    smooth = np.convolve(f1, np.ones(width) / width, mode="same")
    best = int(smooth.argmax())
    return float(matches.score[best]), float(f1[best])


def calibrate(matches: Sequence[ClassMatches], labels: Sequence[str]) -> Calibration:
    """The thresholds with the best F1; the rarer a class, the closer its threshold is to the common one."""
    filled = [m for m in matches if m.count]
    order = np.argsort(-np.concatenate([m.score for m in filled] or [np.zeros(0, np.float32)]), kind="stable")
    pooled = ClassMatches(
        np.concatenate([m.score for m in filled] or [np.zeros(0, np.float32)])[order],
        np.concatenate([m.hit for m in filled] or [np.zeros(0, bool)])[order],
        sum(m.count for m in filled),
    )
    common = float(np.clip(best_f1(pooled)[0], _LOWEST, _HIGHEST))
    thresholds = {}
    for label, own in zip(labels, matches, strict=True):
        if own.count >= 3 and own.hit.any():
            share = own.count / (own.count + _PSEUDO_BOXES)
            value = share * best_f1(own)[0] + (1 - share) * common
            thresholds[label] = round(float(np.clip(value, _LOWEST, _HIGHEST)), 3)
    return Calibration(round(common, 3), thresholds)


def at_precision(
    matches: Sequence[ClassMatches], labels: Sequence[str], wanted: float = 0.8, least: int = 5
) -> dict[str, float]:
    """By label, the lowest score from which on at least ``wanted`` of all detections are right.

    Classes with fewer than ``least`` hits are left out, as are those that never reach that precision.
    """
    found = {}
    for label, own in zip(labels, matches, strict=True):
        right = np.cumsum(own.hit) / np.arange(1, len(own.hit) + 1)
        good = np.flatnonzero((right >= wanted) & (np.cumsum(own.hit) >= least))
        if len(good):
            found[label] = round(float(own.score[good[-1]]), 3)
    return found
