"""Between a frame and a session stands one resize into a preallocated buffer, and nothing else.

Models of our own take uint8 BGR and normalise inside the graph; only foreign ones need :class:`Normaliser`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from edgecam.core.types import Frame, Image
from edgecam.inference.models.card import Card, Interpolation, Resize
from edgecam.inference.models.sidecar import InputSpec

#: Grey of a letterbox's bars, as YOLO trains with.
PAD = 114


def use_one_opencv_thread() -> None:
    """OpenCV's own pool would fight the session's threads for the same cores; one resize needs no pool.

    Process-wide. Called by detectors and classifiers when they are built.
    """
    cv2.setNumThreads(1)


class Fit(Struct, frozen=True):
    """How a picture lies in the model's input: normalised input = normalised picture × scale + offset.

    All in fractions, so it holds for ``Frame.image`` whichever of its versions was resized.
    """

    scale_x: float = 1.0
    scale_y: float = 1.0
    offset_x: float = 0.0
    offset_y: float = 0.0

    def to_pixels(self, boxes: NDArray[np.float32], size_wh: tuple[int, int]) -> NDArray[np.float32]:
        """(N, 4) normalised xyxy of the input → float32 pixels of a picture of ``size_wh``, clipped to it."""
        scale, offset, limit = _arrays(self, size_wh)
        pixels: NDArray[np.float32] = (
            (boxes - offset) * scale if self.offset_x or self.offset_y else boxes * scale
        )
        np.clip(pixels, np.float32(0), limit, out=pixels)
        return pixels


@lru_cache(maxsize=32)
def _arrays(fit: Fit, size_wh: tuple[int, int]) -> tuple[NDArray[np.float32], ...]:
    """(4,) scale, offset and limit of boxes; the same for every frame of a source."""
    width, height = size_wh
    return (
        np.array((width / fit.scale_x, height / fit.scale_y) * 2, np.float32),
        np.array((fit.offset_x, fit.offset_y) * 2, np.float32),
        np.array((width, height) * 2, np.float32),
    )


_WHOLE = Fit()


#: From this ratio on averaging (INTER_AREA) comes nearer to PIL's filters than interpolating: mean difference
#: 0.7 to 0.8 of 255 against 1.5 to 2.2 at ratios of 1.3 to 2.3, and as near below (four photographs).
_SHRINKS = 1.2


class Resizer:
    """Fits pictures into one preallocated buffer.

    buffer: (1, height, width, 3) uint8, the same array for ever. One thread at a time.
    """

    def __init__(
        self,
        size_wh: tuple[int, int],
        resize: Resize = "stretch",
        pad: int = PAD,
        crop: float = 0.875,
        interpolation: Interpolation = "fast",
    ) -> None:
        self.size_wh = size_wh
        self._resize = resize
        self._pad = pad
        self._crop = crop
        self._averages = interpolation != "fast"
        self._enlarging = cv2.INTER_CUBIC if interpolation == "bicubic" else cv2.INTER_LINEAR
        self.buffer: NDArray[np.uint8] = np.full((1, size_wh[1], size_wh[0], 3), pad, np.uint8)
        self._inner = (0, 0, *size_wh)

    def frame(self, frame: Frame) -> Fit:
        """Fit ``frame``: its ``lores`` where that is large enough (the camera's scaler did the work)."""
        lores = frame.lores
        width, height = self.size_wh
        if lores is not None and lores.shape[1] >= width and lores.shape[0] >= height:
            return self.picture(lores)
        return self.picture(frame.image)

    def picture(self, image: Image) -> Fit:
        """Fit (H, W, 3) uint8 into the buffer; rows may be strided (a crop needs no copy)."""
        if self._resize == "letterbox":
            return self._letterbox(image)
        if self._resize == "center_crop":
            image = _centre(image, self.size_wh, self._crop)
        self._into(image, self.buffer[0])
        return _WHOLE

    def _into(self, image: Image, target: Image) -> None:
        height, width = target.shape[:2]
        if image.shape[:2] != (height, width):
            shrinks = (
                self._averages and image.shape[0] > height * _SHRINKS and image.shape[1] > width * _SHRINKS
            )
            method = cv2.INTER_AREA if shrinks else self._enlarging
            cv2.resize(image, (width, height), dst=target, interpolation=method)
        elif image.flags.c_contiguous and target.flags.c_contiguous:
            # Unlike NumPy's copy this keeps the GIL: giving it up would mean waiting for it again, which
            # costs ten times the 20 us of the copy when threads have just been woken.
            target.data.cast("B")[:] = image.data.cast("B")
        else:
            np.copyto(target, image)

    def _letterbox(self, image: Image) -> Fit:
        height, width = image.shape[:2]
        full_w, full_h = self.size_wh
        ratio = min(full_w / width, full_h / height)
        new_w, new_h = max(1, round(width * ratio)), max(1, round(height * ratio))
        left, top = (full_w - new_w) // 2, (full_h - new_h) // 2
        if self._inner != (left, top, new_w, new_h):
            self._inner = (left, top, new_w, new_h)
            self.buffer[...] = self._pad  # the bars moved
        self._into(image, self.buffer[0, top : top + new_h, left : left + new_w])
        return Fit(new_w / full_w, new_h / full_h, left / full_w, top / full_h)


def resizer_of(card: Card) -> Resizer:
    """What fits pictures as a model of our own was measured with."""
    return Resizer(card.resolution, card.resize, crop=card.crop, interpolation=card.interpolation)


def _centre(image: Image, size_wh: tuple[int, int], crop: float) -> Image:
    height, width = image.shape[:2]
    ratio = min(width / size_wh[0], height / size_wh[1]) * crop
    new_w, new_h = max(1, round(size_wh[0] * ratio)), max(1, round(size_wh[1] * ratio))
    left, top = (width - new_w) // 2, (height - new_h) // 2
    return image[top : top + new_h, left : left + new_w]


class Normaliser:
    """Turns the resizer's buffer into what a foreign model takes: colour order, mean, std, layout, dtype.

    output: the preallocated array to bind, (1, 3, H, W) or (1, H, W, 3).
    """

    def __init__(self, source: NDArray[np.uint8], spec: InputSpec, dtype: np.dtype[Any]) -> None:
        self._source = source[0]
        self._swap = spec.color == "RGB"
        height, width = self._source.shape[:2]
        self._planar = spec.layout == "NCHW"
        shape = (1, 3, height, width) if self._planar else (1, height, width, 3)
        self.output: NDArray[Any] = np.zeros(shape, dtype)
        self._scale = (1.0 / np.asarray(spec.std, np.float32)).astype(np.float32)
        self._shift = (-np.asarray(spec.mean, np.float32) * self._scale).astype(np.float32)
        self._plain = np.issubdtype(dtype, np.integer)

    def run(self) -> None:
        """Fill ``output`` from the resizer's buffer."""
        for channel in range(3):
            plane = self._source[:, :, 2 - channel if self._swap else channel]
            target = self.output[0, channel] if self._planar else self.output[0, :, :, channel]
            if self._plain:
                np.copyto(target, plane, casting="unsafe")
            else:
                np.multiply(plane, self._scale[channel], out=target, casting="unsafe")
                target += self._shift[channel]
