"""What other users of this machine see of our command line (``ps``, ``/proc/PID/cmdline``)."""

from __future__ import annotations

import ctypes
from pathlib import Path


def hide_argument(secret: str) -> bool:
    """Overwrite ``secret`` with ``x`` wherever it stands in our own arguments; whether it is gone.

    The kernel shows the arguments from our own memory (proc(5), arg_start and arg_end), where we may write.
    """
    raw = secret.encode("utf-8", "surrogateescape")
    try:
        # the command's name may hold spaces and brackets: count from the last one
        words = Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()
        start, end = int(words[45]), int(words[46])
        shown = Path("/proc/self/cmdline").read_bytes()
        if not raw or not 0 < start < end or ctypes.string_at(start, end - start) != shown:
            return False
        at = shown.find(raw)
        while at >= 0:
            ctypes.memset(start + at, ord("x"), len(raw))
            at = shown.find(raw, at + len(raw))
        return raw not in Path("/proc/self/cmdline").read_bytes()
    except (OSError, ValueError, IndexError):
        return False
