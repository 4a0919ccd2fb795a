"""What a clip without a sidecar says of itself at its end: a ``free`` box, which players skip.

A clip that the user named has no file beside it, and what was seen in it is known only when it is over.
"""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path
from typing import Any

from edgecam.host.beneath import open_beneath

#: Endings of the containers that may end in one.
SUFFIXES = (".mp4", ".mov", ".m4v")
#: No such box is longer, bytes.
LONGEST = 64 << 10
_START = b'free{"edgecam": 1, '


def closing_box(data: dict[str, Any]) -> bytes:
    """The box's bytes; empty if ``data`` is too long for one."""
    body = json.dumps({"edgecam": 1, **data}).encode("ascii")
    return struct.pack(">I4s", 8 + len(body), b"free") + body if 8 + len(body) <= LONGEST else b""


def read_closing(folder: Path, name: str) -> bytes:
    """The JSON of the box at the file's end, whoever wrote it; empty where there is none. Raises OSError."""
    with os.fdopen(open_beneath(folder, name), "rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - LONGEST))
        tail = file.read(LONGEST)
    at = tail.rfind(_START) - 4
    if at < 0 or struct.unpack(">I", tail[at : at + 4])[0] != len(tail) - at:
        return b""
    return tail[at + 8 :]
