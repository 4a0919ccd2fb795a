"""Predict boxes and the speed of their edges: constant-velocity Kalman filters, all tracks at once.

Each box edge has a filter of its own (position, velocity). So when a box enters at the picture's border, that
edge stays still while the others move. Noise is a share of the box's size, so one setting fits near and far
objects.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Tuned on ../shared/data/videos and on synthetic truth (docs/adr/0003-tracker.md).
#: Standard deviation of a detector's edge, in box sizes (the root of its area).
MEASURED = 0.035
#: Standard deviation of an edge's acceleration, in box sizes per second squared.
ACCELERATION = 2.0
#: Standard deviation of a new track's velocity, in box sizes per second.
START_SPEED = 1.5
#: A velocity is believed if it exceeds this many of its standard deviations.
BELIEVED = 2.5
#: Beyond this many standard deviations, an innovation means a new course: trust the picture more.
SURPRISE = 3.0


class Motion:
    """Positions (T, 4) xyxy pixels, velocities (T, 4) pixels/s, and their covariance per edge."""

    def __init__(self) -> None:
        self.xyxy = np.empty((0, 4))
        self.velocity = np.empty((0, 4))
        # (3, T, 4): variance of the position, covariance with the velocity, variance of the velocity
        self._spread = np.empty((3, 0, 4))

    def _area(self) -> NDArray[np.float64]:
        """(T, 1) areas, the squares of the boxes' sizes."""
        wide_high = np.maximum(self.xyxy[:, 2:] - self.xyxy[:, :2], 1.0)
        return wide_high[:, :1] * wide_high[:, 1:]

    def add(self, xyxy: NDArray[np.float32]) -> None:
        """Append tracks at (K, 4); their velocity is unknown."""
        known = len(self.xyxy)
        self.xyxy = np.concatenate([self.xyxy, xyxy])
        self.velocity = np.concatenate([self.velocity, np.zeros(xyxy.shape)])
        spread = np.zeros((3, *xyxy.shape))
        spread[::2] = self._area()[known:]
        spread[0] *= MEASURED**2
        spread[2] *= START_SPEED**2
        self._spread = np.concatenate([self._spread, spread], axis=1)

    def keep(self, mask: NDArray[np.bool_]) -> None:
        """Forget the tracks where ``mask`` (T,) is False."""
        self.xyxy, self.velocity, self._spread = self.xyxy[mask], self.velocity[mask], self._spread[:, mask]

    def predict(self, dt_s: float) -> None:
        """Move all tracks on by ``dt_s`` seconds."""
        noise = self._area() * (ACCELERATION * dt_s) ** 2
        self.xyxy = self.xyxy + self.velocity * dt_s
        pp, pv, vv = self._spread
        pp += dt_s * (2 * pv + dt_s * vv)
        pv += dt_s * vv
        self._spread += noise * np.array([dt_s**2 / 4, dt_s / 2, 1.0])[:, None, None]

    def correct(self, rows: NDArray[np.intp], xyxy: NDArray[np.float32], doubt: NDArray[np.float32]) -> None:
        """Tracks ``rows`` were seen at ``xyxy`` (K, 4); ``doubt`` (K,) multiplies the measurement's noise."""
        before = self.xyxy[rows]
        noise = self._area()[rows] * ((MEASURED * doubt) ** 2)[:, None]
        innovation = xyxy - before
        spread = self._spread[:, rows]
        spread *= np.maximum(innovation**2 / ((spread[0] + noise) * SURPRISE**2), 1.0)
        gain = spread[:2] / (spread[0] + noise)
        step = gain * innovation
        moved = before + step[0]
        inside_out = (moved[:, 2] <= moved[:, 0]) | (moved[:, 3] <= moved[:, 1])
        if np.count_nonzero(inside_out):  # a tiny box, whose edges were filtered past one another
            moved[inside_out] = xyxy[inside_out]
        self.xyxy[rows] = moved
        self.velocity[rows] += step[1]
        spread[2] -= gain[1] * spread[1]
        spread[:2] *= 1 - gain[0]
        self._spread[:, rows] = spread

    def slow(self, rows: NDArray[np.intp], factor: float) -> None:
        """Slow unseen tracks down, so that a wrong prediction does not run away."""
        self.velocity[rows] *= factor

    def believed_velocity(self) -> NDArray[np.float32]:
        """(T, 4) pixels/s; zero for boxes of which no edge moves with certainty."""
        sure = np.abs(self.velocity) > BELIEVED * np.sqrt(self._spread[2])
        moves = np.logical_or.reduce(sure, axis=1, keepdims=True)
        return np.where(moves, self.velocity, 0.0).astype(np.float32)
