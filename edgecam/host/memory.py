"""Memory nobody needs goes back to the kernel: what only the start used, and the heap's high-water marks.

At the start, 45 of 75 MB of libraries' pages: linking, registering operators and building a session touch
nearly every page of cv2, ONNX Runtime and FFmpeg once, and the kernel maps their neighbours along with each
(64 kB at a time). They would stay resident until the board runs short, and count in whatever watches it
meanwhile. Unmapped, they stay in the page cache as long as there is room, and what is needed after all is
mapped again by a minor fault: 13 to 31 MB within a second.

While running, every minute, what is free on the heap: glibc keeps what the busiest moment of each of
its arenas (one for nearly every thread) took, so that a process of many threads grows for hours
without losing anything.
"""

from __future__ import annotations

import ctypes
import logging
import sys
from pathlib import Path
from threading import Event, Thread

log = logging.getLogger(__name__)

#: In a window with two cameras a minute frees 7 to 13 MB and takes 1 to 3 ms of a thread nobody waits for.
TRIM_EVERY_S = 60.0
#: The most glibc takes (mallopt(3): half of a thread's arena of 64 MB); a 4K frame has 25 MB.
LARGEST_ON_HEAP = 32 * 1024 * 1024
#: So much may stand free at an arena's end: all a thread's arena has. With 16 MB, 3 to 47 faults a frame.
KEPT_AT_END = 2 * LARGEST_ON_HEAP
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h
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


def give_back_heap() -> None:
    """Return what is free on the heap, which glibc would keep: 27 MB after parsing a model of 16 MB."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's; musl and macOS have none
    if trim is not None:
        trim(0)


def keep_frames_on_heap() -> None:
    """Have glibc neither map each frame by itself nor give the heap's end back at every second one.

    By itself it follows what is freed: after the first 720p frame (2.8 MB) the end of an arena goes back as
    soon as two are free there, and the next ones fault it in again page by page: 80 to 130 faults a frame of
    a file, 2 to 6 with this, and 3 % more frames. :class:`HeapTrimmer` gives it back now and then.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, LARGEST_ON_HEAP)
        mallopt(_M_TRIM_THRESHOLD, KEPT_AT_END)


class HeapTrimmer:
    """Gives the heap's free memory back every ``every_s``, from ``start`` to ``close``, on its own thread."""

    def __init__(self, every_s: float = TRIM_EVERY_S) -> None:
        self._every_s = every_s
        self._stop = Event()
        self._thread: Thread | None = None

    def start(self) -> None:
        """Begin; the first time after ``every_s``. Does nothing when already started."""
        if self._thread is None:
            self._stop.clear()
            self._thread = Thread(target=self._run, name="heap", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """End it, and wait for its thread. Idempotent."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._stop.set()
            thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._every_s):
            give_back_heap()
