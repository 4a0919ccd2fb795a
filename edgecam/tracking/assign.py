"""Assign detections to tracks: the assignment with the greatest total affinity."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_Pairs = tuple[NDArray[np.intp], NDArray[np.intp]]


def assign(affinity: NDArray[np.float32], least: float) -> _Pairs:
    """Pairs (rows, columns) of ``affinity`` (T ≥ 1, D ≥ 1) with the greatest sum, each at least ``least``.

    ``least`` is above 0. If a pair's affinity is at least that of the best other pair in its row plus the
    best other pair in its column, it belongs to a best assignment and is taken at once. In most frames this
    settles all pairs. The rest is solved by the Hungarian method.
    """
    if min(affinity.shape) == 1:  # one of either kind: the best of the others
        best = affinity.argmax()
        if affinity.flat[best] < least:
            return np.empty(0, np.intp), np.empty(0, np.intp)
        row, column = divmod(int(best), affinity.shape[1])
        return np.array([row]), np.array([column])
    allowed = affinity >= least
    rows, columns = allowed.nonzero()
    if len(set(rows.tolist())) == len(set(columns.tolist())) == len(rows):  # nobody contests anything
        return rows, columns
    gain = np.where(allowed, affinity, np.float32(0))  # a forbidden pair is worth as much as none
    favourite = gain.argmax(axis=1)
    rows = np.flatnonzero(gain.argmax(axis=0)[favourite] == np.arange(len(gain)))
    columns = favourite[rows]
    value = gain[rows, columns]
    others = gain.copy()
    others[rows, columns] = 0
    sure = (value > 0) & (value >= others.max(axis=1)[rows] + others.max(axis=0)[columns])
    rows, columns = rows[sure], columns[sure]
    open_row = np.asarray(gain.max(axis=1) > 0)
    open_column = np.asarray(gain.max(axis=0) > 0)
    open_row[rows] = False
    open_column[columns] = False
    if not (open_row.any() and open_column.any()):
        return rows, columns
    knot_rows, knot_columns = np.flatnonzero(open_row), np.flatnonzero(open_column)
    knot = gain[np.ix_(knot_rows, knot_columns)]
    if len(knot_rows) <= len(knot_columns):
        left, right = _hungarian((-knot).tolist())
    else:
        right, left = _hungarian((-knot.T).tolist())
    real = knot[left, right] > 0
    return (
        np.concatenate([rows, knot_rows[left][real]]),
        np.concatenate([columns, knot_columns[right][real]]),
    )


def _hungarian(cost: list[list[float]]) -> tuple[list[int], list[int]]:
    """Cheapest complete assignment of the n rows of ``cost`` to its m ≥ n columns; O(n²m).

    Shortest augmenting paths with potentials. In plain lists: problems are small, NumPy's overhead is not.
    """
    n, m = len(cost), len(cost[0])
    row_price, column_price = [0.0] * (n + 1), [0.0] * (m + 1)
    owner = [n] * (m + 1)  # the row of each column, n for none; column m is where each search starts
    for row in range(n):
        owner[m] = row
        column = m
        shortest = [float("inf")] * m
        before = [m] * m
        free = set(range(m))
        used = [m]
        while owner[column] != n:
            taker = owner[column]
            base = row_price[taker]
            for target in free:
                reach = cost[taker][target] - base - column_price[target]
                if reach < shortest[target]:
                    shortest[target] = reach
                    before[target] = column
            following = min(free, key=lambda target: (shortest[target], target))
            step = shortest[following]
            for visited in used:
                row_price[owner[visited]] += step
                column_price[visited] -= step
            for target in free:
                shortest[target] -= step
            free.discard(following)
            used.append(following)
            column = following
        while column != m:
            owner[column] = owner[before[column]]
            column = before[column]
    pairs = [(owner[column], column) for column in range(m) if owner[column] != n]
    return [row for row, _ in pairs], [column for _, column in pairs]
