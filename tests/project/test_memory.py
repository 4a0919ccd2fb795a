"""Pages of the start go, relocations stay, the heap is given back, and everything works on."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from edgecam.host.memory import _clean_libraries

SMAPS = b"""\
5560-5570 r-xp 00000000 08:01 11 /usr/bin/python3.11
Rss:                  40 kB
Anonymous:             0 kB
7000-7100 r-xp 00000000 08:01 12                   /usr/lib/libav one.so.60
Size:                 64 kB
Rss:                  16 kB
Anonymous:             0 kB
7100-7200 r--p 00000000 08:01 12                   /usr/lib/libav one.so.60
Rss:                  12 kB
Anonymous:             4 kB
7200-7300 rw-p 00000000 08:01 12                   /usr/lib/libav one.so.60
Rss:                   8 kB
Anonymous:             0 kB
7300-7400 r--s 00000000 08:01 13                   /srv/shared.so
Rss:                   8 kB
Anonymous:             0 kB
7400-7500 r--p 00000000 08:01 14                   /usr/lib/old.so (deleted)
Rss:                   8 kB
Anonymous:             0 kB
7500-7600 r--p 00000000 08:01 15                   /usr/lib/never.so
Rss:                   0 kB
Anonymous:             0 kB
7600-7700 rw-p 00000000 00:00 0
Rss:                   8 kB
Anonymous:             8 kB
7700-7800 r--p 00000000 08:01 16                   /usr/lib/some.so.d/table
Rss:                   8 kB
Anonymous:             0 kB
ffff-fffff r-xp 00000000 00:00 0                   [vdso]
Rss:                   8 kB
Anonymous:             0 kB
VmFlags: rd ex mr mw me de
"""

PROGRAM = """
import zlib, cv2, numpy as np
from edgecam.host.memory import unmap_unused_code
def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096
def work():
    image = np.arange(300 * 200 * 3, dtype=np.uint32).astype(np.uint8).reshape(200, 300, 3)
    small = cv2.GaussianBlur(cv2.resize(image, (77, 55)), (5, 5), 2)
    return zlib.crc32(cv2.imencode(".png", small)[1].tobytes()), float(np.linalg.det(np.eye(3) * 2.0))
before = work()
was = resident()
said = unmap_unused_code()
gone = was - resident()
assert work() == before
print(said, gone)
"""


def test_only_clean_pages_of_libraries_may_go() -> None:
    assert _clean_libraries(SMAPS) == [(0x7000, 0x7100, 16 * 1024)]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/smaps")
def test_a_program_is_smaller_afterwards_and_computes_the_same() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stderr
    said, gone = map(int, done.stdout.split())
    assert gone > 10_000_000
    assert said == pytest.approx(gone, rel=0.2)


HEAP = """
import threading, time
from edgecam.host.memory import HeapTrimmer
def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096
def busy():
    # 100 kB each: from the arena, not mapped one by one; what stays, here and there, keeps its top in place
    blocks = [bytearray(b"x") * 100_000 for _ in range(400)]
    keep.extend(blocks[1::8])
keep = []
was = resident()
thread = threading.Thread(target=busy)
thread.start()
thread.join()
grown = resident() - was
trimmer = HeapTrimmer(every_s=0.05)
trimmer.start()
deadline = time.monotonic() + 20
while resident() - was > grown / 2 and time.monotonic() < deadline:
    time.sleep(0.05)
trimmer.close()
trimmer.close()
print(grown, resident() - was, threading.active_count())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="malloc_trim is glibc's")
def test_a_busy_moments_memory_goes_back_while_the_program_runs() -> None:
    done = subprocess.run([sys.executable, "-c", HEAP], capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stderr
    grown, left, threads = map(int, done.stdout.split())
    assert grown > 30_000_000  # glibc keeps it all
    assert left < grown / 2
    assert threads == 1


FRAMES = """
import resource, sys, threading
import numpy as np
from edgecam.host.memory import keep_frames_on_heap
if sys.argv[1] == "keep":
    keep_frames_on_heap()
def play():
    for turn in range(103):
        frames = [np.ones((720, 1280, 3), np.uint8) for _ in range(3)]
        if turn == 2:
            begin.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
begin = []
thread = threading.Thread(target=play)
thread.start()
thread.join()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - begin[0])
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
def test_frames_that_come_and_go_are_not_faulted_in_each_time() -> None:
    faults = {
        how: int(
            subprocess.run(
                [sys.executable, "-c", FRAMES, how], capture_output=True, text=True, timeout=110, check=True
            ).stdout
        )
        for how in ("leave", "keep")
    }
    assert faults["leave"] > 100 * 675  # at least one frame's pages in each round
    assert faults["keep"] < 5000
