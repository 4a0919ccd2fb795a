"""The files of one clip: written under hidden names, given their own when they are finished.

Everything here runs on the disk thread. A file that is being written is locked (flock), so another program
that recovers unfinished clips in the same folder leaves it alone; the kernel drops the lock with its owner.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

PART = ".part"
#: How often what was written is forced onto the disk: what a power cut can cost. Once for some seconds of
#: video keeps the writes large, as memory cards want them.
SYNC_S = 5.0
#: How often a file looks whether its folder is still there.
LOOK_S = 1.0

#: The key in a container's comment that says that edgecam wrote it; other films are never listed nor deleted.
MARK = "edgecam"


def part_path(final: Path) -> Path:
    """The hidden path at which a file is written until it is finished, beside its final one."""
    return final.with_name(f".{final.name}{PART}")


def final_path(part: Path) -> Path:
    """The final name of a ``part_path``."""
    return part.with_name(part.name[1 : -len(PART)])


def lock(fd: int) -> bool:
    """Take the file for ourselves; False if a living program has it. Where locks do not work, True."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (errno.EWOULDBLOCK, errno.EACCES)
    return True


def sync_folder(folder: Path) -> None:
    """Make names in ``folder`` survive a power cut."""
    with contextlib.suppress(OSError):  # some network and FUSE file systems cannot
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def camera_part(camera: str) -> str:
    """``_front-door``: a camera's name as part of a file's; empty for none."""
    safe = re.sub(r"[^\w.-]+", "-", camera).strip("-.")
    return f"_{safe}" if safe else ""


def names(stem: str) -> Iterator[str]:
    """``stem``, ``stem-2``, ``stem-3`` …"""
    yield stem
    for n in range(2, 100_000):
        yield f"{stem}-{n}"


def place(part: Path, final: Path, *, replace: bool = False) -> bool:
    """Give ``part`` its name; False if that name is taken and must not be replaced."""
    if replace:
        part.replace(final)
        return True
    try:
        os.link(part, final)
    except FileExistsError:
        return False
    except OSError:  # exFAT and some network file systems know no links
        if final.exists():
            return False
        part.rename(final)
        return True
    part.unlink()
    return True


class OneFile:
    """One file being written. ``write`` may be called with any offset; ``good`` is its playable length."""

    def __init__(self, part: Path, sync_s: float = SYNC_S) -> None:
        self.part = part
        self.good = 0
        self._sync_s = sync_s
        self._synced_s = self._looked_s = time.monotonic()
        self._fd = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        lock(self._fd)

    def write(self, offset: int, data: bytes) -> None:
        """Write all of ``data``, or raise OSError and leave the file as it was before (cut at ``good``)."""
        view, at = memoryview(data), offset
        try:
            if offset < self.good:  # a header that points at what was appended, which has to be there first
                os.fdatasync(self._fd)
            while view:
                n = os.pwrite(self._fd, view, at)
                view, at = view[n:], at + n
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, self.good)
            raise
        self.good = max(self.good, offset + len(data))
        now_s = time.monotonic()
        if now_s - self._looked_s >= LOOK_S:
            self._looked_s = now_s
            self.look()
        if now_s - self._synced_s >= self._sync_s:
            self._synced_s = now_s
            os.fdatasync(self._fd)

    def look(self) -> None:
        """Raise OSError if the file is no longer where it was made."""
        if self.part.stat().st_ino != os.fstat(self._fd).st_ino:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self.part))

    def sync(self) -> None:
        """Force the file onto the disk."""
        os.fsync(self._fd)

    def close(self) -> None:
        """Close the file. Idempotent."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


class ClipFiles:
    """The files of one clip, which share a stem: ``{"annotated": ".mp4", "sidecar": ".jsonl"}``.

    The first OSError stops the writing: ``failed`` holds it, later writes do nothing, and ``finish`` keeps
    what is good. ``failed`` is set on the disk thread and read by the recorder.

    replaceable: gives the path that may be replaced now (the file the user named, if it is still the one
        that was there when recording began).
    device: the folder's st_dev when recording began; another one means that a mount has gone.
    """

    def __init__(
        self,
        folder: Path,
        stem: str,
        endings: Mapping[str, str],
        *,
        replaceable: Callable[[], Path | None] = lambda: None,
        device: int | None = None,
        sync_s: float = SYNC_S,
        opener: Callable[[Path, float], OneFile] = OneFile,
    ) -> None:
        self.folder = folder
        self.stem = stem
        self.endings = dict(endings)
        self.failed: OSError | None = None
        self.finished: dict[str, Path] = {}
        self._replaceable = replaceable
        self._device = device
        self._sync_s = sync_s
        self._opener = opener
        self._files: dict[str, OneFile] = {}

    def _final(self, kind: str) -> Path:
        return self.folder / f"{self.stem}{self.endings[kind]}"

    def _taken(self) -> bool:
        for kind in self.endings:
            final = self._final(kind)
            if part_path(final).exists() or (final.exists() and final != self._replaceable()):
                return True
        return False

    def create(self) -> None:
        """Make the files, under the first stem that is free."""
        try:
            self._check_device()
            wanted = self.stem
            for self.stem in names(wanted):
                if not self._taken() and self._create_all():
                    return
        except OSError as error:
            self._fail(error)

    def _check_device(self) -> None:
        if self._device is not None and self.folder.stat().st_dev != self._device:
            raise FileNotFoundError(errno.ENODEV, "its disk has gone", str(self.folder))

    def _create_all(self) -> bool:
        for kind in self.endings:
            try:
                self._files[kind] = self._opener(part_path(self._final(kind)), self._sync_s)
            except FileExistsError:  # another instance was quicker
                for file in self._files.values():
                    file.close()
                    file.part.unlink(missing_ok=True)
                self._files.clear()
                return False
        return True

    def write(self, kind: str, offset: int, data: bytes) -> None:
        """Write one file's bytes; offset -1 appends."""
        if self.failed is None:
            try:
                file = self._files[kind]
                file.write(file.good if offset < 0 else offset, data)
            except OSError as error:
                self._fail(error)

    def _fail(self, error: OSError) -> None:
        self.failed = error

    def finish(self) -> None:
        """Sync, close and name the files. What cannot be named keeps its hidden name for the next start."""
        files, self._files = self._files, {}
        try:
            for kind, file in files.items():
                file.look()
                if file.good == 0:
                    file.close()
                    file.part.unlink()
                else:
                    with contextlib.suppress(OSError):  # a dying disk: the name is still worth having
                        file.sync()
                    self.finished[kind] = file.part
            self._name_all()
            sync_folder(self.folder)
        except OSError as error:
            self.failed = self.failed or error
        finally:
            for file in files.values():
                file.close()

    def _name_all(self) -> None:
        wanted = self.stem
        for self.stem in names(wanted):
            done: list[Path] = []
            for kind, part in self.finished.items():
                final = self._final(kind)
                if place(part, final, replace=final == self._replaceable()):
                    done.append(final)
                else:  # taken meanwhile: take back and try the next stem
                    for path, earlier in zip(done, self.finished.values(), strict=False):
                        path.rename(earlier)
                    break
            else:
                self.finished = dict(zip(self.finished, done, strict=True))
                return
