"""The events beside the clips may be somebody else's work: nothing there stops, misleads or leaves them."""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest
from recording_kit import NS, recording, result

from edgecam.cli.main import main
from edgecam.core.events import Event, event_id
from edgecam.record.library.events import INDEX_NAME, EventStore
from edgecam.record.library.journal import EventJournal, keep_picture, keep_rules, rules_at

NOW_S = 1_795_082_331.0
GOOD = Event(
    id=event_id(NOW_S, "yard"), type="end", kind="object", camera="yard", label="person", time=NOW_S + 2,
    start_time=NOW_S, end_time=NOW_S + 2, snapshot=f"{event_id(NOW_S, 'yard')}.jpg",
)  # fmt: skip
TODAY = datetime.now(timezone.utc).strftime("%Y-%m-%d")


@pytest.fixture
def events(tmp_path: Path) -> Path:
    """The folder of events of a library with one good event."""
    place = tmp_path / "clips" / "events"
    place.mkdir(parents=True)
    (place / "2026-11-19.jsonl").write_text(GOOD.to_json() + "\n")
    return place


def told(folder: Path) -> list[str]:
    with EventStore(folder) as store:
        return [event.id for event in store.events()]


def live_through(folder: Path) -> None:
    """What a run does with the events: tells one, keeps its rules and a picture, tidies up, looks at all."""
    journal = EventJournal(folder)
    journal.open()
    now_s = datetime.now(timezone.utc).timestamp()
    journal.write(replace(GOOD, id=event_id(now_s, "now"), time=now_s, start_time=now_s, end_time=None))
    journal.close()
    with suppress(OSError):
        keep_rules(folder, NOW_S, {"zones": []})
    keep_picture(folder, "1.000000-aaaaaa.jpg", b"jpeg")
    with recording(folder, camera="yard", keep_days=36500.0) as recorder:
        for i in range(3):
            recorder.write(result(i, i * NS // 15))
    assert not recorder.status().fault


BAD_LINES = (
    "[" * 100_000,
    '{"v":1,"id":7,"zones":5}',
    GOOD.to_json().replace(GOOD.id, "../../x"),
    GOOD.to_json().replace(f"{GOOD.id}.jpg", "../../../etc/shadow").replace(GOOD.id, "1.0-bbbbbb"),
    GOOD.to_json()
    .replace('"start_time": 1795082331.0', '"start_time": 1e300')
    .replace(GOOD.id, "1.0-cccccc"),
    GOOD.to_json().replace('"clip_s": null', '"clip_s": 1e308').replace(GOOD.id, "1.0-dddddd"),
    "\x00",
)


def test_bad_days_lines_and_rules_cost_themselves_only(
    events: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = events.parent
    for name in ("9999-99-99.jsonl", "2020-02-31.jsonl"):
        (events / name).write_text("{}\n")
    os.mkfifo(events / "2026-01-01.jsonl")
    good = (events / "2026-11-19.jsonl").read_text()
    (events / "2026-11-19.jsonl").write_text("\n".join((*BAD_LINES, good)))
    (events / "rules.jsonl").write_text(f'{"[" * 100_000}\n{{"time": [1], "rules": 1}}\n{{"time": 1e999}}\n')
    live_through(folder)
    assert GOOD.id in told(folder) and len(told(folder)) == 2
    assert rules_at(folder, NOW_S + 1) == {"zones": []}
    for words in (["list"], ["counts"], ["export", "--to", str(folder.parent / "out")]):
        assert main(["events", words[0], "--dir", str(folder), *words[1:]]) == 0
    assert "unexpected" not in capsys.readouterr().err


def test_links_are_not_followed(events: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = events.parent
    target, other = folder.parent / "target.txt", folder.parent / "other.txt"
    target.write_text("mine")
    assert GOOD.snapshot is not None
    for name in (f"{TODAY}.jsonl", "rules.jsonl", GOOD.snapshot, ".1.000000-aaaaaa.jpg.part"):
        (events / name).symlink_to(target)
    (events / INDEX_NAME).symlink_to(other)
    live_through(folder)
    assert target.read_text() == "mine" and not other.exists()
    assert len(told(folder)) == 2  # today's went into a file of another name
    out = folder.parent / "out"
    assert main(["events", "export", "--dir", str(folder), "--to", str(out)]) == 0
    assert (out / "events.jsonl").exists() and not (out / GOOD.snapshot).exists()
    assert target.read_text() == "mine" and capsys.readouterr().out


@pytest.mark.allow_error_log
def test_a_folder_that_is_a_link_leads_nowhere(events: Path) -> None:
    folder, elsewhere = events.parent, events.parent.parent / "elsewhere"
    events.rename(elsewhere)
    events.symlink_to(elsewhere)
    before = sorted(path.name for path in elsewhere.iterdir())
    live_through(folder)
    assert sorted(path.name for path in elsewhere.iterdir()) == before
    assert told(folder) == []


def test_an_index_of_somebody_elses_making_or_damaged(events: Path) -> None:
    folder, index = events.parent, events / INDEX_NAME
    assert told(folder) == [GOOD.id]
    with sqlite3.connect(index) as db:
        db.execute("CREATE TRIGGER more AFTER INSERT ON moments BEGIN DELETE FROM events; END")
    db.close()
    live_through(folder)
    assert len(told(folder)) == 2
    db = sqlite3.connect(index)
    db.execute("UPDATE events SET line = '[1]' WHERE id = ?", (GOOD.id,))
    db.commit()
    assert len(told(folder)) == 1  # that row costs itself
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    index.unlink()
    assert len(told(folder)) == 2
    db = sqlite3.connect(index)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    whole = index.read_bytes()
    for at in range(100, len(whole), 4097):
        for path in events.glob(f"{INDEX_NAME}*"):
            path.unlink()
        index.write_bytes(whole[:at] + b"\xff\x95\xf5" * 3 + whole[at + 9 :])
        assert len(told(folder)) == 2, at
