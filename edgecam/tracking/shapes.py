"""Limits on the size and shape that objects of a class have in pictures."""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

#: A box this near to the picture's edge (share of width or height) may be cut: its shape is not judged.
AT_EDGE = 0.01


class ShapeLimits(Struct, frozen=True, eq=False):
    """area: (C, 2) least and greatest share of the picture; aspect: (C, 2) of width / height in pixels."""

    area: NDArray[np.float32]
    aspect: NDArray[np.float32]

    def plausible(
        self, class_id: NDArray[np.int32], xyxy: NDArray[np.float32], size_wh: NDArray[np.float32]
    ) -> NDArray[np.bool_]:
        """(K,) whether objects of these classes have boxes like these; xyxy (K, 4) pixels."""
        wide, high = xyxy[:, 2] - xyxy[:, 0], xyxy[:, 3] - xyxy[:, 1]
        width, height = size_wh.tolist()
        share = wide * high / max(width * height, 1.0)
        aspect = wide / np.maximum(high, 1e-6)
        area, shape = self.area[class_id], self.aspect[class_id]
        whole = (share >= area[:, 0]) & (aspect >= shape[:, 0]) & (aspect <= shape[:, 1])
        fits: NDArray[np.bool_] = share <= area[:, 1]
        if np.count_nonzero(whole) < len(whole):
            near_x, near_y = AT_EDGE * width, AT_EDGE * height
            cut = (xyxy[:, 0] < near_x) | (xyxy[:, 1] < near_y)
            cut |= (xyxy[:, 2] > width - near_x) | (xyxy[:, 3] > height - near_y)
            fits &= cut | whole
        return fits
