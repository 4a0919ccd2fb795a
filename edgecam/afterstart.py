"""What only the start needed goes back to the kernel: 45 of 75 MB of libraries' pages.

Linking, registering operators and building a session touch nearly every page of cv2, ONNX Runtime and FFmpeg
once, and the kernel maps their neighbours along with each (64 kB at a time). They would stay resident until
the board runs short, and count in whatever watches it meanwhile. Unmapped, they stay in the page cache as
long as there is room, and what is needed after all is mapped again by a minor fault: 13 to 31 MB within a
second.
"""

from __future__ import annotations

import ctypes
import logging
import sys
from pathlib import Path

log = logging.getLogger(__name__)

_MADV_DONTNEED = 4  # linux/mman.h, the same on x86-64 and aarch64


def unmap_unused_code() -> int:
    """Unmap the read-only pages of all loaded libraries; bytes that were resident. Linux; elsewhere 0.

    Only mappings of which no page was ever written (``Anonymous: 0``): a library's relocations, which cannot
    be read back from its file, stay. Only files that are libraries: they are not unloaded, so that nothing
    else can stand at their place between looking and unmapping. Takes 10 to 40 ms once; the caller's thread.
    """
    if sys.platform != "linux":
        return 0
    try:
        found = _clean_libraries(Path("/proc/self/smaps").read_bytes())
        libc = ctypes.CDLL(None, use_errno=True)
        libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
        freed = 0
        for start, end, resident in found:
            if libc.madvise(start, end - start, _MADV_DONTNEED) == 0:
                freed += resident
    except (OSError, AttributeError, ValueError) as error:  # a kernel or libc without it
        log.debug("code of the start stays resident: %r", error)
        return 0
    log.debug("%.1f MB of the libraries' pages unmapped", freed / 1e6)
    return freed


def _clean_libraries(smaps: bytes) -> list[tuple[int, int, int]]:
    """(start, end, resident bytes) of each mapping that may go."""
    found: list[tuple[int, int, int]] = []
    bounds: tuple[int, int] | None = None
    resident = 0
    for line in smaps.splitlines():
        first, _, rest = line.partition(b" ")
        if not first.endswith(
            b":"
        ):  # a mapping's head: 7f00-7f80 r-xp 00000000 08:01 1234  /usr/lib/libc.so.6
            rights, *_, name = rest.split(maxsplit=4)
            is_library = b".so" in name.rpartition(b"/")[2] and not name.endswith(b"(deleted)")
            is_ours = is_library and rights[:2] == b"r-" and rights[3:4] == b"p"
            low, _, high = first.partition(b"-")
            bounds = (int(low, 16), int(high, 16)) if is_ours else None
            resident = 0
        elif bounds is not None:
            if first == b"Rss:":
                resident = int(rest.split()[0]) * 1024
            elif first == b"Anonymous:" and resident and int(rest.split()[0]) == 0:
                found.append((*bounds, resident))
    return found
