"""Opens videos from outside: limited in pixels, kinds, streams and time, and never a playlist."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path
from typing import Any

import av
import numpy as np

from edgecam.core.text import decodable
from edgecam.core.types import Image
from edgecam.host.beneath import open_beneath
from edgecam.media.limits import FILE_PIXELS, FORMATS, OPEN_S, READ_S, STREAMS, check_pixels

log = logging.getLogger(__name__)

#: Seconds for which a picture is looked for, in a clip with a key picture every few seconds.
PICTURE_S = 10.0


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


def picture_at(folder: Path, name: str, at_s: float) -> Image | None:
    """The picture of a clip at a second, (H, W, 3) uint8 BGR; None if it cannot be decoded."""
    try:
        with open_video_beneath(folder, name) as clip:
            clip.seek(round(max(0.0, at_s) * av.time_base))  # to the key picture before it
            stream = clip.streams.video[0]
            last, until = None, time.monotonic() + PICTURE_S
            for frame in clip.decode(stream):
                late = frame.time is None or frame.time > at_s + 1e-3 or time.monotonic() > until
                if last is not None and late:
                    break
                last = frame
            return None if last is None else np.asarray(last.to_ndarray(format="bgr24"), np.uint8)
    except (av.FFmpegError, OSError, LookupError, ValueError, ArithmeticError, AttributeError) as error:
        log.debug("no picture of '%s' at %s s: %s", name, at_s, error)
        return None
