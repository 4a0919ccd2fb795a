"""What a live viewer gets: one binary WebSocket message per frame.

``uint32`` little-endian length of the header, the header (JSON, :class:`LiveHeader`), then the picture: an
H.264 access unit in Annex B form (key frames carry their parameter sets), or a JPEG. A browser cuts it apart
without a library; boxes travel with the very frame they were found in.
"""

from __future__ import annotations

import struct
from typing import Literal

import msgspec
import numpy as np

from edgecam.core.types import Result

Codec = Literal["h264", "jpeg"]


class LiveBox(msgspec.Struct, omit_defaults=True):
    """One object. ``xyxy``: pixels of the frame (``frame_wh``), x2 and y2 exclusive."""

    label: str
    class_id: int
    score: float
    xyxy: tuple[float, float, float, float]
    track_id: int | None = None
    name: str | None = None


class LiveHeader(msgspec.Struct, omit_defaults=True):
    """What stands before a picture.

    index: the frame's own number. captured_ns: monotonic time of its capture. sent_ns: of this message's
    making. codec: how the picture is coded. key: decoding can begin here. size_wh: of the picture that
    follows; frame_wh: of the frame, whose pixels the boxes count. inference_ms, frame_age_ms: of the result.
    """

    index: int
    captured_ns: int
    sent_ns: int
    codec: Codec
    key: bool
    size_wh: tuple[int, int]
    frame_wh: tuple[int, int]
    inference_ms: float
    frame_age_ms: float
    detections: list[LiveBox]
    v: int = 1


def boxes(result: Result) -> list[LiveBox]:
    """A result's objects as they are sent; the classifier's best word for each is its ``name``."""
    found = result.detections
    xyxy = np.round(found.xyxy.astype(np.float64), 1).tolist()
    scores = np.round(found.score.astype(np.float64), 3).tolist()
    ids = found.class_id.tolist()
    tracks: list[int | None] = [None] * len(ids) if found.track_id is None else found.track_id.tolist()
    named = result.crop_classes
    return [
        LiveBox(
            found.label(i),
            ids[i],
            scores[i],
            tuple(xyxy[i]),
            tracks[i],
            named[i][0].label if i < len(named) and named[i] else None,
        )
        for i in range(len(ids))
    ]


def header_of(result: Result, codec: Codec, size_wh: tuple[int, int]) -> LiveHeader:
    """What will stand before a result's picture of that size."""
    frame = result.frame
    return LiveHeader(
        index=frame.index,
        captured_ns=frame.captured_ns,
        sent_ns=0,
        codec=codec,
        key=False,
        size_wh=size_wh,
        frame_wh=frame.size_wh,
        inference_ms=round(result.inference_ms, 1),
        frame_age_ms=round(result.frame_age_ms, 1) if result.completed_ns else 0.0,
        detections=boxes(result),
    )


_encoder = msgspec.json.Encoder()


def pack(header: LiveHeader, picture: bytes) -> bytes:
    """The message."""
    head = _encoder.encode(header)
    return struct.pack("<I", len(head)) + head + picture


def unpack(message: bytes) -> tuple[LiveHeader, bytes]:
    """The parts of a message. Raises ValueError if it is none."""
    if len(message) < 4:
        raise ValueError(f"a message of {len(message)} bytes has no header")
    (length,) = struct.unpack_from("<I", message)
    if 4 + length > len(message):
        raise ValueError("the header is cut short")
    try:
        return msgspec.json.decode(message[4 : 4 + length], type=LiveHeader), message[4 + length :]
    except msgspec.DecodeError as error:
        raise ValueError(f"the header cannot be read: {error}") from None
