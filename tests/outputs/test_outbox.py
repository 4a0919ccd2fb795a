"""Events wait on disk: in order, at least once, across kills and damaged files."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from edgecam.core.errors import EdgecamError
from edgecam.core.events import Event, event_id
from edgecam.outputs import courier as courier_module
from edgecam.outputs.courier import Courier, NotDelivered
from edgecam.outputs.outbox import Outbox


def event(number: int) -> Event:
    return Event(
        id=event_id(number, "a"), type="new", kind="object", camera="front", label="person", time=number
    )


def test_what_was_put_comes_back_in_order_after_a_restart(tmp_path: Path) -> None:
    box = Outbox(tmp_path / "o.sqlite")
    assert all(box.put(f"k{i}", f"body {i}") for i in range(5))
    assert not box.put("k3", "again")
    first = box.first(0)
    assert first is not None and (first.body, first.tries) == ("body 0", 0)
    box.done(first)
    second = box.first(0)
    box.close()
    again = Outbox(tmp_path / "o.sqlite")
    assert len(again) == 4 and not again.put("k0", "delivered already")
    found = again.first(0)
    assert found is not None and second is not None and (found.key, found.tries) == (second.key, 1)
    again.close()
    assert (tmp_path / "o.sqlite").stat().st_mode & 0o777 == 0o600


def test_it_is_bounded_and_counts_what_went(tmp_path: Path) -> None:
    box = Outbox(tmp_path / "o.sqlite", most_events=3)
    for i in range(10):
        box.put(str(i), "x")
    first = box.first(0)
    assert (len(box), box.dropped) == (3, 7) and first is not None and first.key == "7"
    box.close()
    small = Outbox(tmp_path / "p.sqlite", most_bytes=100)
    for i in range(10):
        small.put(str(i), "x" * 40)
    assert len(small) == 2 and small.dropped == 8
    small.close()


def test_a_damaged_file_is_set_aside(tmp_path: Path) -> None:
    (tmp_path / "o.sqlite").write_bytes(b"no database at all" * 100)
    box = Outbox(tmp_path / "o.sqlite")
    assert box.put("a", "b") and (tmp_path / "o.sqlite.damaged").exists()
    box.close()
    (tmp_path / "file").write_text("")
    with pytest.raises(EdgecamError, match="give the state folder space and write permission"):
        Outbox(tmp_path / "file" / "o.sqlite")


CHILD = """
import os, sys, signal
from pathlib import Path
from edgecam.outputs.outbox import Outbox
box = Outbox(Path(sys.argv[1]))
n = int(sys.argv[2])
for i in range(n, n + 4):
    box.put(str(i), str(i))
    print(i, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_kills_lose_nothing(tmp_path: Path) -> None:
    told = []
    for start in range(0, 12, 4):
        done = subprocess.run(
            [sys.executable, "-c", CHILD, str(tmp_path / "o.sqlite"), str(start)],
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == -9, done.stderr
        told += done.stdout.split()
    box, kept = Outbox(tmp_path / "o.sqlite"), []
    while (waiting := box.first(0)) is not None:
        kept.append(waiting.body)
        box.done(waiting)
    box.close()
    assert kept == told == [str(i) for i in range(12)]


def test_a_courier_tries_again_in_order_and_gives_up_what_is_hopeless(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(courier_module, "FIRST_PAUSE_S", 0.01)
    tries: list[float] = []
    arrived: list[float] = []
    over = threading.Event()

    def deliver(event: Event) -> None:
        tries.append(event.time)
        if event.time == 1 and tries.count(1) < 3:
            raise NotDelivered("the door is closed")
        if event.time == 2:
            raise NotDelivered("400: not like that", final=True)
        arrived.append(event.time)
        if event.time == 4:
            over.set()

    courier = Courier("door", tmp_path, deliver, wants=lambda e: e.time != 3)
    courier.open()
    for number in range(5):
        courier.write(event(number))
    assert over.wait(30)
    courier.close()
    assert arrived == [0, 1, 4] and tries == [0, 1, 1, 1, 2, 4]
    assert (courier.delivered, courier.given_up, courier.fault) == (3, 1, "")


def test_what_is_not_delivered_at_the_end_goes_out_next_time(tmp_path: Path) -> None:
    begun = threading.Event()

    def refuse(_: Event) -> None:
        begun.set()
        raise NotDelivered("away")

    first = Courier("door", tmp_path, refuse)
    first.open()
    first.write(event(1))
    assert begun.wait(30)
    first.close()
    got: list[Event] = []
    arrived = threading.Event()

    def deliver(found: Event) -> None:
        got.append(found)
        arrived.set()

    second = Courier("door", tmp_path, deliver)
    second.open()
    assert arrived.wait(30)
    second.close()
    assert got == [event(1)]


_FULL_DISK = """
import resource, sys, threading, time
from pathlib import Path
import edgecam.outputs.courier as module
from edgecam.core.events import Event, event_id
from edgecam.outputs.courier import Courier, NotDelivered

module.FIRST_PAUSE_S, folder = 0.02, Path(sys.argv[1])
got, away, unlimited = [], threading.Event(), resource.getrlimit(resource.RLIMIT_FSIZE)

def event(number):
    more = {"kind": "object", "camera": "front", "label": "person", "message": "x" * 6000}
    return Event(id=event_id(number, "object"), type="new", time=float(number), **more)

def deliver(event):
    if away.is_set():
        raise NotDelivered("away")
    got.append(event.time)

def until(met):
    for _ in range(3000):
        if met():
            return
        time.sleep(0.01)
    raise SystemExit(f"it never came: {got} {courier.fault} {courier.lost} {courier.waiting}")

courier = Courier("door", folder, deliver)
courier.open()
away.set()
for number in (1, 2):
    courier.write(event(number))
until(lambda: courier.fault == "away")
size = max(path.stat().st_size for path in folder.iterdir())
resource.setrlimit(resource.RLIMIT_FSIZE, (size, unlimited[1]))  # the disk is full from here on
for number in (3, 4):
    courier.write(event(number))
assert (courier.lost, courier.waiting) == (2, 2), (courier.lost, courier.waiting)
away.clear()
until(lambda: "give the disk space" in courier.fault)
resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
courier.write(event(5))
until(lambda: not courier.waiting and not courier.fault)
courier.close()
assert got == [1, 2, 5], got
"""


def test_a_full_disk_loses_what_it_cannot_take_and_nothing_more(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _FULL_DISK, str(tmp_path)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr + done.stdout


def test_what_nobody_foresaw_costs_one_event(tmp_path: Path) -> None:
    arrived: list[float] = []
    over = threading.Event()

    def deliver(event: Event) -> None:
        if event.time == 0:
            raise KeyError("colour")
        arrived.append(event.time)
        over.set()

    courier = Courier("door", tmp_path, deliver)
    courier.open()
    for number in range(2):
        courier.write(event(number))
    assert over.wait(30)
    courier.close()
    assert (arrived, courier.given_up) == ([1], 1)


def test_a_silent_server_does_not_hold_up_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(courier_module, "DRAIN_S", 0.05)
    monkeypatch.setattr(courier_module, "JOIN_S", 0.05)
    begun, answer = threading.Event(), threading.Event()

    def silent(_: Event) -> None:
        begun.set()
        answer.wait(60)

    courier = Courier("door", tmp_path, silent)
    courier.open()
    courier.write(event(1))
    assert begun.wait(30)
    courier.close()  # while the delivery still waits
    assert not answer.is_set() and courier.waiting == 1
    answer.set()
    (left,) = (thread for thread in threading.enumerate() if thread.name == "out-door")
    left.join(30)
    assert not left.is_alive() and courier.waiting == 0, "an answer that comes after all is noted"
