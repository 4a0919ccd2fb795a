"""The source that is measured on when none is given, and a file as a camera would deliver it."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from edgecam.capture import SourceOptions, is_generated, open_source
from edgecam.capture.base import BaseSource
from edgecam.core.ports import Source
from edgecam.core.types import Frame
from edgecam.host.cpu import cache_folder

#: The usual webcam's picture, ten seconds of it: every photograph of ``demo:`` is seen in forty.
SIZE_WH, RATE_HZ, FRAMES = (1280, 720), 30, 300
#: Quality and speed as a camera's own encoder has them.
_ENCODER = {"preset": "veryfast", "crf": "23"}


def default_clip() -> Path:
    """A 720p H.264 file of ``demo:``; made once, then kept.

    Takes about five seconds the first time.
    """
    options = SourceOptions(size_wh=SIZE_WH, rate_hz=RATE_HZ)
    with open_source("demo:", options) as source:
        path = cache_folder() / "bench" / "demo-720p.mp4"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_name(f"{path.stem}.{os.getpid()}.part.mp4")
            make_clip(part, source, FRAMES)
            part.replace(path)
    return path


def make_clip(path: Path, source: Source, frames: int) -> None:
    """Write ``frames`` pictures of ``source`` as H.264."""
    import av

    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=RATE_HZ, options=_ENCODER)
        stream.width, stream.height = source.size_wh
        stream.pix_fmt = "yuv420p"
        for _ in range(frames):
            frame = source.read(5.0)
            if frame is not None:
                out.mux(stream.encode(av.VideoFrame.from_ndarray(frame.image, format="bgr24")))
        out.mux(stream.encode())


class AsCamera(BaseSource):
    """A file that does not wait: its frames come on its own clock, and those that nobody takes are lost.

    Implements :class:`edgecam.core.ports.Source`.
    """

    is_live = True

    def __init__(self, source: Source) -> None:
        super().__init__(source.name)
        self._source = source
        self._size_wh, self._rate_hz = source.size_wh, source.rate_hz
        self._description = f"{source.description}, as a camera"
        self.credit, self.keep_clear = source.credit, source.keep_clear

    def rename(self, name: str) -> None:
        """Rename the source, whose frames then carry that name too."""
        super().rename(name)
        self._source.rename(name)

    def _read(self, timeout_s: float) -> Frame | None:
        return self._source.read(timeout_s)

    def _wake(self) -> None:
        self._source.close()

    def _release(self) -> None:
        self._source.close()


def open_unpaced(uri: str, options: SourceOptions) -> Source:
    """The source read as fast as it goes, again and again."""
    return open_source(uri, replace(options, loop=True, paced=False))


def is_camera(uri: str, source: Source) -> bool:
    """Whether ``source``, opened from ``uri`` as a camera, really is one: it cannot be read any faster."""
    return source.is_live and not isinstance(source, AsCamera) and not is_generated(uri)


def open_as_camera(uri: str, options: SourceOptions) -> Source:
    """The source as a camera delivers it. Folders of pictures wait: they have no clock."""
    if is_generated(uri) and "live=" not in uri:
        uri += ("&" if "?" in uri else "?") + "live=1"
    source = open_source(uri, replace(options, loop=True, paced=True))
    return source if source.is_live or source.rate_hz is None else AsCamera(source)
