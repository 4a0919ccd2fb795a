"""Walks protobuf fields by their lengths: all that reading a card and a digest needs."""

from __future__ import annotations

import mmap
from collections.abc import Iterator

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class TruncatedError(Exception):
    """The file ends inside a field."""


class ForeignError(Exception):
    """The bytes are not a ModelProto."""


def varint(data: bytes | mmap.mmap, at: int, end: int) -> tuple[int, int]:
    """(value, where it ends) of the varint at ``at``."""
    value = shift = 0
    while True:
        if at >= end:
            raise TruncatedError
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ForeignError


def fields(data: bytes | mmap.mmap, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """(field number, start, stop) of every length-delimited field in ``data[at:end]``; others are skipped."""
    while at < end:
        tag, at = varint(data, at, end)
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            _, at = varint(data, at, end)
            yield number, at, at
        elif kind in (_FIXED64, _FIXED32):
            at += 8 if kind == _FIXED64 else 4
            yield number, at, at
        elif kind == _BYTES:
            length, at = varint(data, at, end)
            yield number, at, at + length
            at += length
        else:
            raise ForeignError
        if at > end:
            raise TruncatedError
