"""After a crash: finish clips that were left unfinished, and name them as recovered.

The unfinished file is never written to. If all of it decodes it is only given its name; else what decodes is
copied, on behind damage too, the copy is shown to hold no frame less than FFmpeg gets from the original, and
only then does the original go. What cannot be copied, or proven, keeps all its bytes.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import time
from itertools import islice
from pathlib import Path

from edgecam.host.beneath import open_beneath
from edgecam.record.clip_files import PART, final_path, lock, names, place, sync_folder
from edgecam.record.library.remux import BROKEN, Way, best_way, count_decoded, write_copy
from edgecam.record.limits import CLIPS, LINE_BYTES, RECOVER_S

log = logging.getLogger(__name__)

#: A copy in the making; one that a crash left is worth nothing.
COPY = ".repair"


def recover(folder: Path, pattern: str = f".*{PART}") -> list[Path]:
    """Finish what other runs left unfinished in ``folder``; the recovered clips.

    A file that a living program is writing (it holds the lock) is left alone, and so is a link. What cannot
    be read now, or holds nothing that decodes, is left under its hidden name with one message, unless it is
    empty. What is not looked at within :data:`RECOVER_S` waits for the next start.
    """
    stems: dict[str, list[Path]] = {}
    for part in sorted(islice(folder.glob(pattern), CLIPS)):
        stems.setdefault(final_path(part).name.partition(".")[0], []).append(part)
    recovered: list[Path] = []
    until_s = time.monotonic() + RECOVER_S
    for n, (stem, parts) in enumerate(stems.items()):
        if time.monotonic() > until_s:
            log.warning("%d unfinished clips in '%s' wait for the next start", len(stems) - n, folder)
            break
        try:
            recovered += _recover_clip(folder, stem, parts)
        except (OSError, *BROKEN) as error:
            log.warning("unfinished clip '%s' cannot be recovered now: %s", parts[0], error)
    if recovered:
        sync_folder(folder)
    return recovered


def _recover_clip(folder: Path, stem: str, parts: list[Path]) -> list[Path]:
    with contextlib.ExitStack() as held:
        files: dict[Path, int] = {}
        for part in parts:
            files[part] = open_beneath(folder, part.name, os.O_RDWR)
            held.callback(os.close, files[part])
            if not lock(files[part]):
                return []
        good: list[Path] = []
        for part, fd in files.items():
            suffix = final_path(part).suffix
            if suffix == ".jpg" or os.fstat(fd).st_size == 0:
                part.unlink()  # a contact sheet is made again; an empty file holds nothing
            elif suffix == ".jsonl":
                if _trim_lines(fd):
                    good.append(part)
            elif repair(part, fd):
                good.append(part)
            else:
                log.warning(
                    "unfinished clip '%s' has nothing in it that can be decoded; it is left as it is", part
                )
        videos = [part for part in good if final_path(part).suffix != ".jsonl"]
        if not videos:
            return []
        return _name(folder, f"{stem}_recovered", stem, good)


def repair(part: Path, fd: int) -> bool:
    """Make the file one that plays to its end; False if it stays as it is and does not. OSError.

    part: its name. fd: the file, open for reading.
    """
    suffix = final_path(part).suffix
    way = best_way(fd, suffix)
    if way is None:
        return False
    if way.whole:
        return True
    copy = part.with_name(part.name.removesuffix(PART) + COPY)
    try:
        if _copy(fd, suffix, way, copy) and _proven(part, copy, way, suffix):
            copy.replace(part)
            return True
    except (OSError, *BROKEN) as error:
        full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
        why = "there is no room for a repaired copy" if full else f"it cannot be copied: {error}"
        log.warning("unfinished clip '%s' is kept as the crash left it: %s", part, why)
    finally:
        copy.unlink(missing_ok=True)
    return count_decoded(part, suffix) > 0


def _copy(fd: int, suffix: str, way: Way, copy: Path) -> bool:
    copy.unlink(missing_ok=True)
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    made = os.open(copy, flags, 0o644)
    try:
        done = write_copy(fd, suffix, way, lambda offset, data: _write_all(made, offset, data))
        os.fsync(made)
    finally:
        os.close(made)
    return done == way.last


def _write_all(fd: int, offset: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        n = os.pwrite(fd, view, offset)
        view, offset = view[n:], offset + n


def _proven(part: Path, copy: Path, way: Way, suffix: str) -> bool:
    """Whether the copy holds every packet that was kept, and no frame less than decodes in the original."""
    fd = os.open(copy, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        found = best_way(fd, suffix)
        size = part.stat().st_size
    finally:
        os.close(fd)
    kept = found is not None and found.whole and found.last == way.last
    damaged = way.parts != (((0, size),),) or way.last < way.packets
    if kept and damaged:  # a file that only breaks off is copied packet for packet
        kept = count_decoded(copy, suffix) >= count_decoded(part, suffix)
    if not kept:
        log.warning("unfinished clip '%s' is kept as the crash left it: a copy would hold less", part)
    return kept


def _trim_lines(fd: int) -> bool:
    """Cut a sidecar after its last whole line (half a line is no data); False if there is none."""
    size = os.fstat(fd).st_size
    start = max(0, size - LINE_BYTES)
    end = start + os.pread(fd, LINE_BYTES, start).rfind(b"\n") + 1
    if start < end < size:
        os.ftruncate(fd, end)
    return end > start


def _name(folder: Path, wanted: str, stem: str, parts: list[Path]) -> list[Path]:
    for name in names(wanted):
        finals = [folder / f"{name}{final_path(part).name[len(stem) :]}" for part in parts]
        if not any(os.path.lexists(final) for final in finals):
            done = [final for part, final in zip(parts, finals, strict=True) if place(part, final)]
            videos = [final for final in done if final.suffix != ".jsonl"]
            for video in videos:
                log.warning("recovered a clip that a crash left unfinished: '%s'", video)
            return videos
    return []
