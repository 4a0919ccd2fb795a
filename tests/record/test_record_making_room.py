"""Making room: what a disk refuses is told once, and nothing is read or asked for that need not be."""

from __future__ import annotations

import errno
import logging
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from shelf_kit import NOW, filled, left, put

from edgecam.record import writer
from edgecam.record.library.catalogue import ClipInfo, from_row
from edgecam.record.library.event_retention import retain_events
from edgecam.record.library.index import CHUNK, Library
from edgecam.record.library.journal import FOLDER
from edgecam.record.library.refusals import PER_ROUND, Refusals
from edgecam.record.library.retention import Clocks, Keep, apply_retention, measure
from edgecam.record.options import RecordOptions, Target


@pytest.fixture
def shelf(tmp_path: Path) -> Library:
    return filled(tmp_path)


def refuse(monkeypatch: pytest.MonkeyPatch, library: Library, code: int, *, only: str = "") -> list[str]:
    """Have the disk refuse to delete all clips, or ``only`` one; the names of those that are tried."""
    tried, real = list[str](), library.delete

    def delete(clip: ClipInfo) -> int:
        tried.append(Path(clip.name).stem)
        if only in ("", tried[-1]):
            raise OSError(code, os.strerror(code), clip.name)
        return real(clip)

    monkeypatch.setattr(library, "delete", delete)
    return tried


@pytest.mark.allow_error_log
@pytest.mark.parametrize("keep", [Keep(days=3), Keep(nbytes=10), Keep(free_percent=100.0)])
@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES])
def test_a_folder_that_refuses_is_asked_once_a_round_and_told_once(
    shelf: Library, keep: Keep, code: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    refusals = Refusals("clips")
    with shelf:
        with monkeypatch.context() as patch:
            tried = refuse(patch, shelf, code)
            for _ in range(5):
                wrong = apply_retention(shelf, keep, clocks=Clocks(NOW), refusals=refusals)
        assert tried == ["a"] * 5
        (told,) = caplog.records
        assert told.levelname == "ERROR" and "clip 'a.mp4' should go because" in told.getMessage()
        assert (os.strerror(code) in wrong) == bool(keep.free_percent) and "no clip is left" not in wrong
        caplog.clear()
        for _ in range(2):
            apply_retention(shelf, keep, clocks=Clocks(NOW), refusals=refusals)
        assert [r.getMessage() for r in caplog.records].count("clips can be deleted again") == 1
        assert left(shelf) == ("d" if keep.days else "")


@pytest.mark.allow_error_log
def test_a_clip_that_alone_cannot_be_deleted_holds_up_no_other(
    shelf: Library, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    refusals = Refusals("clips")
    with shelf:
        refuse(monkeypatch, shelf, errno.EPERM, only="a")
        for _ in range(3):
            apply_retention(shelf, Keep(days=3), clocks=Clocks(NOW), refusals=refusals)
        assert left(shelf) == "ad"
    assert [r.levelname for r in caplog.records] == ["ERROR", "INFO", "INFO"]


@pytest.mark.allow_error_log
def test_a_round_tries_only_so_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Library(tmp_path) as library:
        for number in range(PER_ROUND + 5):
            put(library, f"{number:02}", 9.0)
        tried = refuse(monkeypatch, library, errno.EPERM)
        apply_retention(library, Keep(days=3), clocks=Clocks(NOW))
        assert len(tried) == PER_ROUND


def test_no_clip_is_read_while_nothing_has_to_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every ten seconds 10,000 rows were read three times: 0.8 s of CPU."""
    (tmp_path / FOLDER).mkdir()
    read = list[str]()

    def count(row: tuple[Any, ...]) -> ClipInfo:
        read.append(row[1])
        return from_row(row)

    with Library(tmp_path) as library:
        for number in range(3 * CHUNK):
            put(library, f"{number:03}", 9.0 - number / 100)
        (tmp_path / FOLDER / "2026-11-01.jsonl").touch()
        monkeypatch.setattr("edgecam.record.library.index.from_row", count)
        held = Keep(days=10, nbytes=10**9)
        assert apply_retention(library, held, clocks=Clocks(NOW)) == ""
        assert measure(library, held).used == 3000 * CHUNK and retain_events(library, held, NOW) == 1
        assert not read
        apply_retention(library, Keep(days=8.985), clocks=Clocks(NOW))
        apply_retention(library, Keep(nbytes=3000 * CHUNK - 3000), clocks=Clocks(NOW))
        assert len(set(read)) <= CHUNK + 3
        monkeypatch.undo()
        assert left(library).startswith("003004")


def test_more_than_are_read_at_once_go_in_one_round(tmp_path: Path) -> None:
    with Library(tmp_path) as library:
        for number in range(2 * CHUNK + 2):
            put(library, f"{number:03}", 9.0)
        library.protect(next(library.oldest_first()), True)
        apply_retention(library, Keep(nbytes=2500), clocks=Clocks(NOW))
        assert left(library) == f"000{2 * CHUNK + 1:03}"


def test_the_disks_thread_is_asked_for_room_once_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "RETENTION_S", 0.0)
    made = writer.ClipWriter(Target(tmp_path, RecordOptions(live=True, keep_free_percent=0.0)))
    held, rounds = threading.Event(), list[int]()

    def stand_still(growing: int) -> None:
        rounds.append(growing)
        assert held.wait(60)

    monkeypatch.setattr(made.upkeep, "apply_retention", stand_still)
    monkeypatch.setattr(made.upkeep, "begin", lambda: None)
    made.open()
    try:
        for _ in range(5):
            made.look()
        held.set()
        assert made.flush(60) and len(rounds) == 1
        made.look()
        assert made.flush(60) and len(rounds) == 2
    finally:
        held.set()
        made.close()
