"""A folder of clips is a USB stick that somebody else filled: nothing in it stops, misleads or leaves it."""

import json
import os
import shutil
import sqlite3
from pathlib import Path

import av
import pytest
from recording_kit import NS, clips_in, recording, result

from edgecam.cli.main import main
from edgecam.record.library.catalogue import COLUMNS
from edgecam.record.library.index import Library
from edgecam.record.library.retention import Keep, apply_retention

INDEX = ".edgecam.sqlite"
BAD_LINES = (
    '{"detections":7}',
    '{"detections":[7, {"label": {"a": 1}}]}',
    '{"event":{"x":1}}',
    '{"event":7}',
    '{"clip":{"causes":3, "started": "9999-12-31T23:59:59+00:00", "camera": ["x"]}}',
    '{"end":{"frames":"many", "missed": 1e400, "why": 5}}',
    '{"end":{"frames":1e300}}',
    '{"event":{"clip_s":NaN,"cause":"\\ud800"}}',
    "[" * 200_000,
    '{"clip_s":' + "9" * 4000 + "}",
    "\x00\x01\x02",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One good clip, not indexed yet."""
    place = tmp_path / "clips"
    with recording(place, camera="yard") as recorder:
        for i in range(20):
            recorder.write(result(i, i * NS // 15, labels=["person"]))
    for path in place.glob(f"{INDEX}*"):
        path.unlink()
    return place


def one_more(folder: Path, name: str) -> Path:
    """A copy of the good clip under another name."""
    good = clips_in(folder)[0]
    copy = folder / f"{name}.mp4"
    shutil.copy(good, copy)
    shutil.copy(good.with_suffix(".jsonl"), folder / f"{name}.jsonl")
    return copy


def listed(folder: Path, capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    capsys.readouterr()
    assert main(["clips", "list", "--dir", str(folder), "--json"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def record_once(folder: Path) -> None:
    """A whole run of a recorder into the folder; its housekeeping must take what it finds."""
    before = len(clips_in(folder))
    with recording(folder, camera="yard") as recorder:
        for i in range(5):
            recorder.write(result(i, i * NS // 15))
    assert not recorder.status().fault and len(clips_in(folder)) == before + 1


def test_bad_lines_cost_themselves_only(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for n, line in enumerate(BAD_LINES):
        copy = one_more(folder, f"bad{n}").with_suffix(".jsonl")
        copy.write_text(f"{line}\n{copy.read_text()}", encoding="utf-8")
    record_once(folder)
    clips = listed(folder, capsys)
    assert len(clips) == len(BAD_LINES) + 2
    assert [c["labels"] for c in clips].count(["person"]) == len(BAD_LINES) + 1  # behind the bad line


@pytest.mark.parametrize(
    ("comment", "ours"),
    [
        ('{"edgecam":1,"causes":5}', True),
        ('{"edgecam":1,"started":5,"camera":{}}', True),
        ("[" * 9000, False),
    ],
)
def test_bad_comments(folder: Path, capsys: pytest.CaptureFixture[str], comment: str, ours: bool) -> None:
    good = clips_in(folder)[0]
    copy = one_more(folder, "bad")
    data = good.read_bytes()
    start = data.rindex(b'{"edgecam"')
    end = data.index(b"}", start) + 1
    copy.write_bytes(data[:start] + comment.encode()[: end - start].ljust(end - start) + data[end:])
    copy.with_suffix(".jsonl").unlink()
    record_once(folder)
    assert len(listed(folder, capsys)) == 2 + ours


def test_somebodys_own_films_are_no_clips_and_stay(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with av.open(str(folder / "holiday.mp4"), "w") as film:
        stream = film.add_stream("mpeg4", rate=25)
        stream.width = stream.height = 64
        for _ in range(10):
            film.mux(stream.encode(av.VideoFrame(64, 64, "yuv420p")))
        film.mux(stream.encode(None))
    (folder / "holiday.jpg").write_bytes(b"a picture")
    assert len(listed(folder, capsys)) == 1
    with Library(folder) as library:
        apply_retention(library, Keep(nbytes=1))
    assert main(["clips", "delete", "--dir", str(folder), "--until", "2100-01-01", "--yes"]) == 0
    assert listed(folder, capsys) == []
    assert sorted(p.name for p in folder.iterdir() if not p.name.startswith(".")) == [
        "holiday.jpg",
        "holiday.mp4",
    ]


def test_a_flipped_bit_in_the_codec_name(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = one_more(folder, "bad")
    copy.write_bytes(copy.read_bytes().replace(b"avc1", b"avc3").replace(b"avcC", b"avaC"))
    other = one_more(folder, "worse")
    other.write_bytes(other.read_bytes().replace(b"avc1", b"qvc1"))
    record_once(folder)
    assert len(listed(folder, capsys)) >= 2


def test_names_that_are_no_utf8(folder: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    good = clips_in(folder)[0]
    shutil.copy(os.fsencode(good), os.fsencode(folder) + b"/caf\xe9.mp4")
    with recording(folder, camera="caf\udce9", segment_s=10.0) as recorder:  # a source of such a name
        for i in range(5):
            recorder.write(result(i, i * NS // 15, source="caf\udce9.mp4"))
    assert sorted(str(c["camera"]) for c in listed(folder, capsys)) == ["caf\\xe9", "yard"]


def test_an_index_row_cannot_name_other_files(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    precious = folder.parent / "precious.txt"
    precious.write_text("mine")
    other = one_more(folder, "other")
    (good,) = (c for c in clips_in(folder) if c != other)
    listed(folder, capsys)
    rows = {"sheet": "../precious.txt"}, {"sheet": other.name}, {"sheet": str(precious)}
    for files in rows:
        with sqlite3.connect(folder / INDEX) as db:
            text = json.dumps({"annotated": good.name, **files})
            db.execute("UPDATE clips SET files = ? WHERE name = ?", (text, good.name))
        db.close()
        copy = good.read_bytes()
        assert main(["clips", "delete", "--dir", str(folder), good.stem]) == 0
        assert precious.read_text() == "mine" and other.exists() and not good.exists()
        good.write_bytes(copy)
        listed(folder, capsys)


def test_an_index_does_not_say_how_large_clips_are(folder: Path) -> None:
    """One row of two exabytes had all other clips deleted for ``--keep-bytes``."""
    for name in ("a", "b"):
        one_more(folder, name)
    with Library(folder) as library:
        right = [clip.nbytes for clip in library.clips()]
    with sqlite3.connect(folder / INDEX) as db:
        db.execute("UPDATE clips SET bytes = ? WHERE name = 'b.mp4'", (2**61,))
        rest = ", ".join(COLUMNS[2:])
        db.execute(f"INSERT INTO clips SELECT 99, x'ff00', '{{}}', {rest} FROM clips WHERE name = 'a.mp4'")
    db.close()
    with Library(folder) as library:
        assert [clip.nbytes for clip in library.clips()] == right
        apply_retention(library, Keep(nbytes=10**9))
    assert len(clips_in(folder)) == 3


def test_an_index_of_somebody_elses_making(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listed(folder, capsys)
    with sqlite3.connect(folder / INDEX) as db:
        db.execute("CREATE TRIGGER more AFTER UPDATE ON clips BEGIN DELETE FROM clips; END")
    db.close()
    assert len(listed(folder, capsys)) == 1
    with sqlite3.connect(folder / INDEX) as db:
        assert not db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
        db.execute("UPDATE clips SET started = 1e300, width = 'wide', causes = '7', events = '[[1]]'")
    db.close()
    assert [c["labels"] for c in listed(folder, capsys)] == [["person"]]


def test_links_are_not_followed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = folder.parent / "target.txt"
    good = clips_in(folder)[0]
    names = (".x.jsonl.part", ".y.mp4.part", "z.mp4", "z.jsonl", f".{good.stem}.jpg.part")
    for name in (*names, INDEX):
        (folder / name).symlink_to(target)
    os.mkfifo(folder / "fifo.mp4")
    os.mkfifo(folder / ".fifo.mp4.part")
    good.with_suffix(".jpg").unlink()
    os.mkfifo(good.with_suffix(".jpg"))
    target.write_text("precious, and half a line")
    record_once(folder)
    with recording(folder, camera="yard", segment_s=10.0) as recorder:
        for i in range(5):
            recorder.write(result(i, i * NS // 15))
    assert target.read_text() == "precious, and half a line"
    assert {str(c["name"]) for c in listed(folder, capsys)} == {p.name for p in clips_in(folder)} - {
        "z.mp4", "fifo.mp4",
    }  # fmt: skip
    assert main(["clips", "protect", "--dir", str(folder), good.stem]) == 0
    out = folder.parent / "out"
    out.mkdir()
    (out / good.name).symlink_to(folder.parent / "made")
    assert main(["clips", "export", "--dir", str(folder), good.stem, "--to", str(out)]) == 1
    assert not (folder.parent / "made").exists()


def test_a_playlist_is_not_a_clip(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = clips_in(folder)[0]
    (folder / "list.mp4").write_text(f"ffconcat version 1.0\nfile {good.name}\n")
    assert [c["name"] for c in listed(folder, capsys)] == [good.name]


def test_a_locked_index_does_not_hold_up_the_end(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listed(folder, capsys)
    db = sqlite3.connect(folder / INDEX, isolation_level=None)
    try:
        db.execute("BEGIN IMMEDIATE")
        record_once(folder)
        assert main(["clips", "list", "--dir", str(folder)]) in (0, 1)
        said = capsys.readouterr().err
        assert "unexpected" not in said
    finally:
        db.close()
    assert len(listed(folder, capsys)) == 2


def test_an_index_whose_pages_are_damaged(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Found by benchmarks/attack.py: it opens, and breaks when it is read."""
    (before,) = listed(folder, capsys)
    db = sqlite3.connect(folder / INDEX)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    whole = (folder / INDEX).read_bytes()
    for at in range(100, len(whole), 577):
        broken = whole[:at] + b"\xff\x95\xf5" * 3 + whole[at + 9 :]
        for path in folder.glob(f"{INDEX}*"):
            path.unlink()
        (folder / INDEX).write_bytes(broken)
        assert [clip["name"] for clip in listed(folder, capsys)] == [before["name"]], at


@pytest.mark.parametrize(("at", "byte"), [(18, 5), (47, 9)], ids=["read-only", "schema format"])
def test_an_index_whose_header_refuses(
    folder: Path, capsys: pytest.CaptureFixture[str], at: int, byte: int
) -> None:
    """Found by benchmarks/attack.py: nothing could be protected any more."""
    (before,) = listed(folder, capsys)
    db = sqlite3.connect(folder / INDEX)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    header = bytearray((folder / INDEX).read_bytes())
    header[at] = byte
    (folder / INDEX).write_bytes(header)
    assert main(["clips", "protect", "--dir", str(folder), str(before["name"])]) == 0
    assert listed(folder, capsys)[0]["protected"] is True
