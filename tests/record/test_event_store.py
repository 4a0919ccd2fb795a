"""Events on the disk: whole lines whatever happens, an index made anew from them, days kept as promised."""

from __future__ import annotations

import errno
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Literal

import pytest

from edgecam.core.events import Event, event_id, event_key
from edgecam.record.clip import ClipSummary
from edgecam.record.library.catalogue import ClipInfo
from edgecam.record.library.event_retention import retain_events
from edgecam.record.library.events import INDEX_NAME, EventFilter, EventStore, placed
from edgecam.record.library.index import Library
from edgecam.record.library.journal import (
    FOLDER,
    EventJournal,
    day_files,
    keep_picture,
    keep_rules,
    read_lines,
    rules_at,
)
from edgecam.record.library.refusals import Refusals
from edgecam.record.library.retention import Keep

NOON = datetime(2026, 11, 20, 12, tzinfo=timezone.utc).timestamp()


def event(number: int, at_s: float, kind: Literal["new", "update", "end"] = "new", **more: Any) -> Event:
    start = NOON + number
    about: dict[str, Any] = {
        "label": "person",
        "camera": "front",
        "rule": f"r{number % 2}",
        "zones": ("door",),
    }
    return Event(
        id=event_id(start, number), type=kind, kind="object", start_time=start, time=at_s,
        end_time=at_s if kind == "end" else None, **(about | more),
    )  # fmt: skip


def fill(folder: Path, count: int = 10) -> list[Event]:
    journal = EventJournal(folder)
    journal.open()
    told = [e for n in range(count) for e in (event(n, NOON + n), event(n, NOON + n + 5, "end"))]
    for one in told:
        journal.write(one)
    journal.close()
    return told


def test_events_come_back_in_order_and_by_filter(tmp_path: Path) -> None:
    told = fill(tmp_path)
    with EventStore(tmp_path) as store:
        assert [e for _, e in store.since(None)] == told
        assert [e for _, e in store.since(event_key(told[6]))] == told[7:]
        assert [e for _, e in store.since("nonsense")] == told
        assert [e.type for e in store.events()] == ["end"] * 10
        assert [e.id for e in store.events(newest=3)] == [e.id for e in told[1::2]][-3:]
        assert {e.rule for e in store.events(EventFilter(rule="r1"))} == {"r1"}
        assert len(store.events(EventFilter(since=NOON + 10, until=NOON + 8))) == 3
        assert store.events(EventFilter(zone="doo")) == []
        assert len(store.events(EventFilter(zone="door", camera="front", label="person"))) == 10
        assert store.find(told[0].id[-6:]) == told[1]
        assert store.moments(told[0].id) == told[:2]
        for wanted in (
            EventFilter(rule="r1"),
            EventFilter(since=NOON + 10, until=NOON + 8),
            EventFilter(zone="x"),
        ):
            assert [e.id for e in store.events(wanted)] == [e.id for e in told[1::2] if wanted.lets_by(e)]


def test_an_index_that_is_gone_damaged_or_of_another_version_is_made_anew(tmp_path: Path) -> None:
    told = fill(tmp_path)
    index = tmp_path / FOLDER / INDEX_NAME
    with EventStore(tmp_path) as store:
        before = list(store.since(None))
    index.unlink()
    with EventStore(tmp_path) as store:
        assert list(store.since(None)) == before
    index.write_bytes(b"this is no database" * 1000)
    for suffix in ("-wal", "-shm"):
        Path(f"{index}{suffix}").unlink(missing_ok=True)
    with EventStore(tmp_path) as store:
        assert [e for _, e in store.since(None)] == told
    with sqlite3.connect(index) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with EventStore(tmp_path) as store:
        assert [e for _, e in store.since(None)] == told


def test_bad_lines_cost_themselves_only(tmp_path: Path) -> None:
    told = fill(tmp_path, 4)
    (path,) = day_files(tmp_path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(
        b"".join([*lines[:3], b"{rubbish\n", b'{"v": 9}\n', b"\n", *lines[3:], b'{"v": 1, "id": "cut'])
    )
    with EventStore(tmp_path) as store:
        assert [e for _, e in store.since(None)] == told
    # and the next one begins on a line of its own
    journal = EventJournal(tmp_path)
    journal.open()
    journal.write(event(50, NOON + 50))
    journal.close()
    with EventStore(tmp_path) as store:
        assert [e for _, e in store.since(None)] == [*told, event(50, NOON + 50)]


def test_two_instances_write_two_files_and_nothing_is_lost(tmp_path: Path) -> None:
    first, second = EventJournal(tmp_path), EventJournal(tmp_path)
    for journal in (first, second):
        journal.open()
    for n in range(5):
        first.write(event(n, NOON + n))
        second.write(event(100 + n, NOON + n))
    first.close()
    second.close()
    assert len(day_files(tmp_path)) == 2
    with EventStore(tmp_path) as store:
        assert len(list(store.since(None))) == 10


WRITER = """
import sys
from dataclasses import replace
from pathlib import Path
from edgecam.core.events import Event, event_id
from edgecam.record.library.journal import EventJournal
journal = EventJournal(Path(sys.argv[1]))
journal.open()
start = int(sys.argv[2])
for n in range(start, start + 100000):
    journal.write(Event(id=event_id(float(n), n), type="new", kind="object", camera="front",
                        start_time=float(n), time=1795176000.0, path=((0.0, 0.5, 0.5),) * 20))
    print(n, flush=True)
"""


@pytest.mark.once
def test_killed_thirty_times_no_event_that_was_written_is_lost_or_told_twice(tmp_path: Path) -> None:
    rng = random.Random(0)
    written: list[int] = []
    for _ in range(30):
        begin = (written[-1] + 1) if written else 0
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), str(begin)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(rng.uniform(0, 0.05))
        process.send_signal(signal.SIGKILL)
        rest, _ = process.communicate()
        # what was said after its write; the last may have been written without being said
        last = int(rest.split()[-1]) if rest.split() else begin
        written += range(begin, last + 1)
        with EventStore(tmp_path) as store:
            kept = [int(e.start_time) for _, e in store.since(None, limit=-1)]
        assert len(kept) == len(set(kept))
        assert set(written) <= set(kept)
        assert kept == sorted(kept)
        written = kept


def test_a_full_disk_costs_events_and_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    journal = EventJournal(tmp_path)
    journal.open()
    journal.write(event(0, NOON))
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, bytes(data)[: len(data) // 2]))
    for n in range(3):
        journal.write(event(n + 1, NOON + n))
    monkeypatch.undo()
    journal.write(event(9, NOON + 9))
    journal.close()
    assert journal.lost == 3
    assert [r.levelname for r in caplog.records] == ["ERROR", "WARNING"]
    with EventStore(tmp_path) as store:
        assert [e for _, e in store.since(None)] == [event(0, NOON), event(9, NOON + 9)]


test_a_full_disk_costs_events_and_is_told_once = pytest.mark.allow_error_log(
    test_a_full_disk_costs_events_and_is_told_once
)


def _summary(folder: Path, started: datetime) -> ClipSummary:
    return ClipSummary(
        {"annotated": folder / f"{started:%d}.mp4"}, None, "front", started, 60.0, 10, 0, 1000, (2, 2),
        (), (), "", (),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("keep", "left"),
    [
        (Keep(), [0, 1, 2, 5, 9, 20]),
        (Keep(days=4), [0, 1, 2, 20]),
        (Keep(nbytes=1 << 30), [0, 1, 2, 5, 9, 20]),
        (Keep(nbytes=2000), [0, 1, 2, 20]),
    ],
)
def test_days_of_events_go_as_clips_do(tmp_path: Path, keep: Keep, left: list[int]) -> None:
    """Clips of one, two and, protected, 20 days ago are left."""
    now = datetime(2026, 11, 28, 12, tzinfo=timezone.utc)
    journal = EventJournal(tmp_path)
    journal.open()
    names = {}
    for days in (20, 9, 5, 2, 1, 0):
        at_s = (now - timedelta(days=days)).timestamp()
        one = replace(event(days, at_s), id=event_id(at_s, days), start_time=at_s)
        journal.write(one)
        names[days] = f"{one.id}.jpg"
        assert keep_picture(tmp_path, names[days], b"jpeg")
    journal.close()
    with Library(tmp_path, update=False) as library:
        for days in (20, 1, 2):
            library.add(_summary(tmp_path, now - timedelta(days=days)))
        library.protect(next(library.oldest_first()), True)
        retain_events(library, keep, now)
    with EventStore(tmp_path) as store:
        days_left = sorted(round((now.timestamp() - e.start_time) / 86400) for e in store.events())
    assert days_left == left
    assert {p.name for p in (tmp_path / FOLDER).glob("*.jpg")} == {names[days] for days in left}


@pytest.mark.allow_error_log
def test_events_that_cannot_be_deleted_are_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / FOLDER).mkdir()
    for day in (1, 2, 3):
        (tmp_path / FOLDER / f"2026-11-0{day}.jsonl").touch()
    now, refusals = datetime(2026, 11, 28, 12, tzinfo=timezone.utc), Refusals("days of events")

    def refuse(path: Path, missing_ok: bool = False) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    with Library(tmp_path) as library:
        with monkeypatch.context() as patch:
            patch.setattr(Path, "unlink", refuse)
            for _ in range(3):
                assert retain_events(library, Keep(days=4), now, refusals=refusals) == 0
        assert [r.levelname for r in caplog.records] == ["ERROR"]
        assert retain_events(library, Keep(days=4), now, refusals=refusals) == 3
    assert "days of events can be deleted again" in caplog.text


def test_an_event_finds_its_clip_and_loses_one_that_is_gone() -> None:
    now = datetime.fromtimestamp(NOON, timezone.utc)
    clips = [ClipInfo(0, "a.mp4", {}, "front", now, 60.0, 10, 0, 1000, (2, 2), (), (), "", False, False, ())]
    inside = event(20, NOON + 30, "end")
    (found,) = placed([inside], clips)
    assert (found.clip, found.clip_s) == ("a.mp4", 20.0)
    (found,) = placed([replace(inside, clip="gone.mp4", clip_s=3.0)], [])
    assert (found.clip, found.clip_s) == (None, None)
    (found,) = placed([replace(event(500, NOON + 501, "end"), camera="rear")], clips)
    assert found.clip is None


def test_the_rules_of_then_are_known(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir()
    for at_s, rules in ((10.0, {"zones": 1}), (20.0, {"zones": 1}), (30.0, {"zones": 2})):
        keep_rules(tmp_path, at_s, rules)
    assert rules_at(tmp_path, 5.0) is None
    assert rules_at(tmp_path, 25.0) == {"zones": 1}
    assert rules_at(tmp_path, 31.0) == {"zones": 2}
    assert len((tmp_path / FOLDER / "rules.jsonl").read_text().splitlines()) == 2


def test_lines_are_read_from_where_one_stopped(tmp_path: Path) -> None:
    told = fill(tmp_path, 3)
    (path,) = day_files(tmp_path)
    first = next(read_lines(path))
    assert [e for _, _, e in read_lines(path, first[1])] == told[1:]
