"""Which detection continues which track."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecam.tracking.assign import assign
from edgecam.tracking.tracks import widened_iou


@settings(deadline=None, max_examples=80)
@given(st.integers(0, 10**6), st.integers(1, 6), st.integers(1, 6))
def test_assignment_is_the_best_there_is(seed: int, rows: int, columns: int) -> None:
    from itertools import permutations

    affinity = np.random.default_rng(seed).random((rows, columns)).astype(np.float32)
    least = 0.35
    left, right = assign(affinity, least)
    assert len(set(left.tolist())) == len(left)
    assert len(set(right.tolist())) == len(right)
    assert (affinity[left, right] >= least).all()
    gain = np.where(affinity >= least, affinity, 0).astype(float)
    gain = gain if rows <= columns else gain.T
    few, many = gain.shape
    best = max(sum(gain[i, p[i]] for i in range(few)) for p in permutations(range(many), few))
    assert affinity[left, right].sum() == pytest.approx(best, abs=1e-4)


def test_widened_iou_is_iou_without_widening() -> None:
    a = np.array([[0, 0, 10, 10], [0, 0, 4, 4]], np.float32)
    b = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30]], np.float32)
    np.testing.assert_allclose(widened_iou(a, b, np.zeros(2)), [[1, 1 / 3, 0], [16 / 100, 0, 0]], atol=1e-6)
    assert widened_iou(a[:1], b[2:], np.array([0.5]))[0, 0] == 0
    assert widened_iou(a[:1], b[2:], np.array([0.75]))[0, 0] > 0
