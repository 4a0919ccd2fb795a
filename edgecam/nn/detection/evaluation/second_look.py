"""What further pictures say of display thresholds that were chosen on others: they raise some, lower none."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgecam.nn.detection.evaluation.judged import Judged
from edgecam.nn.detection.evaluation.shown import HIGHEST, TARGET


def contradicted(
    show: NDArray[np.float64], judged: Sequence[Judged], target: float = TARGET
) -> tuple[NDArray[np.float64], frozenset[int]]:
    """The thresholds ``show`` (C,), raised where further pictures contradict them; and the classes concerned.

    judged: detections in pictures that the thresholds were not chosen on. If less than ``target`` of a
    class's detections there are right, its threshold rises until enough are, until none is left, or to
    :data:`HIGHEST`. From then on these pictures are no independent test of that class.
    """
    raised, those = show.copy(), set()
    for c, one in enumerate(judged):
        while above := [right for score, right, _ in one.looks if score >= raised[c]]:
            if sum(above) >= target * len(above) or raised[c] >= HIGHEST:
                break
            raised[c] = round(raised[c] + 0.005, 3)
            those.add(c)
    return raised, frozenset(those)


def never_right(show: NDArray[np.float64], judged: Sequence[Judged]) -> frozenset[int]:
    """The classes of which scenes hold enough boxes, and of which no detection above ``show`` (C,) is right.

    A small network that finds no bottle in a room may still call a car on a street one: whatever such a class
    shows is wrong. judged: detections in pictures that the thresholds were not chosen on.
    """
    return frozenset(
        c
        for c, one in enumerate(judged)
        if one.in_scenes() and not any(right for score, right, _ in one.looks if score >= show[c])
    )
