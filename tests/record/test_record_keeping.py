"""What is kept and what goes: retention, protection, the command line."""

import errno
import json
import logging
import os
import threading
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from recording_kit import NS, recording, result

from edgecam.cli import clips as cli_clips
from edgecam.core import clock
from edgecam.core.errors import ConfigError, RecordError
from edgecam.record import writer
from edgecam.record.clip import ClipSummary
from edgecam.record.library.catalogue import ClipInfo, from_row
from edgecam.record.library.event_retention import retain_events
from edgecam.record.library.index import CHUNK, Library
from edgecam.record.library.inspection import describe
from edgecam.record.library.journal import FOLDER
from edgecam.record.library.refusals import PER_ROUND, Refusals
from edgecam.record.library.retention import Clocks, Keep, apply_retention, measure
from edgecam.record.options import RecordOptions, Target

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=timezone.utc)


def put(
    library: Library,
    name: str,
    age_days: float,
    nbytes: int = 1000,
    boot: tuple[str, float | None] = ("", None),
) -> None:
    path = library.folder / f"{name}.mp4"
    path.write_bytes(b"x" * nbytes)
    library.add(
        ClipSummary(
            {"annotated": path}, None, "yard", NOW - timedelta(days=age_days), 60.0, 900, 0, nbytes,
            (640, 360), ("person",), ("person",), "segment", (), True, *boot,
        )
    )  # fmt: skip


@pytest.fixture
def shelf(tmp_path: Path) -> Library:
    library = Library(tmp_path)
    for name, age in (("a", 40.0), ("b", 20.0), ("c", 5.0), ("d", 1.0)):
        put(library, name, age)
    return library


def left(library: Library) -> str:
    names = "".join(Path(c.name).stem for c in library.clips())
    assert names == "".join(sorted(p.stem for p in library.folder.glob("*.mp4")))
    return names


def test_by_days(shelf: Library) -> None:
    with shelf:
        assert apply_retention(shelf, Keep(days=10), clocks=Clocks(NOW)) == ""
        assert left(shelf) == "cd"


def test_by_bytes_oldest_first_and_what_grows_counts(
    shelf: Library, caplog: pytest.LogCaptureFixture
) -> None:
    with shelf:
        apply_retention(shelf, Keep(days=30, nbytes=3000), growing=1500, clocks=Clocks(NOW))
        assert left(shelf) == "d"
    # a was over its days; b and c were inside the promised time, and that is told
    assert [r.levelname for r in caplog.records] == ["WARNING", "WARNING"]
    assert "'b.mp4' was deleted after 20.0 of its 30 promised days" in caplog.text


@pytest.mark.allow_error_log
def test_protected_clips_go_last_and_loudly(shelf: Library, caplog: pytest.LogCaptureFixture) -> None:
    with shelf:
        clip = shelf.find("a")
        assert clip is not None
        shelf.protect(clip, True)
        apply_retention(shelf, Keep(days=3), clocks=Clocks(NOW))
        assert left(shelf) == "ad"
        apply_retention(shelf, Keep(nbytes=1000), clocks=Clocks(NOW))
        assert left(shelf) == "a" and "PROTECTED" not in caplog.text
        apply_retention(shelf, Keep(nbytes=10), clocks=Clocks(NOW))
        assert left(shelf) == "" and "the PROTECTED clip 'a.mp4' was deleted" in caplog.text


def test_protection_survives_the_index(shelf: Library) -> None:
    folder = shelf.folder
    with shelf, recording(folder, camera="x") as recorder:
        for i in range(20):
            recorder.write(result(i, i * NS // 15))
    name = recorder.clips[0].name
    with Library(folder) as library:
        clip = library.find(name)
        assert clip is not None
        library.protect(clip, True)
    for index in folder.glob(".edgecam.sqlite*"):
        index.unlink()
    with Library(folder) as library:
        again = library.find(name)
    assert again is not None and again.protected


def test_a_board_without_a_clock_keeps_its_clips(tmp_path: Path) -> None:
    with Library(tmp_path) as library:
        put(library, "a", (NOW - datetime(1970, 1, 1, tzinfo=timezone.utc)).days)
        apply_retention(library, Keep(days=10), clocks=Clocks(NOW))
        assert left(library) == "a"


def test_free_space_that_cannot_be_had_is_said(shelf: Library) -> None:
    with shelf:
        assert "no clip is left to delete" in apply_retention(
            shelf, Keep(free_percent=100.0), clocks=Clocks(NOW)
        )
        assert left(shelf) == ""


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


def test_space_for_days(shelf: Library) -> None:
    with shelf:
        space = measure(shelf, Keep(nbytes=12_000))
        # two clips of 1000 bytes in the last week, 4 days and a minute
        assert space.used == 4000 and space.available == 8000
        assert space.days == pytest.approx(12_000 / (2000 / (4 + 1 / 1440)), rel=0.01)
        assert "space for" in str(space)


def test_files_that_went_and_came_are_noticed(shelf: Library) -> None:
    with shelf:
        (shelf.folder / "b.mp4").unlink()
        shelf.update()
        assert left(shelf) == "acd"


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    begun_ns = clock.now_ns()
    for camera, label in (("yard", "person"), ("door", "car")):
        with recording(tmp_path / "clips", camera=camera) as recorder:
            for i in range(20):
                recorder.write(result(i, begun_ns + i * NS // 15, labels=[label]))
    return tmp_path / "clips"


def clips(*words: object) -> int:
    return cli_clips.main([str(w) for w in words])


def test_list_filters_and_json(recorded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert clips("list", "--dir", recorded) == 0
    text = capsys.readouterr().out
    assert text.count(".mp4") == 2 and "2 clips, " in text
    assert clips("list", "--dir", recorded, "--label", "car", "--json") == 0
    (line,) = capsys.readouterr().out.splitlines()
    clip = json.loads(line)
    assert (
        clip["camera"] == "door"
        and clip["frames"] == 20
        and clip["duration_s"] == pytest.approx(20 / 15, abs=0.01)
    )
    clips("list", "--dir", recorded, "--camera", "yard", "--json")
    assert json.loads(capsys.readouterr().out)["labels"] == ["person"]
    clips("list", "--dir", recorded, "--until", "2020-01-01")
    assert "no clips" in capsys.readouterr().out
    clips("list", "--dir", recorded, "--since", "1h", "--json")
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_show_verify_and_a_damaged_clip(recorded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    video = min(recorded.glob("*.mp4"))
    assert clips("show", "--dir", recorded, video.stem) == 0
    assert "20 frames" in capsys.readouterr().out
    assert clips("verify", "--dir", recorded) == 0
    assert capsys.readouterr().out.count("20 frames, plays to its end") == 2
    data = bytearray(video.read_bytes())
    data[len(data) // 3 : len(data) // 3 + 400] = b"\xff" * 400
    video.write_bytes(data)
    assert clips("verify", "--dir", recorded) == 1


def test_protect_delete_export(recorded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = sorted(p.stem for p in recorded.glob("*.mp4"))
    clips("protect", "--dir", recorded, first)
    clips("delete", "--dir", recorded, "--yes")
    assert "is protected; delete it with --force" in capsys.readouterr().out
    assert {p.stem for p in recorded.glob("[0-9]*")} == {first}
    clips("export", "--dir", recorded, first, "--to", tmp_path / "usb")
    assert sorted(p.suffix for p in (tmp_path / "usb").iterdir()) == [".jpg", ".jsonl", ".mp4"]
    with pytest.raises(RecordError, match="is there already"):
        clips("export", "--dir", recorded, first, "--to", tmp_path / "usb")
    clips("delete", "--dir", recorded, first, "--force")
    assert list(recorded.glob("[0-9]*")) == []
    with pytest.raises(ConfigError, match=f"there is no clip '{second}'"):
        clips("show", "--dir", recorded, second)


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_a_clip_that_was_named_says_at_its_end_what_was_seen(tmp_path: Path, suffix: str) -> None:
    named = tmp_path / f"mine{suffix}"
    with recording(named, sidecar=False) as recorder:
        for i in range(20):
            recorder.write(result(i, i * NS // 10, labels=["car", "person"][: i // 8]))
    assert [p.name for p in tmp_path.iterdir()] == [named.name]  # no other file
    with Library(tmp_path) as library:
        (clip,) = library.clips()
        assert (clip.labels, clip.frames, clip.missed) == (("car", "person"), 20, 0) and clip.ended
    whole = named.read_bytes()
    for damage in (whole[:-3], whole + b"\0" * 9, whole[:-40] + bytes([255]) * 40):
        named.write_bytes(damage)
        row = describe(tmp_path, named.name, {"annotated": named.name})
        assert row is not None and row["labels"] == "[]"


def test_bad_words(recorded: Path) -> None:
    with pytest.raises(ConfigError, match="this would delete 2 clips; say --yes"):
        clips("delete", "--dir", recorded)
    with pytest.raises(ConfigError, match="--since: 'yesterday' is not a time"):
        clips("list", "--dir", recorded, "--since", "yesterday")
    with pytest.raises(ConfigError, match="there is no folder"):
        clips("list", "--dir", recorded / "missing")
    with pytest.raises(ConfigError, match="name a clip"):
        clips("protect", "--dir", recorded)


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


def test_a_clock_that_jumps_costs_nothing(tmp_path: Path) -> None:
    """Set two days ahead for a while, with --keep-days 1: what was just recorded stays."""
    wrong = NOW + timedelta(days=2)
    with Library(tmp_path) as library:
        put(library, "a", 0.2)  # before this boot
        put(library, "b", 0.1, boot=("now", 100.0))
        put(library, "c", -2.0, boot=("now", 200.0))  # while the clock was ahead
        for wall, uptime, jumped in ((NOW, 50.0, None), (wrong, 150.0, 150.0), (NOW, 300.0, 300.0)):
            assert library.clock_jumped_s("now", wall.timestamp(), uptime) == jumped
            apply_retention(library, Keep(days=1), clocks=Clocks(wall, "now", uptime, jumped))
            assert left(library) == "abc"
        # it stays wrong: then the wall clock is believed for what is older than this boot, and only for that
        apply_retention(library, Keep(days=1), clocks=Clocks(wrong, "now", 4000.0, 300.0))
        assert left(library) == "bc"
        apply_retention(library, Keep(days=1), clocks=Clocks(NOW, "now", 200.0 + 86400, 300.0))
        assert left(library) == "c"
        apply_retention(library, Keep(days=1), clocks=Clocks(NOW, "now", 201.0 + 86400, 300.0))
        assert left(library) == ""


def test_no_clip_is_older_than_one_recorded_before_it(tmp_path: Path) -> None:
    with Library(tmp_path) as library:
        put(library, "a", 0.5)
        put(library, "b", 400.0)  # the clock was a year behind when this one was recorded
        apply_retention(library, Keep(days=10), clocks=Clocks(NOW))
        assert left(library) == "ab"
        apply_retention(library, Keep(days=0.4), clocks=Clocks(NOW))
        assert left(library) == ""


def test_the_index_remembers_that_the_clock_was_set(tmp_path: Path) -> None:
    with Library(tmp_path) as library:
        assert library.clock_jumped_s("boot", 1000.0, 10.0) is None
        assert library.clock_jumped_s("boot", 90_000.0, 20.0) == 20.0
    with Library(tmp_path) as library:  # the program starts again in the same boot
        assert library.clock_jumped_s("boot", 90_010.0, 30.0) == 20.0
        assert library.clock_jumped_s("next", 5.0, 1.0) is None
