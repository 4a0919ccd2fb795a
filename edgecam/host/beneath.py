"""Files of a folder that others may write to (a USB stick, a NAS): opened beneath it, never through a link.

A name is one component, so that opening it below its folder without following links is what openat2(2) calls
RESOLVE_BENEATH; the folder itself is the one that the user named.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

#: Bytes of a name (ext4, exFAT and NFS take no longer ones).
LONGEST_NAME = 255


def is_plain_name(name: object) -> bool:
    """Whether ``name`` is one printable component of a path, so that it leads nowhere else."""
    if not isinstance(name, str) or name in ("", ".", ".."):
        return False
    try:
        raw = name.encode()
    except UnicodeEncodeError:  # bytes that are no UTF-8
        return False
    return len(raw) <= LONGEST_NAME and "/" not in name and name.isprintable()


def beneath(folder: Path, name: str) -> Path:
    """``folder / name``. Raises OSError (EINVAL) if the name leads elsewhere."""
    if not is_plain_name(name):
        raise OSError(errno.EINVAL, "not the name of a file in this folder", repr(name))
    return folder / name


def open_beneath(folder: Path, name: str, flags: int = os.O_RDONLY, mode: int = 0o644) -> int:
    """A descriptor of a regular file of the folder. OSError: ELOOP for a link, EINVAL for what is none.

    Never waits: a FIFO that nobody writes to is refused like a device.
    """
    path = beneath(folder, name)
    fd = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, mode)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return fd


def regular_size(folder: Path, name: str) -> int:
    """Bytes of a regular file of the folder. Raises OSError as ``open_beneath``."""
    path = beneath(folder, name)
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode):
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return found.st_size


def write_new(path: Path, data: bytes) -> None:
    """Make ``path`` and write ``data``; whatever stood there under this name, a link too, is replaced.

    Raises OSError.
    """
    path.unlink(missing_ok=True)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    with os.fdopen(fd, "wb") as file:
        file.write(data)
