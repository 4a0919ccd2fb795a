"""Where boxes are and how fast their edges move: constant-velocity Kalman filters, all tracks at once.

Each box edge has a filter of its own (position, velocity), so a box that enters at the picture's border keeps
that edge still while the others move. Noise is a part of the box's size, so one setting fits near and far.
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
#: A velocity is believed beyond so many of its standard deviations.
BELIEVED = 2.5
#: An innovation beyond so many standard deviations means the object changed course: trust the picture more.
SURPRISE = 3.0


class Motion:
    """Positions (T, 4) xyxy pixels, velocities (T, 4) pixels/s, and their covariance per edge."""

    def __init__(self) -> None:
        empty = np.empty((0, 4))
        self.xyxy, self.velocity = empty, empty
        self._pp, self._pv, self._vv = empty, empty, empty

    def _size(self) -> NDArray[np.float64]:
        wide = np.maximum(self.xyxy[:, 2] - self.xyxy[:, 0], 1.0)
        high = np.maximum(self.xyxy[:, 3] - self.xyxy[:, 1], 1.0)
        size: NDArray[np.float64] = np.sqrt(wide * high)[:, None]
        return size

    def add(self, xyxy: NDArray[np.float32]) -> None:
        """Append tracks at (K, 4), velocity unknown."""
        self.xyxy = np.concatenate([self.xyxy, xyxy])
        size = np.broadcast_to(self._size()[len(self.velocity) :], xyxy.shape)
        none = np.zeros(xyxy.shape)
        self.velocity = np.concatenate([self.velocity, none])
        self._pp = np.concatenate([self._pp, (MEASURED * size) ** 2])
        self._pv = np.concatenate([self._pv, none])
        self._vv = np.concatenate([self._vv, (START_SPEED * size) ** 2])

    def keep(self, mask: NDArray[np.bool_]) -> None:
        """Forget the tracks where ``mask`` (T,) is False."""
        self.xyxy, self.velocity = self.xyxy[mask], self.velocity[mask]
        self._pp, self._pv, self._vv = self._pp[mask], self._pv[mask], self._vv[mask]

    def predict(self, dt_s: float) -> None:
        """Move all on by ``dt_s`` seconds."""
        noise = (ACCELERATION * self._size()) ** 2 * dt_s**2
        self.xyxy = self.xyxy + self.velocity * dt_s
        self._pp = self._pp + dt_s * (2 * self._pv + dt_s * self._vv) + noise * dt_s**2 / 4
        self._pv = self._pv + dt_s * self._vv + noise * dt_s / 2
        self._vv = self._vv + noise

    def correct(self, rows: NDArray[np.intp], xyxy: NDArray[np.float32], doubt: NDArray[np.float32]) -> None:
        """Tracks ``rows`` were seen at ``xyxy`` (K, 4); ``doubt`` (K,) multiplies the measurement's noise."""
        size = self._size()[rows]
        noise = (MEASURED * size * doubt[:, None]) ** 2
        innovation = xyxy - self.xyxy[rows]
        pp, pv, vv = self._pp[rows], self._pv[rows], self._vv[rows]
        excess = np.maximum(innovation**2 / ((pp + noise) * SURPRISE**2), 1.0)
        pp, pv, vv = pp * excess, pv * excess, vv * excess
        total = pp + noise
        gain_p, gain_v = pp / total, pv / total
        moved = self.xyxy[rows] + gain_p * innovation
        inside_out = (moved[:, 2] <= moved[:, 0]) | (moved[:, 3] <= moved[:, 1])
        moved[inside_out] = xyxy[inside_out]  # a tiny box, whose edges were filtered past one another
        self.xyxy[rows] = moved
        self.velocity[rows] += gain_v * innovation
        self._pp[rows] = (1 - gain_p) * pp
        self._pv[rows] = (1 - gain_p) * pv
        self._vv[rows] = vv - gain_v * pv

    def slow(self, rows: NDArray[np.intp], factor: float) -> None:
        """Unseen tracks lose speed, so a wrong guess does not run away."""
        self.velocity[rows] *= factor

    def believed_velocity(self) -> NDArray[np.float32]:
        """(T, 4) pixels/s; zero for boxes none of whose edges surely moves."""
        sure = np.abs(self.velocity) > BELIEVED * np.sqrt(self._vv)
        return np.where(sure.any(axis=1, keepdims=True), self.velocity, 0.0).astype(np.float32)
