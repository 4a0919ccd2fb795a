"""A plug-in's source, whose faults are told as its package's."""

from __future__ import annotations

import numpy as np

from edgecam.capture.base import FrameIteration
from edgecam.core.errors import CaptureError
from edgecam.core.ports import Source
from edgecam.core.types import Frame
from edgecam.plugins import Guarded, Plugin


class PluginSource(FrameIteration, Guarded):
    """Implements :class:`edgecam.core.ports.Source`: what the plug-in raises becomes a CaptureError.

    So does a picture that is none: everything behind relies on (H, W, 3) uint8.
    """

    def __init__(self, plugin: Plugin, source: Source) -> None:
        super().__init__(plugin, source, CaptureError)

    def read(self, timeout_s: float) -> Frame | None:
        """See :class:`edgecam.core.ports.Source`."""
        frame: Frame | None = self._call(self._thing.read, timeout_s)
        if frame is None:
            return None
        image = getattr(frame, "image", None)
        if (
            not isinstance(frame, Frame)
            or not isinstance(image, np.ndarray)
            or image.dtype != np.uint8
            or image.ndim != 3
            or image.shape[2] != 3
            or not image.size
        ):
            got = f"{image.shape} {image.dtype}" if isinstance(image, np.ndarray) else type(frame).__name__
            raise CaptureError(f"{self._plugin} read no Frame with an (H, W, 3) uint8 picture, but {got}")
        return frame
