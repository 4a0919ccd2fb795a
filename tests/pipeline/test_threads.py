"""Threads with one owner."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from edgecam.errors import EdgecamError
from edgecam.pipeline.threads import OwnedThread


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
    thread = OwnedThread("waits", lambda: bool(go.wait()))
    thread.join(0.0)  # never started: nothing to wait for
    thread.start()
    try:
        with pytest.raises(EdgecamError, match="'waits' did not stop"):
            thread.join(0.05)
    finally:
        go.set()
        thread.join(10)
