"""What is kept and what goes: retention, protection, the command line."""

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from recording_kit import NS, recording, result
from shelf_kit import NOW, filled, left, put

from edgecam.cli import clips as cli_clips
from edgecam.core import clock
from edgecam.core.errors import ConfigError, RecordError
from edgecam.record.library.index import Library
from edgecam.record.library.inspection import describe
from edgecam.record.library.retention import Clocks, Keep, apply_retention, measure


@pytest.fixture
def shelf(tmp_path: Path) -> Library:
    return filled(tmp_path)


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
