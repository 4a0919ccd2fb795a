"""How much room a disk has."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from edgecam.host import disk as room
from edgecam.host.disk import disk_space


def test_room_is_what_df_says(tmp_path: Path) -> None:
    command = ["df", "--block-size=1", "--output=used,avail", str(tmp_path)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-2:]
    used, available = (int(number) for number in said)
    here = disk_space(tmp_path)
    assert here.free == pytest.approx(available, rel=0.02)  # others write meanwhile
    assert here.size == pytest.approx(used + available, rel=0.02)


def test_what_is_kept_for_root_is_not_ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # bsize, frsize, blocks, bfree, bavail, ...: 30 of 100 blocks used, 60 reserved, 10 left to users
    counts = os.statvfs_result((4096, 4096, 100, 70, 10, 0, 0, 0, 0, 255))
    monkeypatch.setattr(room.os, "statvfs", lambda folder: counts)  # type: ignore[attr-defined]
    assert disk_space(tmp_path) == (10 * 4096, 40 * 4096)
    assert disk_space(tmp_path).free_share == 0.25
