"""How much space a folder's disk has for users who are not root."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple


class DiskSpace(NamedTuple):
    """Bytes of a disk: ``free`` to be written, ``size`` what users can fill in all."""

    free: int
    size: int

    @property
    def free_share(self) -> float:
        """Free space as a share of 1, as ``df`` reckons it."""
        return self.free / max(self.size, 1)


def disk_space(folder: Path) -> DiskSpace:
    """The space on the folder's disk. OSError where the folder is not there.

    Blocks reserved for root (ext4: 5 % unless told otherwise) are neither free nor part of the size:
    counted in, a disk that ``df`` calls 70 % full had 12 % left.
    """
    disk = os.statvfs(folder)
    used = disk.f_blocks - disk.f_bfree
    return DiskSpace(disk.f_bavail * disk.f_frsize, (disk.f_bavail + used) * disk.f_frsize)
