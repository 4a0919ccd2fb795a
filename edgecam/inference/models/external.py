"""Checks where an ONNX file keeps its numbers: inside, or in a file beside it, and nowhere else.

ONNX Runtime before 1.24 takes whatever path a tensor names (``external_data``, onnx/onnx.proto): a model from
anywhere could read ``/etc/passwd`` into its weights.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path

from edgecam.core.errors import ModelError
from edgecam.core.text import escape
from edgecam.host.beneath import regular_size
from edgecam.inference.models.protobuf import ForeignError, TruncatedError, fields

#: Graphs within graphs (loops, conditions) that are looked into.
MOST_DEEP = 16
#: Field numbers that lead on to tensors, by message.
_LEADS = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}
_EXTERNAL_DATA = 13  # of a tensor: entries of key (1) and value (2)


def check_external(path: Path) -> None:
    """Raise ModelError if a tensor's numbers lie elsewhere than in a regular file beside the model."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            if data.find(b"location") < 0:  # the key that names the file
                return
            names = set(_locations(data, 0, len(data), "model", MOST_DEEP))
    except (TruncatedError, ForeignError):
        raise ModelError(f"model {path} is damaged inside: copy or download it again") from None
    except (OSError, ValueError) as error:
        raise ModelError(f"model {path} cannot be read: {error}") from None
    for name in sorted(names):
        try:
            regular_size(path.parent, name)
        except OSError as error:
            raise ModelError(
                f"model {path} keeps weights in '{escape(name, 200)}', which is no file beside it "
                f"({error.strerror}): put that file into the same folder"
            ) from None


def _locations(data: mmap.mmap, at: int, end: int, kind: str, deep: int) -> Iterator[str]:
    if deep < 0:
        raise ForeignError
    for number, start, stop in fields(data, at, end):
        if kind == "tensor":
            if number == _EXTERNAL_DATA:
                pair = {n: bytes(data[a:b]) for n, a, b in fields(data, start, stop)}
                if pair.get(1) == b"location":
                    yield pair.get(2, b"").decode("utf-8", "replace")
            continue
        inside = _LEADS[kind].get(number)
        if inside is not None and stop <= end:
            yield from _locations(data, start, stop, inside, deep - (inside == "graph"))
