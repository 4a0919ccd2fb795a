"""After a crash: cut unfinished clips where they still play, and name them as recovered.

Nothing that decodes is lost, and nothing is rewritten: an unfinished file is good up to the end of its last
whole fragment (MP4) or cluster (Matroska), which its own structure tells; the last seconds are then decoded,
and what does not decode is cut.
"""

from __future__ import annotations

import contextlib
import logging
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import av

from edgecam.record.clip_files import PART, final_path, lock, names, place, sync_folder

log = logging.getLogger(__name__)

#: Top-level boxes of ISO 14496-12 that a muxer writes. Anything else is where the file's good part ends.
_BOXES = frozenset(b"ftyp styp free skip wide moov moof mdat mfra sidx emsg uuid udta meta prft".split())
_EBML, _SEGMENT, _CLUSTER, _CUES = 0x1A45DFA3, 0x18538067, 0x1F43B675, 0x1C53BB6B
#: Fragments at the end that may be cut because they do not decode; each is at most a second long.
MOST_CUTS = 30


def _boxes(file: BinaryIO, size: int) -> Iterator[tuple[int, bytes, int, int]]:
    """Whole top-level boxes: (offset, type, header length, length)."""
    at = 0
    while at + 8 <= size:
        file.seek(at)
        head = file.read(16)
        length, kind = struct.unpack(">I4s", head[:8])
        header = 8
        if length == 1 and len(head) == 16:
            length, header = struct.unpack(">Q", head[8:])[0], 16
        if kind not in _BOXES or length < header or at + length > size:
            return
        yield at, kind, header, length
        at += length


def mp4_ends(file: BinaryIO, size: int) -> list[int]:
    """Offsets at which an MP4 may end: after its header, and after each whole fragment. Empty if none."""
    ends: list[int] = []
    last = b""
    for at, kind, _, length in _boxes(file, size):
        if kind == b"moov" or (kind == b"mdat" and last == b"moof"):
            ends.append(at + length)
        elif kind == b"mfra" and ends:
            ends[-1] = at + length
        if kind not in (b"free", b"skip"):
            last = kind
    return ends


def _unhide(file: BinaryIO, size: int) -> None:
    """Undo half of a finish: the fragments were hidden in one big box, but their index is not on the disk."""
    kinds = list(_boxes(file, size))
    if any(kind in (b"moov", b"moof") for _, kind, _, _ in kinds):
        return
    for at, kind, header, _ in kinds:
        if kind == b"mdat" and header == 8:
            file.seek(at + 8)
            if file.read(8)[4:] in (b"ftyp", b"moov"):
                file.seek(at)
                file.write(struct.pack(">I4s", 8, b"free"))
                file.flush()


def _vint(data: bytes, keep_marker: bool) -> tuple[int, int] | None:
    """An EBML number: (value, its length); value -1 for "unknown"."""
    if not data or not data[0]:
        return None
    length = 9 - data[0].bit_length()
    if len(data) < length:
        return None
    value = int.from_bytes(data[:length], "big")
    if keep_marker:
        return value, length
    mask = (1 << (7 * length)) - 1
    value &= mask
    return (-1 if value == mask else value), length


def mkv_ends(file: BinaryIO, size: int) -> list[int]:
    """Offsets at which a Matroska file may end: after each whole cluster. Empty if none."""
    ends: list[int] = []
    at = 0
    while at < size:
        file.seek(at)
        head = file.read(12)
        found = _vint(head[:4], keep_marker=True)
        if found is None:
            break
        kind, n = found
        sized = _vint(head[n:], keep_marker=False)
        if sized is None:
            break
        length, m = sized
        if kind == _SEGMENT:
            at += n + m  # its length is not known while it is written; go in
            continue
        if length < 0 or at + n + m + length > size:
            break
        at += n + m + length
        if kind == _CLUSTER or (kind == _CUES and ends):
            ends.append(at)
    return ends


def ends_of(path: Path, suffix: str) -> list[int]:
    """Where the file may be cut, in order; the last is the longest good part by structure."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        if suffix == ".mkv":
            return mkv_ends(file, size)
        _unhide(file, size)
        return mp4_ends(file, size)


def decodes_to_end(path: Path) -> int:
    """Decode the last seconds; how many frames they hold. Raises av.FFmpegError where something is broken."""
    with av.open(str(path)) as clip:
        stream = clip.streams.video[0]
        stream.codec_context.options = {"err_detect": "explode"}
        if clip.duration and clip.duration > 5 * av.time_base:
            with contextlib.suppress(av.FFmpegError):
                clip.seek(clip.duration - 3 * av.time_base)
        frames = 0
        for frame in clip.decode(stream):
            if frame.is_corrupt:
                raise av.error.InvalidDataError(1, "damaged frame")
            frames += 1
        return frames


def repair(path: Path, suffix: str) -> bool:
    """Cut the file where it plays to its end; False if nothing in it decodes. Raises OSError."""
    ends = ends_of(path, suffix)
    for end in reversed(ends[-MOST_CUTS:]):
        os.truncate(path, end)
        try:
            if decodes_to_end(path):
                return True
        except (av.FFmpegError, IndexError, ValueError) as error:
            log.debug("%s: cut at %d: %s", path, end, error)
    return False


def _trim_lines(path: Path) -> bool:
    """Cut a sidecar after its last whole line; False if there is none."""
    data = path.read_bytes()
    end = data.rfind(b"\n") + 1
    if end and end < len(data):
        os.truncate(path, end)
    return end > 0


def recover(folder: Path, pattern: str = f".*{PART}") -> list[Path]:
    """Finish what other runs left unfinished in ``folder``; the recovered clips.

    A file that a living program is writing (it holds the lock) is left alone. What cannot be read now, or
    holds nothing that decodes, is left under its hidden name with one message, unless it is empty.
    """
    stems: dict[str, list[Path]] = {}
    for part in sorted(folder.glob(pattern)):
        stems.setdefault(final_path(part).name.partition(".")[0], []).append(part)
    recovered: list[Path] = []
    for stem, parts in stems.items():
        try:
            recovered += _recover_clip(folder, stem, parts)
        except OSError as error:
            log.warning("unfinished clip '%s' cannot be recovered now: %s", parts[0], error)
    if recovered:
        sync_folder(folder)
    return recovered


def _recover_clip(folder: Path, stem: str, parts: list[Path]) -> list[Path]:
    with contextlib.ExitStack() as held:
        for part in parts:
            fd = os.open(part, os.O_RDWR | os.O_CLOEXEC)
            held.callback(os.close, fd)
            if not lock(fd):
                return []
        good: list[Path] = []
        for part in parts:
            suffix = final_path(part).suffix
            if suffix == ".jpg" or part.stat().st_size == 0:
                part.unlink()  # a contact sheet is made again; an empty file holds nothing
            elif suffix == ".jsonl":
                if _trim_lines(part):
                    good.append(part)
            elif repair(part, suffix):
                good.append(part)
            else:
                log.warning("unfinished clip '%s' holds nothing that decodes; it is left as it is", part)
        videos = [part for part in good if final_path(part).suffix != ".jsonl"]
        if not videos:
            return []
        return _name(folder, f"{stem}_recovered", stem, good)


def _name(folder: Path, wanted: str, stem: str, parts: list[Path]) -> list[Path]:
    for name in names(wanted):
        finals = [folder / f"{name}{final_path(part).name[len(stem) :]}" for part in parts]
        if not any(final.exists() for final in finals):
            done = [final for part, final in zip(parts, finals, strict=True) if place(part, final)]
            videos = [final for final in done if final.suffix != ".jsonl"]
            for video in videos:
                log.warning("recovered a clip that a crash left unfinished: '%s'", video)
            return videos
    return []
