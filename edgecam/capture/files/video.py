"""A video file, decoded by PyAV with the file's own timestamps."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import av
import av.error
from av.video.frame import VideoFrame

from edgecam.capture.base import BaseSource, Pacer
from edgecam.capture.decode.bgr import BgrConverter
from edgecam.capture.limits import FILE_PIXELS, sane_rate_hz
from edgecam.capture.options import SourceOptions
from edgecam.core.clock import now_ns
from edgecam.core.errors import EndOfStream, SourceOpenError
from edgecam.core.types import Frame, Image
from edgecam.media.limits import TooLargeError
from edgecam.media.reading import open_video

log = logging.getLogger(__name__)

# Demuxers of libavformat that turn any text into a "video" of its letters.
_TEXT_FORMATS = frozenset({"tty", "bin", "xbin", "adf", "idf"})
# A rate for files that name none and whose frames carry no time: the usual one.
_FALLBACK_RATE_HZ = 25.0
# Shorter than declared by less than this is no damage: containers round, and sound often ends later.
_SHORTFALL_NS = 500_000_000
# Lines of the largest picture that one core decodes faster than a small board infers.
_FULL_HD = 1088


class FileSource(BaseSource):
    """Every frame of a video, in order, none lost.

    ``media_ns`` counts from the start of the video stream and always rises. A truncated file gives the frames
    that decode, then EndOfStream, with one warning. The rotation a phone wrote into the file is applied.
    Cost, 720p H.264 on one core: about 2.5 ms of CPU per frame with the conversion to BGR.
    """

    def __init__(self, path: Path, options: SourceOptions) -> None:
        super().__init__(str(path))
        self._path = path
        self._options = options
        self._pacer = Pacer(self._closed)
        self._convert = BgrConverter()
        self._damage: str | None = None
        self._told = False
        self._offset_ns = 0
        self._last_ns = -1
        self._container, self._stream = self._open()
        rate = self._stream.average_rate or self._stream.guessed_rate
        self._rate_hz = sane_rate_hz(float(rate)) if rate else None
        self._step_ns = int(1e9 / (self._rate_hz or _FALLBACK_RATE_HZ))
        self._codec = self._stream.codec_context.name
        self._frames = self._decode()
        self._pending = self._next()
        if self._pending is None:
            self._container.close()
            raise SourceOpenError(f"{path}: {self._damage or 'no frame in it'}; nothing can be decoded.")
        height, width = self._pending[0].shape[:2]
        self._size_wh = (width, height)
        shown = f" at {self._rate_hz:.5g} fps" if self._rate_hz else ""
        self._description = f"{path}: {width}x{height}{shown}, {self._codec}"

    def _open(self) -> tuple[av.container.InputContainer, av.video.stream.VideoStream]:
        try:
            container = open_video(self._path, max_pixels=self._options.max_pixels or FILE_PIXELS)
        except PermissionError:
            raise SourceOpenError(f"{self._path}: no permission to read this file.") from None
        except TooLargeError as error:
            raise SourceOpenError(f"{self._path}: {error}.") from None
        except (av.error.FFmpegError, OSError, ValueError, LookupError, ArithmeticError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise SourceOpenError(
                f"{self._path} is not a video that can be read ({reason}); is it cut off, or no video?"
            ) from None
        videos = [s for s in container.streams.video if not _is_cover(s) and s.codec_context is not None]
        if not videos or container.format.name in _TEXT_FORMATS:
            container.close()
            raise SourceOpenError(f"{self._path} is not a video: there are no moving pictures in it.")
        stream = videos[0]
        # Frame threads are 20 % faster than slice threads alone; their delay does not matter here. One core
        # is left to the vision beside: with threads on all, the whole was 10 % slower at 720p on two cores.
        stream.thread_type = "AUTO"
        if stream.height <= _FULL_HD:
            stream.codec_context.thread_count = max(1, (os.cpu_count() or 1) - 1)
        return container, stream

    def _decode(self) -> Iterator[VideoFrame]:
        """All frames that decode; notes the first damage instead of raising it."""
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except (av.error.FFmpegError, OSError, ValueError, ArithmeticError) as error:
                self._note(f"reading failed ({getattr(error, 'strerror', None) or error})")
                packet = None
            try:
                yield from self._stream.decode(packet)
            except av.error.EOFError:
                return
            except (av.error.FFmpegError, OSError, ValueError, ArithmeticError) as error:
                self._note(f"decoding failed ({getattr(error, 'strerror', None) or error})")
            if packet is None:
                return

    def _note(self, damage: str) -> None:
        if self._damage is None:
            self._damage = damage

    def _next(self) -> tuple[Image, int] | None:
        """The next picture and its place on the timeline."""
        frame = next(self._frames, None)
        if frame is None:
            return None
        if frame.pts is None or frame.time_base is None:
            at = self._last_ns + self._step_ns
        else:
            start = self._stream.start_time or 0
            at = self._offset_ns + int((frame.pts - start) * frame.time_base * 1_000_000_000)
        if self._last_ns < 0:
            at = max(at, 0)
        elif at <= self._last_ns:  # a timestamp that stands still or runs back
            at = self._last_ns + self._step_ns
        self._last_ns = at
        return self._convert(frame), at

    def _again(self) -> tuple[Image, int] | None:
        """From the start, the timeline going on."""
        self._offset_ns = self._last_ns + self._step_ns
        self._container.close()
        # the old decoder goes first, with its 10 MB of pictures at 720p
        del self._frames, self._stream, self._container
        self._container, self._stream = self._open()
        self._frames = self._decode()
        return self._next()

    def _read(self, timeout_s: float) -> Frame | None:
        if self._pending is None:
            self._pending = self._next()
        if self._pending is None and self._options.loop and self._index:
            self._pending = self._again()
        if self._pending is None:
            self._tell_damage()
            raise EndOfStream(f"{self._name}: the video has ended")
        image, media_ns = self._pending
        if self._options.paced and not self._pacer.wait(media_ns, timeout_s):
            return None
        self._pending = None
        frame = Frame(image, self._index, now_ns(), self._name, media_ns=media_ns)
        self._index += 1
        return frame

    def _tell_damage(self) -> None:
        """One warning, at the first end, if the file broke or stopped short of what it declares."""
        if self._told:
            return
        self._told = True
        declared_ns = self._declared_ns()
        end_ns = self._last_ns - self._offset_ns + self._step_ns
        if self._damage is None and end_ns < declared_ns - max(_SHORTFALL_NS, 2 * self._step_ns):
            self._damage = f"it stops at {end_ns / 1e9:.1f} s of {declared_ns / 1e9:.1f} s"
        if self._damage:
            log.warning("%s is damaged or cut off: %s; %d frames used", self._name, self._damage, self._index)

    def _declared_ns(self) -> int:
        """How long the file says its video is; 0 where it does not say."""
        stream = self._stream
        if stream.duration and stream.time_base:
            return int(stream.duration * stream.time_base * 1_000_000_000)
        if self._container.duration and len(self._container.streams) == 1:
            return int(self._container.duration * 1000)  # libavformat's AV_TIME_BASE: microseconds
        return 0

    def _release(self) -> None:
        self._pending = None
        if hasattr(self, "_container"):  # not if the file was gone when it should have begun again
            self._container.close()


def _is_cover(stream: av.video.stream.VideoStream) -> bool:
    """True for the cover picture of a sound file."""
    disposition = getattr(stream, "disposition", None)
    cover = getattr(type(disposition), "attached_pic", None)
    return bool(cover is not None and disposition & cover)
