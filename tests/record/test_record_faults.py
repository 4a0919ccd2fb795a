"""Disks that fill up, vanish, stall or refuse; clocks that jump; two programs in one folder."""

# Private names are touched here, for the disk's thread is given a job that fails, as a card does.

import os
import subprocess
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from recording_kit import NS, clips_in, play, recording, result

from edgecam.core import clock
from edgecam.host.disk import disk_space
from edgecam.record import clip_files, disk_fault
from edgecam.record.recorder import Recorder

HZ = 15


@pytest.fixture
def tmpfs(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"tmpfs cannot be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=False, capture_output=True)


@pytest.fixture(autouse=True)
def quick_retry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_fault, "RETRY_S", 0.0)


def feed(recorder: Recorder, first: int, count: int) -> int:
    for i in range(first, first + count):
        recorder.write(result(i, 9 * NS + i * NS // HZ))
    return first + count


def settled(recorder: Recorder) -> None:
    assert recorder.flush(10)


@pytest.mark.allow_error_log
def test_full_disk_in_the_middle(tmpfs: Path, caplog: pytest.LogCaptureFixture) -> None:
    ballast = tmpfs / "ballast"
    with recording(tmpfs / "clips", segment_s=60.0) as recorder:
        i = feed(recorder, 0, 60)
        settled(recorder)
        fd = os.open(ballast, os.O_WRONLY | os.O_CREAT)
        with pytest.raises(OSError, match="No space"):
            while True:
                os.write(fd, b"\0" * 4096)
        os.close(fd)
        before = i
        for _ in range(12):  # detection goes on: write never raises
            i = feed(recorder, i, 15)
            settled(recorder)
        assert recorder.status().fault == f"the disk of '{tmpfs}/clips' is full"
        ballast.unlink()
        resumed = i
        for _ in range(4):
            i = feed(recorder, i, 15)
            settled(recorder)
        assert recorder.status().fault == ""
    assert recorder.status().lost > 0
    assert f"the disk of '{tmpfs}/clips' is full" in recorder.status().why_lost
    parts = [play(path).numbers for path in recorder.clips]
    assert parts[0][0] == 0 and parts[0][-1] >= before - HZ
    assert parts[-1][-1] == i - 1 and parts[-1][0] < resumed + 2 * HZ
    messages = [r.getMessage() for r in caplog.records if r.name.startswith("edgecam.record")]
    assert len(messages) == 2
    assert "is full; it resumes by itself" in messages[0] and "recording again" in messages[1]


def test_full_disk_keeps_the_free_share(tmpfs: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmpfs / "ballast").write_bytes(b"\0" * 1_000_000)
    with recording(tmpfs / "clips", segment_s=1.0, keep_free_percent=30.0) as recorder:
        i = 0
        for _ in range(25):
            i = feed(recorder, i, 30)
            settled(recorder)
        assert disk_space(tmpfs).free_share > 0.28
    assert len(recorder.clips) > len(clips_in(tmpfs / "clips")) > 2
    assert not [r for r in caplog.records if r.levelname == "ERROR"]


@pytest.mark.allow_error_log
def test_vanished_mount_is_said_once_and_the_bare_folder_is_not_filled(
    tmpfs: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clip_files, "LOOK_S", 0.0)
    with recording(tmpfs, segment_s=60.0) as recorder:
        i = feed(recorder, 0, 40)
        settled(recorder)
        subprocess.run(["umount", "-l", str(tmpfs)], check=True)
        for _ in range(5):
            i = feed(recorder, i, 15)
            settled(recorder)
        assert list(tmpfs.iterdir()) == []
        assert "has gone" in recorder.status().fault
    messages = [r.getMessage() for r in caplog.records if "recording stopped" in r.getMessage()]
    assert len(messages) == 1 and "was its disk removed?" in messages[0]


@pytest.mark.allow_error_log
def test_removed_folder_that_comes_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clip_files, "LOOK_S", 0.0)
    folder = tmp_path / "clips"
    with recording(folder, segment_s=60.0) as recorder:
        i = feed(recorder, 0, 40)
        settled(recorder)
        folder.rename(tmp_path / "elsewhere")
        for _ in range(3):
            i = feed(recorder, i, 15)
            settled(recorder)
        folder.mkdir()
        for _ in range(4):
            i = feed(recorder, i, 15)
            settled(recorder)
        assert recorder.status().fault == ""
    assert play(clips_in(folder)[-1]).numbers[-1] == i - 1


@pytest.mark.allow_error_log
def test_disk_turned_read_only(tmpfs: Path, caplog: pytest.LogCaptureFixture) -> None:
    with recording(tmpfs / "clips", segment_s=1.0) as recorder:
        i = feed(recorder, 0, 20)
        recorder._writer.end("test")
        recorder._writer._disk.submit(
            recorder._writer.upkeep.close
        )  # an open index would keep the mount busy
        settled(recorder)
        subprocess.run(["mount", "-o", "remount,ro", str(tmpfs)], check=True)
        for _ in range(4):
            i = feed(recorder, i, 15)
            settled(recorder)
        assert "can no longer be written: Read-only file system" in recorder.status().fault
        subprocess.run(["mount", "-o", "remount,rw", str(tmpfs)], check=True)
        for _ in range(4):
            i = feed(recorder, i, 15)
            settled(recorder)
        assert recorder.status().fault == ""
    assert len([r for r in caplog.records if r.levelname == "ERROR"]) == 1
    numbers = [n for path in recorder.clips for n in play(path).numbers]
    assert numbers[0] == 0 and numbers[-1] == i - 1


def test_clock_set_back_by_an_hour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A board without a clock gets the time from the network, or loses it."""
    shift = [timedelta()]
    base = datetime(2026, 11, 20, 10, 0, tzinfo=timezone.utc)
    monkeypatch.setattr(clock, "wall_time", lambda at_ns: base + timedelta(seconds=at_ns / 1e9) + shift[0])
    with recording(tmp_path, segment_s=1.0) as recorder:
        i = feed(recorder, 0, 45)
        shift[0] = timedelta(hours=-1)
        i = feed(recorder, i, 45)
        shift[0] = timedelta(seconds=-4)  # the same second twice
        i = feed(recorder, i, 45)
    parts = [play(path) for path in recorder.clips]
    assert [n for part in parts for n in part.numbers] == list(range(135))
    assert all(part.times_s[0] == 0 and part.times_s == sorted(part.times_s) for part in parts)
    assert len({path.name for path in recorder.clips}) == len(parts) >= 8
    assert any(path.stem.endswith("-2") for path in recorder.clips)


def test_two_instances_into_one_folder(tmp_path: Path) -> None:
    with (
        recording(tmp_path, segment_s=2.0, camera="same") as one,
        recording(tmp_path, segment_s=2.0, camera="same") as two,
    ):
        for i in range(100):
            at = clock.now_ns() // NS * NS + i * NS // HZ
            one.write(result(i, at))
            two.write(result(1000 + i, at))
    assert len(one.clips) >= 3 and not set(one.clips) & set(two.clips)
    assert [n for path in one.clips for n in play(path).numbers] == list(range(100))
    assert [n for path in two.clips for n in play(path).numbers] == list(range(1000, 1100))
    assert not list(tmp_path.glob(".*.part"))
