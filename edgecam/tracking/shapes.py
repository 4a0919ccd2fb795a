"""Limits on the size and the shape that things of a class have in pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: A box this near to the picture's edge (share of its width or height) may be cut: its shape says nothing.
AT_EDGE = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class ShapeLimits:
    """area: (C, 2) least and greatest share of the picture; aspect: (C, 2) of width / height in pixels."""

    area: NDArray[np.float32]
    aspect: NDArray[np.float32]

    def plausible(
        self, class_id: NDArray[np.int32], xyxy: NDArray[np.float32], size_wh: NDArray[np.float32]
    ) -> NDArray[np.bool_]:
        """(K,) whether things of these classes come in boxes like these; xyxy (K, 4) pixels."""
        sides = xyxy[:, 2:] - xyxy[:, :2]
        share = sides.prod(axis=1) / max(float(size_wh.prod()), 1.0)
        aspect = sides[:, 0] / np.maximum(sides[:, 1], 1e-6)
        area, shape = self.area[class_id], self.aspect[class_id]
        near = AT_EDGE * size_wh
        cut = ((xyxy[:, :2] < near) | (xyxy[:, 2:] > size_wh - near)).any(axis=1)
        small_enough = share <= area[:, 1]
        whole = (share >= area[:, 0]) & (aspect >= shape[:, 0]) & (aspect <= shape[:, 1])
        fits: NDArray[np.bool_] = small_enough & (cut | whole)
        return fits
