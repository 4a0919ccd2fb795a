"""Which track is which detection: the assignment of greatest total affinity."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def assign(affinity: NDArray[np.float32], least: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pairs (rows, columns) of ``affinity`` (T, D) with the greatest sum, each at least ``least``.

    Pairs that compete with no other are taken at once; only knots go through the Hungarian method.
    """
    allowed = affinity >= least
    row_count, column_count = allowed.sum(axis=1), allowed.sum(axis=0)
    lonely = allowed & (row_count == 1)[:, None] & (column_count == 1)
    rows, columns = np.nonzero(lonely)
    knot_rows = np.flatnonzero((row_count > 0) & ~lonely.any(axis=1))
    if len(knot_rows) == 0:
        return rows, columns
    knot_columns = np.flatnonzero((column_count > 0) & ~lonely.any(axis=0))
    knot = affinity[np.ix_(knot_rows, knot_columns)]
    gain = np.where(knot >= least, knot, 0.0)  # a forbidden pair is worth as much as no pair
    left, right = _hungarian(-gain) if len(knot_rows) <= len(knot_columns) else _hungarian(-gain.T)[::-1]
    real = gain[left, right] > 0
    return (
        np.concatenate([rows, knot_rows[left[real]]]),
        np.concatenate([columns, knot_columns[right[real]]]),
    )


def _hungarian(cost: NDArray[np.floating]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Cheapest complete assignment of the rows of ``cost`` (n, m), n ≤ m, by augmenting paths; O(n²m)."""
    n, m = cost.shape
    row_price, column_price = np.zeros(n + 1), np.zeros(m + 1)
    owner = np.full(m + 1, n)  # row of each column; n: none. Column m is where each search starts
    for row in range(n):
        owner[m] = row
        column = m
        shortest = np.full(m, np.inf)
        before = np.full(m, m)
        used = np.zeros(m + 1, bool)
        while owner[column] != n:
            used[column] = True
            free = ~used[:m]
            reach = cost[owner[column]] - row_price[owner[column]] - column_price[:m]
            better = free & (reach < shortest)
            shortest[better] = reach[better]
            before[better] = column
            following = int(np.argmin(np.where(free, shortest, np.inf)))
            step = shortest[following]
            row_price[owner[used]] += step
            column_price[used] -= step
            shortest[free] -= step
            column = following
        while column != m:
            owner[column] = owner[before[column]]
            column = before[column]
    columns = np.flatnonzero(owner[:m] != n)
    rows = owner[columns]
    return rows, columns
