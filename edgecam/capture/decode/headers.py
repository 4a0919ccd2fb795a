"""A picture's size from its first bytes, before any memory is spent on it. Pure; reads no pixel.

What is not told here is not decoded: JPEG, PNG, BMP, WebP, TIFF and Netpbm, by content, not by name.
"""

from __future__ import annotations

import struct

#: A Netpbm's header is looked for in so many bytes.
_NETPBM = 8192
#: Steps from marker to marker of a JPEG; a picture with every kind of metadata has some fifty.
_STEPS = 10_000
#: Chunks of a PNG; the largest allowed picture in pieces of 8 kB has some 30,000.
_CHUNKS = 200_000
#: Markers of a JPEG without a length (ITU-T T.81, table B.1), and those that are frames.
_BARE = frozenset((0x01, *range(0xD0, 0xD8)))
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
#: Entries of a TIFF's directory that are looked at.
_ENTRIES = 512


def picture_size(data: bytes) -> tuple[int, int] | None:
    """(width, height) that the header names; None if it is no picture of a known kind. Never raises."""
    try:
        if data[:2] == b"\xff\xd8":
            return _jpeg(data)
        if data[:8] == b"\x89PNG\r\n\x1a\n" and data[12:16] == b"IHDR":
            return _png(data)
        if data[:2] == b"BM":
            return _bmp(data)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _webp(data)
        if data[:4] in (b"II*\0", b"MM\0*"):
            return _tiff(data)
        return _netpbm(data[:_NETPBM])
    except (struct.error, IndexError):
        return None


def _png(data: bytes) -> tuple[int, int] | None:
    """None too if a chunk claims more bytes than there are: OpenCV makes room for what it claims."""
    at = 8
    for _ in range(_CHUNKS):
        length, kind = struct.unpack_from(">I4s", data, at)
        at += 12 + length
        if at > len(data):
            return None
        if kind == b"IEND":
            width, height = struct.unpack_from(">II", data, 16)
            return width, height
    return None


def _jpeg(data: bytes) -> tuple[int, int] | None:
    """As libjpeg reads it: what stands between two markers is passed over."""
    at = 2
    for _ in range(_STEPS):
        at = data.find(b"\xff", at) + 1
        if at == 0:
            return None
        marker = data[at]
        if marker == 0xFF:  # a fill byte
            continue
        at += 1
        if marker == 0 or marker in _BARE:
            continue
        if marker in _FRAMES:
            height, width = struct.unpack_from(">HH", data, at + 3)
            return width, height
        if marker in (0xD8, 0xD9, 0xDA):  # the scan begins, and no frame was named
            return None
        (length,) = struct.unpack_from(">H", data, at)
        at += max(length, 2)
    return None


def _netpbm(data: bytes) -> tuple[int, int] | None:
    """Magic, then width and height; a comment goes to the end of its line."""
    if data[:1] != b"P" or data[1:2] not in (b"1", b"2", b"3", b"4", b"5", b"6"):
        return None
    text = b" ".join(line.partition(b"#")[0] for line in data[2:].split(b"\n"))
    words = text.split(None, 2)[:2]
    if len(words) < 2 or not all(word.isdigit() and len(word) < 10 for word in words):
        return None
    return int(words[0]), int(words[1])


def _bmp(data: bytes) -> tuple[int, int]:
    (header,) = struct.unpack_from("<I", data, 14)
    width, height = struct.unpack_from("<HH" if header == 12 else "<ii", data, 18)
    return abs(width), abs(height)


def _webp(data: bytes) -> tuple[int, int] | None:
    kind = data[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if kind == b"VP8L" and data[20] == 0x2F:
        (bits,) = struct.unpack_from("<I", data, 21)
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 " and data[23:26] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    return None


def _tiff(data: bytes) -> tuple[int, int] | None:
    order = "<" if data[:1] == b"I" else ">"
    (at,) = struct.unpack_from(f"{order}I", data, 4)
    (count,) = struct.unpack_from(f"{order}H", data, at)
    sizes: dict[int, int] = {}
    for n in range(min(count, _ENTRIES)):
        tag, kind = struct.unpack_from(f"{order}HH", data, at + 2 + 12 * n)
        if tag in (256, 257):  # ImageWidth, ImageLength; SHORT or LONG
            (sizes[tag],) = struct.unpack_from(f"{order}{'H' if kind == 3 else 'I'}", data, at + 10 + 12 * n)
    return (sizes[256], sizes[257]) if len(sizes) == 2 else None
