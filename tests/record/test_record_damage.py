"""Damaged leftovers: recovery never loses a frame that FFmpeg decodes, and never spoils the only copy."""

import errno
import os
import random
from pathlib import Path

import av
import pytest
from test_record_recovery import unfinished

from edgecam.record.library import repair
from edgecam.record.library.repair import recover

FRAMES = 200


def decoded(path: Path) -> int:
    """Whole pictures that FFmpeg gives when it reads on behind every error."""
    frames = 0
    try:
        with av.open(str(path), format="matroska" if ".mkv" in path.name else "mp4") as clip:
            stream = clip.streams.video[0]
            for packet in clip.demux(stream):
                try:
                    frames += sum(not frame.is_corrupt for frame in stream.decode(packet))
                except av.FFmpegError:
                    continue
    except (av.FFmpegError, IndexError):
        pass
    return frames


@pytest.fixture(scope="module", params=[".mp4", ".mkv"])
def leftover(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, bytes]:
    return request.param, unfinished(tmp_path_factory.mktemp("cut"), FRAMES, request.param)


def recovered(folder: Path, suffix: str, data: bytes) -> tuple[int, int]:
    """(frames in the leftover as it is, frames after recovery)."""
    part = folder / f".clip{suffix}.part"
    part.write_bytes(data)
    before = decoded(part)
    found = recover(folder)
    after = sum(decoded(path) for path in found)
    assert found or part.read_bytes() == data  # what is not recovered keeps every byte
    for path in folder.iterdir():
        assert path.suffix != ".repair"
        path.unlink()
    return before, after


def test_one_bit_in_a_fragments_type(tmp_path: Path, leftover: tuple[str, bytes]) -> None:
    suffix, data = leftover
    at = data.index(b"moof" if suffix == ".mp4" else b"\x1f\x43\xb6\x75", len(data) // 4)
    for bit in (0, 5):
        broken = bytearray(data)
        broken[at] ^= 1 << bit
        before, after = recovered(tmp_path, suffix, bytes(broken))
        assert after >= before and after > FRAMES * 0.9 - 15


def test_random_damage(tmp_path: Path, leftover: tuple[str, bytes]) -> None:
    suffix, data = leftover
    rng = random.Random(16)
    for case in range(10):
        broken = bytearray(data[: len(data) - rng.randrange(4000)])
        if case % 3 == 0:
            at = rng.randrange(2000, len(broken))
            broken[at : at + 3000] = bytes(3000) if case % 2 else rng.randbytes(3000)
        elif case % 3 == 1:
            at = rng.randrange(2000, len(broken))
            del broken[at : at + rng.randrange(2000)]
        for _ in range(rng.choice((0, 1, 20))):
            broken[rng.randrange(1500, len(broken))] ^= 1 << rng.randrange(8)
        before, after = recovered(tmp_path, suffix, bytes(broken))
        assert after >= before, case


def test_a_full_disk_costs_no_frame(
    tmp_path: Path,
    leftover: tuple[str, bytes],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(repair, "_write_all", full)
    suffix, data = leftover
    broken = data[: len(data) - 100]
    part = tmp_path / f".clip{suffix}.part"
    part.write_bytes(broken)
    (path,) = recover(tmp_path)
    assert path.read_bytes() == broken
    assert suffix == ".mkv" or "no room for a repaired copy" in caplog.text
