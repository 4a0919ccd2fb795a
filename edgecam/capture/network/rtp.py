"""From RTP packets to whole pictures: H.264 (RFC 6184) and HEVC (RFC 7798)."""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from edgecam.capture.limits import PICTURE_BYTES, PICTURE_PIECES

START = b"\0\0\0\1"


@dataclass(frozen=True, slots=True)
class RtpPacket:
    """A packet's header fields and payload (RFC 3550, 5.1). source: the sender's number (SSRC)."""

    sequence: int
    timestamp: int
    marker: bool
    payload_type: int
    payload: bytes
    source: int = 0


def parse_rtp(data: bytes) -> RtpPacket | None:
    """The packet, or None if it is none."""
    if len(data) < 12 or data[0] >> 6 != 2:
        return None
    first, second, sequence, timestamp, source = struct.unpack_from(">BBHII", data)
    start, end = 12 + 4 * (first & 0x0F), len(data)
    if first & 0x10:  # a header extension
        if end < start + 4:
            return None
        start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4], "big")
    if first & 0x20:  # padding, its length in the last byte
        end -= data[-1]
    if start > end:
        return None
    return RtpPacket(sequence, timestamp, bool(second & 0x80), second & 0x7F, data[start:end], source)


class Sender:
    """Tells the camera's packets from those of others, which are passed over and damage nothing.

    The first packet's sender is taken to be the camera, and another one once two of its packets came in order
    (RFC 3550, A.1: MIN_SEQUENTIAL): a camera that starts again takes a new number (8.2).
    """

    def __init__(self) -> None:
        self._source: int | None = None
        self._other: tuple[int, int] | None = None  # its number, and the sequence number that should follow

    def admits(self, packet: RtpPacket) -> bool:
        """Whether ``packet`` is the camera's."""
        if self._source in (None, packet.source) or self._other == (packet.source, packet.sequence):
            self._source, self._other = packet.source, None
            return True
        self._other = packet.source, packet.sequence + 1 & 0xFFFF
        return False


@dataclass(frozen=True, slots=True)
class Piece:
    """What a payload adds to a picture: bytes in Annex B form, and the kinds of units that begin in it."""

    data: bytes = b""
    kinds: tuple[int, ...] = ()


class Codec(Protocol):
    """How one codec lies in RTP payloads."""

    libav_name: str

    def unpack(self, payload: bytes) -> Piece:
        """The payload's piece of a picture."""

    def is_slice(self, kind: int) -> bool:
        """Units of this kind hold part of a picture (others hold parameters)."""

    def is_key(self, kind: int) -> bool:
        """Units of this kind belong to a picture that needs none before it."""

    def parameter_sets(self, parameters: Mapping[str, str]) -> bytes:
        """What the session description says of the codec, in Annex B form."""


class H264:
    """RFC 6184, packetisation modes 0 and 1."""

    libav_name = "h264"

    def unpack(self, payload: bytes) -> Piece:
        """See :class:`Codec`."""
        if not payload:
            return Piece()
        kind = payload[0] & 0x1F
        if kind == 28 and len(payload) > 2:  # FU-A: a unit in fragments
            if not payload[1] & 0x80:
                return Piece(payload[2:])
            header = payload[0] & 0xE0 | payload[1] & 0x1F
            return Piece(START + bytes((header,)) + payload[2:], (header & 0x1F,))
        if kind == 24:  # STAP-A: several units in one packet
            units = _aggregated(payload[1:])
            return Piece(b"".join(START + unit for unit in units), tuple(unit[0] & 0x1F for unit in units))
        return Piece(START + payload, (kind,)) if kind < 24 else Piece()

    def is_slice(self, kind: int) -> bool:
        """See :class:`Codec`. H.264, table 7-1."""
        return 1 <= kind <= 5

    def is_key(self, kind: int) -> bool:
        """See :class:`Codec`."""
        return kind == 5

    def parameter_sets(self, parameters: Mapping[str, str]) -> bytes:
        """See :class:`Codec`."""
        return _decoded(parameters.get("sprop-parameter-sets", "").split(","))


class Hevc:
    """RFC 7798, without DONL fields (sprop-max-don-diff of 0, as cameras send it)."""

    libav_name = "hevc"

    def unpack(self, payload: bytes) -> Piece:
        """See :class:`Codec`."""
        if len(payload) < 3:
            return Piece()
        kind = payload[0] >> 1 & 0x3F
        if kind == 49:  # FU
            if not payload[2] & 0x80:
                return Piece(payload[3:])
            unit_kind = payload[2] & 0x3F
            header = bytes((payload[0] & 0x81 | unit_kind << 1, payload[1]))
            return Piece(START + header + payload[3:], (unit_kind,))
        if kind == 48:  # AP
            units = _aggregated(payload[2:])
            return Piece(b"".join(START + unit for unit in units), tuple(u[0] >> 1 & 0x3F for u in units))
        return Piece(START + payload, (kind,))

    def is_slice(self, kind: int) -> bool:
        """See :class:`Codec`. H.265, table 7-1."""
        return kind < 32

    def is_key(self, kind: int) -> bool:
        """See :class:`Codec`. IRAP pictures."""
        return 16 <= kind <= 23

    def parameter_sets(self, parameters: Mapping[str, str]) -> bytes:
        """See :class:`Codec`."""
        return _decoded([parameters.get(f"sprop-{name}", "") for name in ("vps", "sps", "pps")])


CODECS: Mapping[str, type[Codec]] = {"H264": H264, "H265": Hevc}


@dataclass(frozen=True, slots=True)
class Picture:
    """The bytes of one picture. key: it needs none before it. damaged: packets are missing in or before it.

    at_ns: when its first packet came.
    """

    data: bytes
    key: bool
    damaged: bool
    at_ns: int


class Assembler:
    """Puts pictures together. A picture ends with the packet that carries the marker bit.

    Some cameras set the marker in the middle of a picture. Once that shows, the marker is ignored, and a
    picture ends when the next one begins.
    """

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._parts: list[bytes] = []
        self._nbytes = 0
        self._key = self._damaged = self._has_slice = False
        self._at_ns = 0
        self._timestamp: int | None = None
        self._next_sequence: int | None = None
        self._ended: int | None = None
        self._believe_markers = True

    def push(self, packet: RtpPacket, at_ns: int) -> list[Picture]:
        """The pictures that ``packet`` completes: none, one, or two."""
        done: list[Picture] = []
        gap = self._next_sequence is not None and packet.sequence != self._next_sequence
        self._next_sequence = packet.sequence + 1 & 0xFFFF
        if packet.timestamp != self._timestamp:
            # a gap right here may have swallowed the end of the last picture as well
            done += self._flush(self._damaged or gap)
            self._timestamp, self._at_ns = packet.timestamp, at_ns
        if packet.timestamp == self._ended:
            self._believe_markers = False
        self._damaged |= gap
        piece = self._codec.unpack(packet.payload)
        if piece.data:
            self._parts.append(piece.data)
            self._nbytes += len(piece.data)
            if self._nbytes > PICTURE_BYTES or len(self._parts) > PICTURE_PIECES:
                self._parts, self._nbytes, self._damaged = [], 0, True  # a picture that does not end
        self._has_slice |= any(map(self._codec.is_slice, piece.kinds))
        self._key |= any(map(self._codec.is_key, piece.kinds))
        # a marker behind parameter sets alone ends nothing
        if packet.marker and self._believe_markers and self._has_slice:
            done += self._flush(self._damaged)
            self._ended = packet.timestamp
        return done

    def _flush(self, damaged: bool) -> list[Picture]:
        parts, self._parts, self._nbytes = self._parts, [], 0
        key, self._key, self._damaged, self._has_slice = self._key, False, False, False
        if not parts:
            self._damaged = damaged
            return []
        return [Picture(b"".join(parts), key, damaged, self._at_ns)]


def _aggregated(rest: bytes) -> list[bytes]:
    """Units behind 16-bit lengths."""
    units, at = [], 0
    while at + 2 < len(rest):
        size = int.from_bytes(rest[at : at + 2], "big")
        unit = rest[at + 2 : at + 2 + size]
        if not size or len(unit) < size:
            break
        units.append(unit)
        at += 2 + size
    return units


def _decoded(texts: list[str]) -> bytes:
    found: list[bytes] = []
    for text in texts:
        try:
            unit = base64.b64decode(text.strip(), validate=True)
        except (binascii.Error, ValueError):
            continue
        found += [START, unit] if unit else []
    return b"".join(found)
