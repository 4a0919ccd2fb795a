from __future__ import annotations

from pathlib import Path

import pytest
from doctor_board import healthy

__all__ = ["healthy"]


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A disk image of a board with cage on it, and its login on tty1."""
    root = tmp_path / "image"
    (root / "usr/bin").mkdir(parents=True)
    (root / "usr/bin/cage").touch()
    (root / "usr/sbin").mkdir()
    (root / "usr/sbin/seatd").touch()
    wants = root / "etc/systemd/system/getty.target.wants"
    wants.mkdir(parents=True)
    (wants / "getty@tty1.service").symlink_to("/usr/lib/systemd/system/getty@.service")
    units = root / "usr/lib/systemd/system"
    units.mkdir(parents=True)
    (units / "getty@.service").write_text(
        "[Service]\nExecStart=/sbin/agetty %I\n[Install]\nWantedBy=getty.target\nDefaultInstance=tty1\n"
    )
    return root
