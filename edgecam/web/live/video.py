"""Results to live video: scaled, encoded once for all viewers. Brings PyAV, so only when somebody looks."""

from __future__ import annotations

from collections import deque
from functools import cache
from typing import Any

import av

from edgecam.core.errors import RecordError
from edgecam.core.types import Image
from edgecam.host.memory import give_back_heap, unmap_unused_code
from edgecam.media.encoder import Encoder, choose_encoder, distrust
from edgecam.media.packets import to_ticks
from edgecam.web.live.coder import CoderError, message
from edgecam.web.live.message import LiveHeader

#: x264's constant quality for a picture that nobody keeps: a third of the bytes of the recorder's 23.
LIVE_CRF = "26"
#: A key frame at least this often, so that a decoder that lost its way finds back, seconds.
KEY_EVERY_S = 8.0


class VideoCoder:
    """H.264, by the board's encoder where there is one. A picture of another size starts it afresh."""

    def __init__(self, rate_hz: float | None) -> None:
        self._rate_hz = rate_hz
        self._encoder: Encoder | None = None
        self._size_wh = (0, 0)
        self._parameters = b""
        self._waiting: deque[LiveHeader] = deque()
        self._last_pts = -1
        self._key_ns = 0

    def encode(self, header: LiveHeader, image: Image, *, key: bool) -> list[tuple[bool, bytes]]:
        """Messages of the pictures whose packets came, in order.

        Raises CoderError. An encoder that failed is not taken again; the next picture opens another.
        """
        try:
            return self._encode(header, image, key)
        except (av.FFmpegError, ValueError, RecordError) as error:
            if self._encoder is not None:
                distrust(self._encoder.choice.codec)
            self.close()
            raise CoderError(str(error)) from error

    def _encode(self, header: LiveHeader, image: Image, key: bool) -> list[tuple[bool, bytes]]:
        if self._encoder is None or header.size_wh != self._size_wh:
            self._open(header.size_wh)
            key = True
        assert self._encoder is not None
        at_ns = header.captured_ns
        if key or at_ns - self._key_ns >= KEY_EVERY_S * 1e9:
            key, self._key_ns = True, at_ns
        pts = max(to_ticks(at_ns), self._last_pts + 1)
        self._last_pts = pts
        self._waiting.append(header)
        packets = self._encoder.encode(image, pts, key=key)
        return [self._message(packet) for packet in packets if self._waiting]

    def _message(self, packet: Any) -> tuple[bool, bytes]:
        data = bytes(packet)
        is_key = bool(packet.is_keyframe)
        if is_key and self._parameters and not _has_parameters(data):
            data = self._parameters + data
        return message(self._waiting.popleft(), is_key, data)

    def _open(self, size_wh: tuple[int, int]) -> None:
        self.close()
        choice = choose_encoder(size_wh, self._rate_hz, live=False)  # the quickest: nobody keeps it
        if choice.codec == "mjpeg":
            raise CoderError("this PyAV has no H.264 encoder")
        self._encoder = Encoder(size_wh, self._rate_hz, choice, crf=LIVE_CRF)
        self._size_wh = size_wh
        self._parameters = bytes(self._encoder.template.codec_context.extradata or b"")
        _settle()

    def close(self) -> None:
        """Release the encoder."""
        encoder, self._encoder = self._encoder, None
        self._waiting.clear()
        if encoder is not None:
            encoder.close()


@cache
def _settle() -> None:
    """Once: PyAV's libraries were read through after the start's code had been unmapped."""
    give_back_heap()
    unmap_unused_code()


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
