"""Reads the card out of an ONNX file without building a session, and says plainly what else a file may be.

An ONNX file is one protobuf ``ModelProto``. Only its top level is walked, and everything but the metadata is
skipped by its length: a 100 MB model costs microseconds, and neither ``onnx`` nor ``onnxruntime`` is needed.
"""

from __future__ import annotations

import mmap
from pathlib import Path

import msgspec

from edgecam.core.errors import ModelError
from edgecam.inference.models.card import METADATA_KEY, Card, card_from_json
from edgecam.inference.models.protobuf import ForeignError, TruncatedError, fields
from edgecam.inference.models.tensors import tensor_bytes

# Field numbers of ModelProto, onnx/onnx.proto. Every known one is listed: another number is not ONNX.
_GRAPH = 7
_METADATA_PROPS = 14
_INITIALIZER = 5  # of GraphProto
_KNOWN_FIELDS = frozenset({1, 2, 3, 4, 5, 6, 7, 8, 14, 20, 25, 26})

# What people hand over by mistake, by the bytes at an offset.
_OTHER_KINDS = (
    (0, b"version https://git-lfs", "a Git LFS pointer, not the model itself: run `git lfs pull`"),
    (0, b"<!DOCTYPE", "a web page, not a model: download the raw file"),
    (0, b"<html", "a web page, not a model: download the raw file"),
    (0, b"PK\x03\x04", "a zip archive (PyTorch's .pt is one), not ONNX: export the model to ONNX first"),
    (0, b"\x80\x02", "a Python pickle, not ONNX: export the model to ONNX first"),
    (0, b"\x89HDF", "an HDF5 file, not ONNX: convert the model to ONNX first"),
    (4, b"TFL3", "a TensorFlow Lite model, not ONNX: convert it with tf2onnx first"),
    (4, b"ORTM", "in ONNX Runtime's own .ort format: give the .onnx file that it was made from"),
)


def _entry(data: bytes | mmap.mmap, start: int, stop: int) -> tuple[str, str]:
    """A StringStringEntryProto: key is field 1, value field 2."""
    pair = {1: "", 2: ""}
    for number, at, end in fields(data, start, stop):
        pair[number] = bytes(data[at:end]).decode("utf-8", "replace")
    return pair[1], pair[2]


def _walk(data: bytes | mmap.mmap) -> dict[str, str]:
    metadata: dict[str, str] = {}
    has_graph = False
    try:
        for number, start, stop in fields(data, 0, len(data)):
            if number not in _KNOWN_FIELDS:
                raise ForeignError
            has_graph = has_graph or (number == _GRAPH and stop > start)
            if number == _METADATA_PROPS and stop <= len(data):
                key, value = _entry(data, start, stop)
                metadata[key] = value
    except TruncatedError:
        # A file that is not ONNX also runs past its end sooner or later; only one whose graph was met is cut.
        raise (TruncatedError if has_graph else ForeignError) from None
    if not has_graph:
        raise ForeignError
    return metadata


def read_metadata(path: Path) -> dict[str, str]:
    """The ONNX file's ``metadata_props``.

    Raises ModelError if the file is missing, unreadable, empty, cut short or not ONNX.
    """
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            raise ModelError(f"model {path} is no regular file: give the path of an .onnx file")
        with path.open("rb") as file:
            if path.stat().st_size == 0:
                raise ModelError(f"model {path} is empty (0 bytes): copy or download it again")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                for offset, magic, what in _OTHER_KINDS:
                    if data[offset : offset + len(magic)] == magic:
                        raise ModelError(f"model {path} is {what}")
                return _walk(data)
    except TruncatedError:
        size = path.stat().st_size
        raise ModelError(
            f"model {path} is cut short ({size:,} bytes): copy or download the whole file again"
        ) from None
    except ForeignError:
        raise ModelError(f"model {path} is not an ONNX file: give a model exported to ONNX") from None
    except FileNotFoundError:
        raise ModelError(f"model {path} does not exist: give the path of an .onnx file") from None
    except IsADirectoryError:
        raise ModelError(f"model {path} is a folder: give the path of an .onnx file in it") from None
    except OSError as error:
        raise ModelError(f"model {path} cannot be read: {error.strerror or error}") from None


def weights_sha256(path: Path) -> str | None:
    """Hex SHA-256 over the initialisers' raw bytes in graph order, as the card defines it.

    None if a tensor keeps its numbers in another file. Reads the whole file: 16
    MB took 70 ms on a busy test machine, so not for every start. ModelError as :func:`read_metadata`.
    """
    read_metadata(path)
    try:
        return _digest(path)
    except (TruncatedError, ForeignError):
        raise ModelError(f"model {path} is damaged inside: copy or download it again") from None


def _digest(path: Path) -> str | None:
    import hashlib  # brings OpenSSL, 4 MB; most starts need no digest

    digest = hashlib.sha256()
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for number, start, stop in fields(data, 0, len(data)):
            if number != _GRAPH:
                continue
            for part, tensor_start, tensor_stop in fields(data, start, stop):
                if part != _INITIALIZER:
                    continue
                numbers = tensor_bytes(data, tensor_start, tensor_stop)
                if numbers is None:
                    return None
                digest.update(numbers)
    return digest.hexdigest()


def embedded_card(path: Path) -> Card | None:
    """The card inside the ONNX file, or None if it has none; ModelError if the file or the card is broken."""
    text = read_metadata(path).get(METADATA_KEY)
    if text is None:
        return None
    try:
        return card_from_json(text)
    except msgspec.MsgspecError as error:
        raise ModelError(
            f"the card inside model {path} does not fit this version of edgecam ({error}): "
            "export the model again, or update edgecam"
        ) from None
