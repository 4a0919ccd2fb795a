"""Where an MP4's whole fragments lie, also behind damage, and a reader that shows only those."""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Iterator
from typing import BinaryIO

#: Top-level boxes of ISO 14496-12 that a muxer writes. Anything else is damage.
_BOXES = frozenset(b"ftyp styp free skip wide moov moof mdat mfra sidx emsg uuid udta meta prft".split())
#: What is searched at once for the next fragment behind damage.
_WINDOW = 1 << 20


def boxes(file: BinaryIO, start: int, size: int) -> Iterator[tuple[int, bytes, int, int]]:
    """Whole top-level boxes from ``start`` on: (offset, type, header length, length); ends at damage."""
    at = start
    while at + 8 <= size:
        file.seek(at)
        head = file.read(16)
        if len(head) < 8:
            return
        length, kind = struct.unpack(">I4s", head[:8])
        header = 8
        if length == 1 and len(head) == 16:
            length, header = struct.unpack(">Q", head[8:])[0], 16
        if kind not in _BOXES or length < header or at + length > size:
            return
        yield at, kind, header, length
        at += length


def good_ranges(file: BinaryIO, size: int) -> list[tuple[int, int]]:
    """The parts of an MP4 that are worth reading, as (start, end): the header, and every whole fragment.

    Behind damage the search goes on at the next ``moof``. A sound file is one range from 0 to its end or to
    where it breaks off. Empty without a header (``moov``): nothing can be decoded then.
    """
    found: list[tuple[int, int]] = []
    at = 0
    has_header = any(kind in (b"moov", b"moof") for _, kind, _, _ in boxes(file, 0, size))
    while at < size:
        end = at
        for offset, kind, header, length in boxes(file, at, size):
            if kind == b"mdat" and not has_header and (inner := _hidden(file, offset, header)):
                # half of a finish: the fragments lie in one big box, and their index is not on the disk
                has_header = True
                _join(found, at, offset)
                at = end = inner
                break
            end = offset + length
        else:
            _join(found, at, end)
            at = _next_fragment(file, max(end, at + 1), size)
    return found if has_header else []


def _join(found: list[tuple[int, int]], start: int, end: int) -> None:
    if end <= start:
        return
    if found and found[-1][1] == start:
        start = found.pop()[0]
    found.append((start, end))


def apart(file: BinaryIO, ranges: list[tuple[int, int]]) -> list[tuple[tuple[int, int], ...]]:
    """The ranges of each fragment by itself, behind the header."""
    pieces: list[tuple[tuple[int, int], ...]] = []
    head: tuple[tuple[int, int], ...] = ()
    for start, end in ranges:
        opened = -1
        for offset, kind, _, length in boxes(file, start, end):
            if kind == b"moov" and not head:
                head = ((start, offset + length),)
            elif kind == b"moof":
                opened = offset
            elif kind == b"mdat" and opened >= 0:
                pieces.append((*head, (opened, offset + length)))
                opened = -1
    return pieces if head else []


def _hidden(file: BinaryIO, offset: int, header: int) -> int:
    """Where the boxes inside an ``mdat`` begin, if it holds boxes; else 0."""
    file.seek(offset + header)
    return offset + header if file.read(8)[4:] in (b"ftyp", b"moov") else 0


def _next_fragment(file: BinaryIO, start: int, size: int) -> int:
    """The next offset from which a ``moof`` and an ``mdat`` follow one another; ``size`` if there is none."""
    at = start
    while at < size:
        file.seek(at)
        window = file.read(_WINDOW)
        place = window.find(b"moof")
        if place >= 4 or (place >= 0 and at + place - 4 >= start):
            offset = at + place - 4
            kinds = [kind for (_, kind, _, _), _ in zip(boxes(file, offset, size), range(2), strict=False)]
            if kinds == [b"moof", b"mdat"]:
                return offset
            at = offset + 5
            continue
        if place >= 0:
            at += place + 1
            continue
        if len(window) < _WINDOW:
            return size
        at += len(window) - 3
    return size


class Spliced(io.RawIOBase):
    """A file made of ranges of another. One thread; the file stays the owner's."""

    def __init__(self, fd: int, ranges: list[tuple[int, int]]) -> None:
        self._fd = fd
        self._ranges = ranges
        self._at = 0
        self.size = sum(end - start for start, end in ranges)

    def readable(self) -> bool:
        """Always true."""
        return True

    def seekable(self) -> bool:
        """Always true."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """See :class:`io.IOBase`."""
        self._at = max(0, offset + (0, self._at, self.size)[whence])
        return self._at

    def tell(self) -> int:
        """See :class:`io.IOBase`."""
        return self._at

    def read(self, size: int = -1) -> bytes:
        """See :class:`io.RawIOBase`."""
        left = self.size - self._at if size < 0 else min(size, self.size - self._at)
        parts, before = [], 0
        for start, end in self._ranges:
            skip = self._at - before
            before += end - start
            if left > 0 and skip < end - start:
                data = os.pread(self._fd, min(left, end - start - skip), start + skip)
                if not data:
                    break
                parts.append(data)
                left -= len(data)
                self._at += len(data)
        return b"".join(parts)
