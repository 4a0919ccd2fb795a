"""Where the threads of one inference run: each on a CPU of its own, if they are as many as the CPUs."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from edgecam.host import cpu as host
from edgecam.host.cpu import cpu_count, own_cpus
from edgecam.inference.detector import OnnxDetector

pytestmark = pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="threads have no places here")


def places() -> dict[int, set[int]]:
    """Thread → the CPUs it may run on."""
    return {
        int(task.name): os.sched_getaffinity(int(task.name)) for task in Path("/proc/self/task").iterdir()
    }


def test_as_many_threads_as_cpus_have_one_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {7, 2, 4, 5})
    monkeypatch.setattr(host, "_capacity", lambda _: "1024")
    assert own_cpus(4) == (2, 4, 5, 7)
    assert own_cpus(1) == own_cpus(3) == own_cpus(5) == ()
    monkeypatch.setattr(host, "_capacity", lambda cpu: "1024" if cpu < 5 else "446")
    assert own_cpus(4) == (), "four fast and slow cores: the kernel knows better"


@pytest.mark.skipif(cpu_count() < 2 or not own_cpus(cpu_count()), reason="needs two CPUs of one kind")
def test_the_sessions_threads_are_where_the_caller_is_not() -> None:
    before, free = places(), os.sched_getaffinity(0)
    detector = OnnxDetector("default", threads=cpu_count())
    started = {task: cpus for task, cpus in places().items() if task not in before}
    caller = detector.session.caller_cpu
    assert caller is not None
    assert sorted(map(sorted, started.values())) == [[cpu] for cpu in sorted(free - {caller})]
    assert os.sched_getaffinity(0) == free, "who builds it may go on wherever it likes"
    assert threading.active_count() < len(places())


def test_one_thread_has_no_place() -> None:
    assert OnnxDetector("default", threads=1).session.caller_cpu is None
