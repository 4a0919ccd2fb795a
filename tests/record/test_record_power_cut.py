"""Power cuts: a real ext4 on a loop device, copied as it would be found, and recorded into again."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from recording_kit import NS, play, recording, result

from edgecam.record.library.index import Library
from edgecam.record.library.inspection import verify

HZ = 15
pytestmark = pytest.mark.slow


def sh(*words: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([str(w) for w in words], capture_output=True, text=True, check=False)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """(the device's content, where it is mounted)."""
    image, mount = tmp_path / "disk.img", tmp_path / "disk"
    mount.mkdir()
    with image.open("wb") as file:
        file.truncate(48 * 2**20)
    made = sh("mkfs.ext4", "-q", "-F", image)
    mounted = sh("mount", "-o", "loop", image, mount)
    if made.returncode or mounted.returncode:
        pytest.skip(f"no ext4 on a loop device here: {made.stderr.strip()} {mounted.stderr.strip()}")
    yield image, mount
    sh("umount", "-l", mount)


def test_five_power_cuts(disk: tuple[Path, Path], tmp_path: Path) -> None:
    image, mount = disk
    copies: list[tuple[Path, int, int]] = []  # the disk at the cut, frames recorded, frames synced for sure
    with recording(mount / "clips", segment_s=3.0, sync_s=0.0) as recorder:
        i = 0
        for cut in range(5):
            for _ in range(38 + 13 * cut):
                recorder.write(result(i, i * NS // HZ, labels=["person"]))
                i += 1
            assert recorder.flush(20)
            # Everything that the file system has not given to the device yet is missing from this copy.
            copy = tmp_path / f"cut{cut}.img"
            shutil.copyfile(image, copy)
            copies.append((copy, i, max(0, i - HZ)))
    for copy, recorded, synced in copies:
        found = tmp_path / copy.stem
        found.mkdir()
        again = sh("mount", "-o", "loop", copy, found)
        assert again.returncode == 0, again.stderr
        try:
            with recording(found / "clips") as recorder:
                recorder.write(result(5000, 0))
            with Library(found / "clips") as library:
                clips = library.clips()
            assert all(not verify(found / "clips" / c.name).problems for c in clips)
            numbers = sorted(n for c in clips for n in play(found / "clips" / c.name).numbers)
            assert numbers[-1] == 5000  # recording goes on on the same disk
            numbers.pop()
            assert numbers == list(range(len(numbers))) and synced <= len(numbers) <= recorded
            assert sum(c.recovered for c in clips) <= 1
        finally:
            sh("umount", "-l", found)
