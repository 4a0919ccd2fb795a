"""Disks that are slow: one that the kernel throttles, a card that stalls, one that stands still."""

# Private names are touched here, for the disk's thread is held up, and its backlog kept small, as a card
# that stands still does.

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from recording_kit import NS, numbered, play, recording, result

from edgecam.record import clip_files
from edgecam.record.recorder import Recorder

HZ = 15
#: Bytes a second that the throttled disk takes while it is slow: one write of the file system, or two.
SLOW_BYTES = 8_000
THROTTLE = Path("/sys/fs/cgroup/blkio/blkio.throttle.write_bps_device")


def feed(recorder: Recorder, first: int, count: int) -> int:
    for i in range(first, first + count):
        recorder.write(result(i, 9 * NS + i * NS // HZ))
    return first + count


def settled(recorder: Recorder) -> None:
    assert recorder.flush(10)


def sh(*words: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([str(w) for w in words], capture_output=True, text=True, check=False)


class Throttled:
    """A real ext4 on a loop device whose writes the kernel holds back."""

    def __init__(self, mount: Path, device: str) -> None:
        number = Path(device).stat().st_rdev
        self.mount = mount
        self._place = f"{os.major(number)}:{os.minor(number)}"

    def allow(self, bytes_a_second: int) -> None:
        """0 for as many as it can take."""
        THROTTLE.write_text(f"{self._place} {bytes_a_second}\n")

    def seconds_to_take(self, size: int) -> float:
        began = time.monotonic()
        fd = os.open(self.mount / "ballast", os.O_WRONLY | os.O_CREAT)
        os.write(fd, bytes(size))
        os.fdatasync(fd)
        os.close(fd)
        return time.monotonic() - began


@pytest.fixture
def throttled(tmp_path: Path) -> Iterator[Throttled]:
    image, mount = tmp_path / "disk.img", tmp_path / "disk"
    mount.mkdir()
    with image.open("wb") as file:
        file.truncate(32 * 2**20)
    if not os.access(THROTTLE, os.W_OK):
        pytest.skip(f"no block device can be throttled here: {THROTTLE} cannot be written")
    made, loop = sh("mkfs.ext4", "-q", "-F", image), sh("losetup", "--find", "--show", image)
    device = loop.stdout.strip()
    mounted = sh("mount", device, mount)
    try:
        if made.returncode or loop.returncode or mounted.returncode:
            pytest.skip(
                f"no ext4 on a loop device here: {made.stderr} {loop.stderr} {mounted.stderr}".strip()
            )
        disk = Throttled(mount, device)
        try:
            disk.allow(50_000)
            assert disk.seconds_to_take(10_000) > 0.1, "the kernel does not hold the disk back"
            yield disk
        finally:
            disk.allow(0)  # the limit outlives the device's content
    finally:
        sh("umount", "-l", mount)
        sh("losetup", "-d", device)


def restless(i: int) -> np.ndarray:
    """A numbered picture with fresh noise, some 15 kB of H.264."""
    image = numbered(i)
    image[40:120] = np.random.default_rng(i).integers(0, 255, (80, 320, 3), np.uint8)
    return image


def test_a_throttled_disk_costs_memory_and_not_frames(throttled: Throttled) -> None:
    with recording(throttled.mount / "clips", sync_s=0.0) as recorder:
        throttled.allow(SLOW_BYTES)
        for i in range(60):
            recorder.write(result(i, i * NS // HZ, image=restless(i)))
        waiting = recorder._writer._disk._pending
        assert recorder.status().fault == ""
        throttled.allow(0)
    (clip,) = recorder.clips
    assert waiting > clip.stat().st_size / 3  # the disk really was far behind
    assert play(clip).numbers == list(range(60)) and recorder.status().lost == 0


def test_a_throttled_disk_that_falls_far_behind_costs_whole_seconds(throttled: Throttled) -> None:
    """More is recorded than it can take for long: whole groups are left out, and what is there plays."""
    with recording(throttled.mount / "clips", sync_s=0.0) as recorder:
        recorder._writer._disk.pending_limit = 50_000
        throttled.allow(SLOW_BYTES)
        for i in range(90):
            recorder.write(result(i, i * NS // HZ, image=restless(i)))
        throttled.allow(0)
    (clip,) = recorder.clips
    seen = play(clip)
    status = recorder.status()
    assert 0 < len(seen.numbers) < 90 and status.lost == 90 - len(seen.numbers)
    assert status.why_lost == "the disk is too slow"
    gaps = [b for a, b in zip(seen.numbers, seen.numbers[1:], strict=False) if b != a + 1]
    assert set(gaps) <= set(seen.keys)


class SlowFile(clip_files.OneFile):
    """A card that takes 20 ms for whatever it is given."""

    def write(self, offset: int, data: bytes) -> None:
        time.sleep(0.02)
        super().write(offset, data)


def test_slow_disk_costs_memory_and_not_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        clip_files.ClipFiles.__init__,
        "__kwdefaults__",
        (clip_files.ClipFiles.__init__.__kwdefaults__ or {}) | {"opener": SlowFile},
    )
    longest = 0.0
    with recording(tmp_path / "clips") as recorder:
        for i in range(60):
            start = time.perf_counter()
            recorder.write(result(i, i * NS // HZ))
            longest = max(longest, time.perf_counter() - start)
        waiting = not recorder.flush(0)
    assert waiting  # the disk really was behind
    assert play(recorder.clips[0]).numbers == list(range(60))


def test_disk_that_stands_still_costs_whole_groups_and_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with recording(tmp_path / "clips") as recorder:
        i = feed(recorder, 0, 31)
        settled(recorder)
        go_on = threading.Event()

        def stand_still() -> None:
            go_on.wait(20)

        recorder._writer._disk.submit(stand_still)
        recorder._writer._disk.pending_limit = 20_000
        i = feed(recorder, i, 200)
        go_on.set()
        settled(recorder)
        recorder._writer._disk.pending_limit = 10**9
        i = feed(recorder, i, 31)
    numbers = [n for path in recorder.clips for n in play(path).numbers]
    assert numbers[:31] == list(range(31)) and numbers[-16:] == list(range(i - 16, i))
    status = recorder.status()
    assert 0 < len(numbers) < i and status.lost == i - len(numbers)
    assert status.why_lost == "the disk is too slow" and status.fault == ""
    said = [r.getMessage() for r in caplog.records]
    assert said[0].endswith("frames are being left out") and len(said) <= 4


def test_lossless_waits_for_a_slow_disk(tmp_path: Path) -> None:
    with recording(tmp_path / "out.mp4", live=False) as recorder:
        recorder._writer._disk.pending_limit = 10_000
        recorder._writer._disk.submit(lambda: time.sleep(0.3))
        for i in range(150):
            recorder.write(result(i, i, media_ns=i * NS // HZ))
    assert play(recorder.clips[0]).numbers == list(range(150))
