"""The packets of a broken clip that decode, written to a new file. The broken one is only read."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import av
import av.error

from edgecam.media.encoder import TIME_BASE
from edgecam.media.formats import container_format
from edgecam.media.limits import FILE_PIXELS
from edgecam.media.mux import Muxer
from edgecam.record.library.structure import Spliced, apart, good_ranges
from edgecam.record.limits import TAIL_BYTES

#: What libav and PyAV raise for a file that is not what it should be.
BROKEN = (av.error.FFmpegError, LookupError, ValueError, ArithmeticError, AttributeError)


#: At most so many fragments are read one by one where damage makes that necessary: half an hour of video.
MOST_APART = 10_000
#: A step between two pictures that is longer than this is a damaged time.
_LONGEST_STEP_S = 86_400

Ranges = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Way:
    """One way to read a broken clip.

    parts: what is shown to libav, each part opened by itself. packets: how many it finds. last: how many
    there are up to the last that decodes. end: where that one ends in the last part. whole: nothing is to be
    mended.
    """

    parts: tuple[Ranges, ...]
    packets: int
    last: int
    end: int
    whole: bool


def best_way(fd: int, suffix: str) -> Way | None:
    """How to read the file so that most of it decodes; None if nothing does.

    It is read as it is, as FFmpeg would read it, and, where that stops or its boxes are damaged, without the
    damage, and fragment by fragment: what gives most is taken. ``whole`` says that it is read as it is, and
    that all of it decodes: it needs no repair.
    """
    size = os.fstat(fd).st_size
    ways = [_look(fd, suffix, (((0, size),),))]
    if container_format(suffix) in ("mp4", "mov"):
        with os.fdopen(os.dup(fd), "rb") as file:
            ranges = good_ranges(file, size)
            pieces = apart(file, ranges)
        is_sound = ranges == [(0, size)]
        if ways[0] is not None and not is_sound:  # it has an end that is no whole box, or a hole
            ways[0] = replace(ways[0], whole=False)
        if ways[0] is None or not is_sound:
            ways.append(_look(fd, suffix, (tuple(ranges),)) if ranges else None)
        stops = ways[0] is None or (pieces and ways[0].end < pieces[-1][-1][0])
        if (stops or len(ranges) > 1) and 0 < len(pieces) <= MOST_APART:
            ways.append(_look(fd, suffix, tuple(pieces)))
    return max((way for way in ways if way and way.last), key=lambda way: way.last, default=None)


def _look(fd: int, suffix: str, parts: tuple[Ranges, ...]) -> Way | None:
    tail: deque[tuple[int, Any]] = deque()
    held = count = end = 0
    context: Any = None
    for packet in _packets(fd, suffix, parts):
        context = context or packet.stream.codec_context
        tail.append((count, packet))
        held += packet.size
        count += 1
        end = (packet.pos or 0) + packet.size
        while held > TAIL_BYTES:
            held -= tail.popleft()[1].size
    try:
        last = _last_good(context, list(tail), count)
    except BROKEN:
        return None
    whole = last == count and parts == (((0, os.fstat(fd).st_size),),)
    return Way(parts, count, last, end, whole)


def _packets(fd: int, suffix: str, parts: tuple[Ranges, ...]) -> Iterator[Any]:
    """Whole packets in order, as far as each part can be read; their times always grow.

    A time that runs back, or far ahead, is a damaged one: the picture follows the one before it.
    """
    last: int | None = None
    step = 1
    for ranges in parts:
        try:
            with _open(fd, suffix, ranges) as clip:
                for packet in clip.demux(clip.streams.video[0]):
                    if not packet.size or packet.time_base is None:
                        continue
                    at = packet.pts
                    if last is not None:
                        if at is None or not 0 < at - last <= _LONGEST_STEP_S / packet.time_base:
                            at = last + step
                        step = max(1, min(at - last, int(1 / packet.time_base)))
                    packet.pts = packet.dts = last = at or 0
                    yield packet
        except BROKEN:
            continue


def _last_good(context: Any, tail: list[tuple[int, Any]], count: int) -> int:
    """How many packets there are up to the last that decodes; groups of pictures are tried from the end.

    A packet in the middle that does not decode stays, since those after it refer to it.
    """
    end = len(tail)
    while end:
        start = next((i for i in range(end - 1, -1, -1) if tail[i][1].is_keyframe), 0)
        good = _decodes(context, [packet for _, packet in tail[start:end]])
        if good:
            return tail[start + good - 1][0] + 1
        end = start
    return 0 if len(tail) == count else tail[0][0]


def _decodes(context: Any, packets: list[Any]) -> int:
    """Up to which of a group's packets pictures come out whole: their number, 0 if none does."""
    decoder = av.CodecContext.create(context.name, "r")
    decoder.extradata = context.extradata
    decoder.thread_count = 1
    decoder.options = {"max_pixels": str(FILE_PIXELS), "err_detect": "explode"}
    numbers = {packet.pts: n for n, packet in enumerate(packets, 1)}
    good = 0
    for packet in [*packets, None]:
        try:
            frames = decoder.decode(packet)
        except BROKEN:
            continue
        good = max([good, *(numbers.get(f.pts, 0) for f in frames if not f.is_corrupt)])
    return good


def write_copy(fd: int, suffix: str, way: Way, write: Callable[[int, bytes], object]) -> int:
    """Write the packets of ``way`` as a new file of the same kind; the packets written.

    write: takes (offset, bytes). Raises OSError, and :data:`BROKEN` where the file cannot be copied.
    """
    done = step = 0
    waiting: tuple[Any, int] | None = None
    with _open(fd, suffix, way.parts[0]) as first:  # its stream is the model of the new one
        comment = {k: v for k, v in first.metadata.items() if k.lower() == "comment"}
        muxer = Muxer(suffix, first.streams.video[0], comment)
        for packet in _packets(fd, suffix, way.parts):
            if done == way.last:
                break
            at = int(packet.pts * (packet.time_base / TIME_BASE))
            if waiting is not None:
                step = at - waiting[1]
                muxer.add(*waiting, step)
            waiting = packet, at
            done += 1
            for piece in muxer.take():
                write(*piece)
        if waiting is not None:
            muxer.add(*waiting, step)
        for piece in muxer.finish():
            write(*piece)
    return done


def count_decoded(path: Path, suffix: str) -> int:
    """Pictures that come out whole when all of a file is decoded as FFmpeg would; 0 if that cannot be."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    frames = 0
    try:
        with _open(fd, suffix, ((0, os.fstat(fd).st_size),)) as clip:
            stream = clip.streams.video[0]
            stream.codec_context.options = {"max_pixels": str(FILE_PIXELS)}
            for packet in clip.demux(stream):
                try:
                    frames += sum(not frame.is_corrupt for frame in stream.decode(packet))
                except BROKEN:
                    continue
    except BROKEN:
        pass
    finally:
        os.close(fd)
    return frames


def _open(fd: int, suffix: str, ranges: Ranges) -> Any:
    """The ranges of the file, opened as what its name says it is, and as nothing else."""
    limit = {"max_pixels": str(FILE_PIXELS)}
    return av.open(
        Spliced(fd, list(ranges)),
        format=container_format(suffix),
        stream_options=[limit],
        metadata_errors="replace",
        buffer_size=1 << 18,
    )
