"""Reading files whose size and kind are somebody else's choice."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

#: Settings, model cards, lists of labels: the largest of ours has 60 kB.
TEXT_BYTES = 1 << 20
#: What an archive of weights may unpack to, and how much larger than itself it may become: numbers of trained
#: networks hardly compress.
UNPACKED_BYTES, UNPACKED_RATIO = 2 << 30, 20


def read_limited(path: Path, most: int = TEXT_BYTES, *, pipes: bool = False) -> bytes:
    """All of a regular file. OSError as usual, EFBIG over ``most`` bytes, EINVAL for a device or FIFO.

    pipes: allow a FIFO (``--config <(…)``), and wait for who writes it.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | (0 if pipes else os.O_NONBLOCK))
    except ValueError:  # a NUL in the name
        raise OSError(errno.EINVAL, "not a name of a file", repr(path)) from None
    with os.fdopen(fd, "rb") as file:
        mode = os.fstat(fd).st_mode
        if not stat.S_ISREG(mode) and not (pipes and stat.S_ISFIFO(mode)):
            code = errno.EISDIR if stat.S_ISDIR(mode) else errno.EINVAL
            raise OSError(code, "it is no regular file", str(path))
        data = file.read(most + 1)
    if len(data) > most:
        raise OSError(errno.EFBIG, f"it has more than {most} bytes", str(path))
    return data


def check_archive(path: Path) -> None:
    """Raise ValueError if a ZIP archive (.npz, .pth) would unpack to far more than weights do."""
    size = path.stat().st_size
    import zipfile  # here: settings are read at every start, archives are not

    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(member.file_size for member in archive.infolist())
    if unpacked > min(UNPACKED_BYTES, UNPACKED_RATIO * size + TEXT_BYTES):
        raise ValueError(
            f"it would unpack from {size / 1e6:.1f} to {unpacked / 1e6:.0f} MB, which weights do not"
        )
