"""Results to live messages: scaled, encoded, with their boxes beside them. One thread."""

from __future__ import annotations

import logging
from collections import deque
from typing import Any, Protocol

import cv2
import numpy as np

from edgecam.core.clock import now_ns
from edgecam.core.types import Image, Result
from edgecam.media.encoder import Encoder, EncoderChoice, choose_encoder, distrust
from edgecam.media.packets import to_ticks
from edgecam.web.live.message import Codec, LiveHeader, boxes, pack

log = logging.getLogger(__name__)

#: Live pictures fit into this unless the viewer asks for all of it: a quarter of the pixels of 1080p, and
#: what a phone shows. Width and height.
LIVE_WH = (960, 540)
#: x264's constant quality for a picture that nobody keeps: a third of the bytes of the recorder's 23.
LIVE_CRF = "26"
JPEG_QUALITY = 80
#: A key frame at least this often, so that a decoder that lost its way finds back, seconds.
KEY_EVERY_S = 8.0


def fit(size_wh: tuple[int, int], limit_wh: tuple[int, int] | None) -> tuple[int, int]:
    """The size, with even sides, at which such a picture is sent; never enlarged."""
    width, height = size_wh
    scale = 1.0 if limit_wh is None else min(1.0, limit_wh[0] / width, limit_wh[1] / height)
    return max(2, round(width * scale) & ~1), max(2, round(height * scale) & ~1)


def scaled(image: Image, size_wh: tuple[int, int]) -> Image:
    """The picture in that size; the same array if it has it. Areas are averaged when halved or less."""
    if (image.shape[1], image.shape[0]) == size_wh:
        return image
    small = size_wh[0] * 2 <= image.shape[1]
    made = cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA if small else cv2.INTER_LINEAR)
    return np.asarray(made, np.uint8)


class Coder(Protocol):
    """Makes messages of results."""

    def encode(self, result: Result, *, key: bool) -> list[tuple[bool, bytes]]:
        """(whether decoding can begin there, message) of the pictures that became ready."""

    def close(self) -> None:
        """Let go of everything."""


class JpegCoder:
    """Each picture alone: for browsers without a decoder, and for MJPEG."""

    def __init__(self, limit_wh: tuple[int, int] | None) -> None:
        self._limit_wh = limit_wh

    def encode(self, result: Result, *, key: bool) -> list[tuple[bool, bytes]]:
        """One message, which is a beginning too."""
        del key
        size = fit(result.frame.size_wh, self._limit_wh)
        data = jpeg(scaled(result.frame.image, size))
        return [(True, pack(_header(result, "jpeg", True, size), data))]

    def close(self) -> None:
        """Nothing is held."""


def jpeg(image: Image, quality: int = JPEG_QUALITY) -> bytes:
    """(H, W, 3) uint8 BGR as JPEG."""
    done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ValueError(f"a picture of {image.shape[1]}x{image.shape[0]} could not be made a JPEG")
    return data.tobytes()


class VideoCoder:
    """H.264, by the board's encoder where there is one. A picture of another size starts it afresh."""

    def __init__(self, limit_wh: tuple[int, int] | None, rate_hz: float | None) -> None:
        self._limit_wh = limit_wh
        self._rate_hz = rate_hz
        self._encoder: Encoder | None = None
        self._size_wh = (0, 0)
        self._parameters = b""
        self._waiting: deque[Result] = deque()
        self._last_pts = -1
        self._key_ns = 0

    def encode(self, result: Result, *, key: bool) -> list[tuple[bool, bytes]]:
        """Messages of the pictures whose packets came, in order. Raises what the encoder raises."""
        size = fit(result.frame.size_wh, self._limit_wh)
        if self._encoder is None or size != self._size_wh:
            self._open(size)
            key = True
        assert self._encoder is not None
        at_ns = result.frame.captured_ns
        if key or at_ns - self._key_ns >= KEY_EVERY_S * 1e9:
            key, self._key_ns = True, at_ns
        pts = max(to_ticks(at_ns), self._last_pts + 1)
        self._last_pts = pts
        self._waiting.append(result)
        packets = self._encoder.encode(scaled(result.frame.image, size), pts, key=key)
        return [self._message(packet) for packet in packets if self._waiting]

    def _message(self, packet: Any) -> tuple[bool, bytes]:
        result = self._waiting.popleft()
        data = bytes(packet)
        is_key = bool(packet.is_keyframe)
        if is_key and self._parameters and not _has_parameters(data):
            data = self._parameters + data
        return is_key, pack(_header(result, "h264", is_key, self._size_wh), data)

    def _open(self, size_wh: tuple[int, int]) -> None:
        self.close()
        choice = choose_encoder(size_wh, self._rate_hz)
        if choice.codec == "libx264":
            choice = EncoderChoice("libx264", "ultrafast", "live")
        if choice.codec == "mjpeg":
            raise ValueError("this PyAV has no H.264 encoder")
        self._encoder = Encoder(size_wh, self._rate_hz, choice, crf=LIVE_CRF)
        self._size_wh = size_wh
        self._parameters = bytes(self._encoder.template.codec_context.extradata or b"")

    def distrust(self) -> None:
        """An encoder that failed is not taken again; the next picture opens another."""
        if self._encoder is not None:
            distrust(self._encoder.choice.codec)
        self.close()

    def close(self) -> None:
        """Let go of the encoder."""
        encoder, self._encoder = self._encoder, None
        self._waiting.clear()
        if encoder is not None:
            encoder.close()


def _has_parameters(data: bytes) -> bool:
    """Whether an access unit begins with a sequence parameter set (after a delimiter, perhaps)."""
    at = 0
    for _ in range(3):
        at = data.find(b"\x00\x00\x01", at, at + 64)
        if at < 0 or at + 3 >= len(data):
            return False
        if data[at + 3] & 31 == 7:
            return True
        at += 3
    return False


def _header(result: Result, codec: Codec, key: bool, size_wh: tuple[int, int]) -> LiveHeader:
    frame = result.frame
    return LiveHeader(
        index=frame.index,
        captured_ns=frame.captured_ns,
        sent_ns=now_ns(),
        codec=codec,
        key=key,
        size_wh=size_wh,
        frame_wh=frame.size_wh,
        inference_ms=round(result.inference_ms, 1),
        frame_age_ms=round(result.frame_age_ms, 1) if result.completed_ns else 0.0,
        detections=boxes(result),
    )
