"""The processors of this machine, CPUs for threads to stay on, and the folder of caches."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def cache_folder() -> Path:
    """The folder of caches, which edgecam can make again: ``$XDG_CACHE_HOME/edgecam``."""
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "edgecam"


def cpu_count() -> int:
    """CPUs this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def own_cpus(threads: int) -> tuple[int, ...]:
    """A CPU for each thread of an inference that takes them all, its caller's first; else empty.

    Threads that sleep between frames are woken where their waker runs, and the kernel leaves them there: two
    on one CPU, and the other idle, for a whole inference (measured: 7.4 instead of 5.3 ms with two threads at
    30 frames a second). Empty where the kernel has a choice to make: fewer threads than CPUs, or CPUs of
    different speed.
    """
    if threads < 2 or not hasattr(os, "sched_getaffinity"):
        return ()
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) != threads:
        return ()
    return tuple(cpus) if len({_capacity(cpu) for cpu in cpus}) == 1 else ()


@contextmanager
def on_cpu(cpu: int | None) -> Iterator[None]:
    """Keep this thread on ``cpu`` meanwhile (see :func:`own_cpus`); None leaves it where it is."""
    if cpu is None:
        yield
        return
    free = os.sched_getaffinity(0)
    with suppress(OSError):  # it was taken away from the process: anywhere will do
        os.sched_setaffinity(0, {cpu})
    try:
        yield
    finally:
        with suppress(OSError):
            os.sched_setaffinity(0, free)


def _capacity(cpu: int) -> str:
    """How fast the kernel takes a CPU to be; "" where it makes no difference between them."""
    with suppress(OSError):
        return Path(f"/sys/devices/system/cpu/cpu{cpu}/cpu_capacity").read_text(encoding="ascii").strip()
    return ""
