"""Draws a frame's pixels with QPainter, without copying them. GUI thread only."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from PyQt6.QtCore import QRect
from PyQt6.QtGui import QImage, QPainter

from edgecam.core.types import Frame, Image
from edgecam.overlay.scene import Scene
from edgecam.overlay.scene_cv import GREY_LIGHT

# Qt's smooth scaling looks at four pixels; below this it skips some, and OpenCV's mean over areas does better
AREA_BELOW = 0.6


class Picture:
    """The picture under the overlay.

    The frame's own memory is painted. Only a greyed picture, and one that is shown much smaller, is made
    once per frame and kept until the next.
    """

    def __init__(self) -> None:
        self._key: tuple[int, bool, int, int] | None = None
        self._frame: Frame | None = None  # keeps the pixels alive, which a QImage does not
        self._pixels: Image | None = None
        self._image = QImage()

    def draw(self, frame: Frame, scene: Scene, painter: QPainter) -> None:
        """Paint ``frame`` at ``scene.view``, in the painter's units."""
        view = scene.view
        key = id(frame), scene.greyed, view.w, view.h
        if key != self._key:
            self._pixels = _made(frame.image, scene)
            self._image = _image_over(self._pixels)
            self._key, self._frame = key, frame
        scaled = (self._image.width(), self._image.height()) != (view.w, view.h)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, scaled)
        painter.drawImage(QRect(view.x, view.y, view.w, view.h), self._image)


def _made(pixels: Image, scene: Scene) -> Image:
    view = scene.view
    if view.w < pixels.shape[1] * AREA_BELOW:
        pixels = np.asarray(cv2.resize(pixels, (view.w, view.h), interpolation=cv2.INTER_AREA), np.uint8)
    if scene.greyed:
        grey = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)
        pixels = np.asarray(cv2.convertScaleAbs(grey, alpha=GREY_LIGHT), np.uint8)
    return pixels


def _image_over(pixels: Image) -> QImage:
    """A QImage over the array's own memory, which must outlive it."""
    kind = QImage.Format.Format_BGR888 if pixels.ndim == 3 else QImage.Format.Format_Grayscale8
    height, width = pixels.shape[:2]
    data: Any = pixels.data  # PyQt6's stubs name bytes only; any buffer will do, and is not copied
    return QImage(data, width, height, pixels.strides[0], kind)
