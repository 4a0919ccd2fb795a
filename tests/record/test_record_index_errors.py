"""Indexes of clips and events that are locked, damaged, or cannot be written: a sentence, never a lie."""

from __future__ import annotations

import resource
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from recording_kit import NS, clips_in, recording, result

from edgecam.cli.clips import index_errors
from edgecam.cli.main import main
from edgecam.core.errors import RecordError
from edgecam.core.events import Event, event_id
from edgecam.record.library import events as event_store
from edgecam.record.library.index import INDEX_NAME
from edgecam.record.library.journal import EventJournal

EVENT = Event(id=event_id(9.0, 1), type="new", kind="motion", camera="yard", time=9.0, start_time=9.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One clip in the index, one event that is not yet in its index."""
    place = tmp_path / "clips"
    with recording(place, camera="yard") as recorder:
        for i in range(10):
            recorder.write(result(i, i * NS // 15))
    assert main(["clips", "list", "--dir", str(place)]) == 0
    journal = EventJournal(place)
    journal.open()
    assert main(["events", "list", "--dir", str(place)]) == 0
    journal.write(EVENT)
    journal.close()
    return place


@contextmanager
def locked(index: Path) -> Iterator[None]:
    """By another program, which writes it."""
    with closing(sqlite3.connect(index, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        yield


@contextmanager
def full_disk() -> Iterator[None]:
    """No file of this process may grow."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def protected(folder: Path, capsys: pytest.CaptureFixture[str]) -> bool:
    capsys.readouterr()
    assert main(["clips", "list", "--dir", str(folder), "--protected"]) == 0
    return "no clips" not in capsys.readouterr().out


@pytest.mark.parametrize("trouble", ["locked", "full"])
def test_what_cannot_be_protected_is_not_said_to_be(
    folder: Path, capsys: pytest.CaptureFixture[str], trouble: str
) -> None:
    (clip,) = clips_in(folder)
    with locked(folder / INDEX_NAME) if trouble == "locked" else full_disk():
        assert main(["clips", "protect", "--dir", str(folder), clip.stem]) == 1
        said = capsys.readouterr()
    assert f"'{clip.name}' in '{folder}' cannot be changed: the index cannot be used now" in said.err
    assert "protected" not in said.out and clip.stat().st_mode & 0o200
    assert not protected(folder, capsys)
    assert main(["clips", "protect", "--dir", str(folder), clip.stem]) == 0
    assert protected(folder, capsys) and not clip.stat().st_mode & 0o222


def test_an_event_index_that_another_program_writes(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_store, "EVENTS_BUSY_MS", 50)
    capsys.readouterr()
    with locked(folder / "events" / event_store.INDEX_NAME):
        code = main(["events", "list", "--dir", str(folder)])
        said = capsys.readouterr()
        # as SQLite sees it: opened and refused, or not even opened, which costs a look at every file
        assert "unexpected" not in said.err
        assert (code == 1 and "another program writes it" in said.err) or (
            code == 0 and EVENT.id[-6:] in said.out
        )
    assert main(["events", "list", "--dir", str(folder)]) == 0
    assert EVENT.id[-6:] in capsys.readouterr().out


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (sqlite3.OperationalError("database is locked"), "cannot be used now.*another program writes it"),
        (
            sqlite3.OperationalError("attempt to write a readonly database"),
            "cannot be used now.*disk refuses",
        ),
        (sqlite3.DatabaseError("database disk image is malformed"), "is damaged.*delete it"),
        (sqlite3.OperationalError("no such table: clips"), "is damaged.*delete it"),
    ],
)
def test_each_error_says_what_to_do(error: sqlite3.Error, words: str) -> None:
    with pytest.raises(RecordError, match=words), index_errors(Path("/clips")):
        raise error
