"""Opening a video that somebody else made: limited in pixels, kinds, streams and time, never a playlist."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import av

from edgecam.core.text import decodable
from edgecam.host.beneath import open_beneath
from edgecam.media.limits import FILE_PIXELS, FORMATS, OPEN_S, READ_S, STREAMS


class TooLargeError(ValueError):
    """A picture has more pixels than are allowed; the text says how many."""


def open_video(path: Path, *, max_pixels: int = FILE_PIXELS) -> Any:
    """``av.open`` for a file from outside, as a container whose decoders refuse pictures over ``max_pixels``.

    The libraries look into a video's header on the way, so that the limit is given to them and not checked
    afterwards. Raises TooLargeError, av.FFmpegError or OSError.
    """
    limit = {"max_pixels": str(max_pixels)}
    if path.name != decodable(path.name):  # bytes that are no UTF-8, which PyAV does not take
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return open_video(Path(f"/proc/self/fd/{fd}"), max_pixels=max_pixels)
        finally:
            os.close(fd)
    container = av.open(
        f"file:{os.fspath(path)}",  # else a name such as "concat:a|b" would be a protocol's
        options={"protocol_whitelist": "file", "format_whitelist": FORMATS, "max_streams": str(STREAMS)},
        stream_options=[limit] * STREAMS,
        metadata_errors="replace",
        timeout=(OPEN_S, READ_S),
    )
    try:
        for stream in container.streams.video:
            context = stream.codec_context
            if context is not None:  # a codec that nobody knows has none
                context.options = {**limit}
                check_pixels(context.width, context.height, max_pixels)
    except BaseException:
        container.close()
        raise
    return container


def open_video_beneath(folder: Path, name: str, *, max_pixels: int = FILE_PIXELS) -> Any:
    """The same for a file of a folder that others may write to: no link is followed, no FIFO waited for."""
    fd = open_beneath(folder, name)
    try:
        return open_video(Path(f"/proc/self/fd/{fd}"), max_pixels=max_pixels)
    finally:
        os.close(fd)  # libavformat has its own


def check_pixels(width: int, height: int, most: int) -> None:
    """Raise TooLargeError if a picture of this size is over the limit."""
    if width * height > most:
        raise TooLargeError(
            f"pictures of {width}x{height} are over the limit of {most / 1e6:.4g} megapixels (--max-pixels)"
        )
