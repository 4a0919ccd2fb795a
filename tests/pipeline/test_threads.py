"""Threads with one owner."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from edgecam.core.errors import EdgecamError
from edgecam.core.threads import OwnedThread


def test_the_kernel_knows_its_name() -> None:
    names: list[str] = []
    thread = OwnedThread(
        "a name longer than that", lambda: names.append(Path("/proc/thread-self/comm").read_text().strip())
    )
    thread.start()
    thread.join(10)
    assert names == ["a name longer t"]


def test_the_owner_gets_what_it_raised() -> None:
    thread = OwnedThread("raises", lambda: [][0])
    thread.start()
    thread.join(10)
    assert isinstance(thread.error, IndexError)
    assert not thread.alive


def test_one_that_does_not_stop_is_an_error() -> None:
    go = threading.Event()

    def wait() -> None:
        go.wait()

    thread = OwnedThread("waits", wait)
    thread.join(0.0)  # never started: nothing to wait for
    thread.start()
    try:
        with pytest.raises(EdgecamError, match="'waits' did not stop"):
            thread.join(0.05)
    finally:
        go.set()
        thread.join(10)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="threads have no places here")
def test_it_stays_on_the_cpu_it_was_given_and_nobody_else_does() -> None:
    free = os.sched_getaffinity(0)
    places: list[set[int]] = []
    # a CPU that is not there leaves it where the kernel puts it
    for cpu in (min(free), 4095):
        thread = OwnedThread("placed", lambda: places.append(os.sched_getaffinity(0)), cpu=cpu)
        thread.start()
        thread.join(10)
        assert thread.error is None
    assert places == [{min(free)}, free]
    assert os.sched_getaffinity(0) == free
