"""Files that end anywhere: cut, recovered, indexed."""

import json
import os
import shutil
from pathlib import Path

import pytest
from recording_kit import NS, clips_in, play, recording, result

from edgecam.record import self_test as selftest
from edgecam.record import writer
from edgecam.record.clip_files import lock, part_path
from edgecam.record.library.index import INDEX_NAME, Library
from edgecam.record.library.repair import recover
from edgecam.record.self_test import MODES, run

HZ = 15


def unfinished(folder: Path, frames: int, suffix: str = ".mp4", **options: object) -> bytes:
    """What is on the disk after ``frames`` frames if the power goes now; the folder is left empty."""
    with recording(folder, container=suffix, sidecar=True, **options) as recorder:
        for i in range(frames):
            recorder.write(result(i, i * NS // HZ, labels=["person"]))
        assert recorder.flush(10)
        (part,) = folder.glob(f".*{suffix}.part")
        data = part.read_bytes()
        lines = part.with_name(part.name.replace(suffix, ".jsonl")).read_bytes()
    for path in folder.iterdir():
        path.unlink()
    (folder / f".clip{suffix}.part").write_bytes(data)
    (folder / ".clip.jsonl.part").write_bytes(lines)
    return data


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_cut_anywhere_it_plays_to_the_end(tmp_path: Path, suffix: str) -> None:
    data = unfinished(tmp_path, 70, suffix)
    most = 0
    for end in range(len(data), 0, -max(1, len(data) // 9)):
        part = tmp_path / f".clip{suffix}.part"
        part.write_bytes(data[:end])
        recovered = recover(tmp_path)
        for path in recovered:
            seen = play(path)
            assert seen.numbers == list(range(len(seen.numbers))) and seen.numbers
            most = max(most, len(seen.numbers))
            path.unlink()
        part.unlink(missing_ok=True)
    assert most >= 70 - HZ


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_zeros_at_the_end_are_cut(tmp_path: Path, suffix: str) -> None:
    """What ext4 and xfs leave after a power cut: the length is there, the last blocks are not."""
    data = unfinished(tmp_path, 70, suffix)
    (tmp_path / f".clip{suffix}.part").write_bytes(data[: len(data) - 9000] + b"\0" * 9000)
    (path,) = recover(tmp_path)
    numbers = play(path).numbers
    assert numbers == list(range(len(numbers))) and len(numbers) >= 14


def test_half_a_finish_is_undone(tmp_path: Path) -> None:
    """Power goes between hiding the fragments in one box and the index reaching the disk."""
    with recording(tmp_path / "a.mp4") as recorder:
        for i in range(40):
            recorder.write(result(i, i * NS // HZ))
    data = (tmp_path / "a.mp4").read_bytes()
    index = data.rindex(b"moov") - 4
    for cut in (index, index + 20):
        (tmp_path / ".b.mp4.part").write_bytes(data[:cut])
        (path,) = recover(tmp_path)
        assert play(path).numbers == list(range(40))
        path.unlink()


def test_a_finished_file_that_was_not_named_yet(tmp_path: Path) -> None:
    with recording(tmp_path / "a.mp4") as recorder:
        for i in range(20):
            recorder.write(result(i, i * NS // HZ))
    (tmp_path / "a.mp4").rename(tmp_path / ".a.mp4.part")
    (path,) = recover(tmp_path)
    assert path.name == "a_recovered.mp4" and play(path).numbers == list(range(20))


def test_the_sidecar_comes_along_and_the_index_knows(tmp_path: Path) -> None:
    unfinished(tmp_path, 50)
    lines = tmp_path / ".clip.jsonl.part"
    lines.write_bytes(lines.read_bytes() + b'{"v": 1, "half a li')
    with recording(tmp_path) as recorder:  # recovery belongs to the start of a recording
        assert recorder.flush(20)
    assert (tmp_path / "clip_recovered.mp4").exists()
    whole = (tmp_path / "clip_recovered.jsonl").read_text().splitlines()
    assert all(json.loads(line)["v"] == 1 for line in whole) and len(whole) > 30
    with Library(tmp_path) as library:
        (clip,) = library.clips()
    assert clip.recovered and clip.labels == ("person",) and clip.files["sidecar"] == "clip_recovered.jsonl"


def test_what_does_not_decode_is_left_and_empty_files_go(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / ".a.mp4.part").write_bytes(b"this is not a film" * 100)
    (tmp_path / ".b.mp4.part").write_bytes(b"")
    assert recover(tmp_path) == []
    assert [p.name for p in tmp_path.iterdir()] == [".a.mp4.part"]
    assert "has nothing in it that can be decoded" in caplog.text


def test_a_file_that_a_living_program_writes_is_left_alone(tmp_path: Path) -> None:
    data = unfinished(tmp_path, 50)
    fd = os.open(tmp_path / ".clip.mp4.part", os.O_RDWR)
    try:
        assert lock(fd)
        assert recover(tmp_path) == []
        assert (tmp_path / ".clip.mp4.part").read_bytes() == data
    finally:
        os.close(fd)
    assert len(recover(tmp_path)) == 1


def test_recovered_names_do_not_collide(tmp_path: Path) -> None:
    for n in (1, 2):
        sub = tmp_path / str(n)
        unfinished(sub, 20)
        shutil.copy(sub / ".clip.mp4.part", tmp_path)
        recover(tmp_path)
    assert [p.name for p in clips_in(tmp_path)] == ["clip_recovered-2.mp4", "clip_recovered.mp4"]


def test_a_named_file_recovers_its_own_part_only(tmp_path: Path) -> None:
    data = unfinished(tmp_path, 30)
    (tmp_path / ".other.mp4.part").write_bytes(data)
    with recording(tmp_path / "clip.mp4") as recorder:
        assert recorder.flush(20)
    assert (tmp_path / "clip_recovered.mp4").exists() and (tmp_path / ".other.mp4.part").exists()


@pytest.mark.once
def test_killed_programs_leave_clips_that_play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The short version of ``edgecam self-test recording``: the real program, really killed."""
    monkeypatch.setattr(selftest, "LONGEST_S", 2.0)
    monkeypatch.setattr(selftest, "MODES", (MODES[0], MODES[3]))
    outcomes = list(run(tmp_path, 2, seed=5))
    assert [k.problems for k in outcomes] == [(), ()]
    assert sum(k.clips for k in outcomes) >= 1


def test_index_is_rebuilt_when_damaged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with recording(tmp_path, camera="yard") as recorder:
        for i in range(20):
            recorder.write(result(i, i * NS // HZ, labels=["car"]))
    with Library(tmp_path) as index:
        (before,) = index.clips()
    (tmp_path / INDEX_NAME).write_bytes(b"garbage " * 2000)
    with Library(tmp_path) as index:
        (after,) = index.clips()
    assert "damaged" in caplog.text
    assert (after.name, after.frames, after.labels, after.camera) == (before.name, 20, ("car",), "yard")
    assert after.duration_s == pytest.approx(before.duration_s, abs=1e-3)
    assert abs((after.started - before.started).total_seconds()) < 0.002
    assert after.nbytes == before.nbytes


def test_part_files_are_not_clips(tmp_path: Path) -> None:
    assert part_path(tmp_path / "a.mp4").name == ".a.mp4.part"
    assert writer.CLOSE_S < 15  # the pipeline gives a sink 15 s to close
