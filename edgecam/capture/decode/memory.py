"""Where decoded pictures go: fresh memory, unless the caller provides some."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from edgecam.core.types import Image

#: Asked for (height, width); answers with a C-contiguous (H, W, 3) uint8 array to be filled.
Allocate: TypeAlias = Callable[[int, int], Image]


def fresh(height: int, width: int) -> Image:
    """New memory for one picture."""
    return np.empty((height, width, 3), np.uint8)
