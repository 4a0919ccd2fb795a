"""From decoded pictures to BGR arrays."""

from __future__ import annotations

from typing import cast

import cv2
import numpy as np
from av.codec.context import CodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter

from edgecam.capture.decode.memory import Allocate
from edgecam.core.types import Image

# AV_CODEC_FLAG_LOW_DELAY of libavcodec/avcodec.h; PyAV's own name for it changed its letters in version 14.
_LOW_DELAY = 1 << 19
_TURNS = {90: cv2.ROTATE_90_COUNTERCLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_CLOCKWISE}


def set_low_delay(context: CodecContext) -> None:
    """Have a decoder give each picture at once: no reordering, and no frame threads, which hold one back."""
    context.thread_type = "SLICE"
    context.flags |= _LOW_DELAY


class BgrConverter:
    """Converts PyAV frames to (H, W, 3) uint8 BGR, C-contiguous, in fresh memory or where ``allocate`` says.

    One reformatter is kept: PyAV otherwise builds a scaler per frame (0.6 ms at 720p, one core).
    swscale knows the frame's colour range and matrix; OpenCV's I420 conversion does not (8 grey levels
    off on full range).
    """

    def __init__(self, allocate: Allocate | None = None) -> None:
        self._reformatter = VideoReformatter()
        self._allocate = allocate

    def __call__(self, frame: VideoFrame) -> Image:
        """The picture, turned upright when the stream's display matrix says so."""
        # one thread: by itself swscale starts one per core, which costs 0.13 ms more CPU and 0.35 ms of time
        bgr = self._reformatter.reformat(
            frame, format="bgr24", interpolation=Interpolation.FAST_BILINEAR, threads=1
        )
        image = cast(Image, bgr.to_ndarray())
        turn = _TURNS.get(round(getattr(frame, "rotation", 0) or 0) % 360)
        if turn is not None:
            image = cast(Image, cv2.rotate(image, turn))
        if self._allocate is None:
            return np.ascontiguousarray(image)
        place = self._allocate(*image.shape[:2])
        np.copyto(place, image)
        return place
