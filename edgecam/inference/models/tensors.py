"""The bytes of a tensor in an ONNX file, however it keeps its numbers; read without the package ``onnx``.

A ``TensorProto`` (onnx/onnx.proto) has its numbers in ``raw_data`` or, as quantisers write small ones, in a
field of their type. A card's digest is over the bytes that ``onnx.numpy_helper.to_array`` would give.
"""

from __future__ import annotations

import mmap

import numpy as np

from edgecam.inference.models.protobuf import TruncatedError, fields, varint

_DATA_TYPE, _FLOAT, _INT32, _INT64, _RAW, _DOUBLE, _UINT64, _EXTERNAL = 2, 4, 5, 7, 9, 10, 11, 13
#: TensorProto.DataType of what stands in ``int32_data``, and how wide it is.
_IN_INT32 = {
    2: np.uint8,
    3: np.int8,
    4: np.uint16,
    5: np.int16,
    6: np.int32,
    9: np.bool_,
    10: np.uint16,  # float16's bits
    16: np.uint16,  # bfloat16's
}


def tensor_bytes(data: bytes | mmap.mmap, start: int, stop: int) -> bytes | None:
    """Little-endian bytes of the TensorProto in ``data[start:stop]``; None if they are elsewhere.

    Raises TruncatedError or ForeignError (:mod:`edgecam.inference.models.protobuf`) if it is damaged.
    """
    found = list(fields(data, start, stop))
    if any(a == b and number in (_FLOAT, _INT32, _INT64, _DOUBLE, _UINT64) for number, a, b in found):
        return None  # one number a field, as no writer of ONNX does
    for number, a, b in found:
        if b > a and number in (_RAW, _FLOAT, _DOUBLE):  # packed floats are the bytes themselves
            return bytes(data[a:b])
    for number, a, b in found:
        if number in (_INT64, _UINT64):
            return _unpacked(data, a, b, np.int64 if number == _INT64 else np.uint64)
        if number == _INT32:
            kind = _IN_INT32.get(_data_type(data, start, stop))
            return None if kind is None else _unpacked(data, a, b, kind)
    return None if any(number == _EXTERNAL for number, _, _ in found) else b""


def _data_type(data: bytes | mmap.mmap, start: int, stop: int) -> int:
    at = start
    while at < stop:
        tag, at = varint(data, at, stop)
        if tag == _DATA_TYPE << 3:
            return varint(data, at, stop)[0]
        if tag & 7 == 0:
            _, at = varint(data, at, stop)
        elif tag & 7 == 2:
            length, at = varint(data, at, stop)
            at += length
        else:
            at += 8 if tag & 7 == 1 else 4
    raise TruncatedError


def _unpacked(data: bytes | mmap.mmap, at: int, end: int, kind: type[np.generic]) -> bytes:
    """A packed field of varints; negative ones stand there as 64-bit two's complement."""
    numbers = []
    while at < end:
        value, at = varint(data, at, end)
        numbers.append(value & 0xFFFF_FFFF_FFFF_FFFF)
    return np.array(numbers, np.uint64).astype(kind).tobytes()
