"""Streams that our own clients do not know (UDP, other codecs, HLS, unusual servers), by libavformat."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping
from typing import Any

import av
import av.error

from edgecam.capture.decode.bgr import BgrConverter, set_low_delay
from edgecam.capture.limits import sane_rate_hz
from edgecam.capture.live.reader import Grab
from edgecam.capture.network.loss_concealment import LossConcealment
from edgecam.capture.network.reasons import reason
from edgecam.core.clock import now_ns
from edgecam.core.errors import CaptureError, EndOfStream, SourceOpenError
from edgecam.media.limits import STREAMS, check_pixels

# Measured on a local RTSP camera, from drawn to read: 37 ms (p50) and 38 ms (p95); with the libraries' own
# defaults 71 and 384; with our own client (rtsp.py) 4. Little probing and no reordering buffer: FFmpeg's
# documentation of protocols and formats.
LOW_LATENCY = {"fflags": "nobuffer", "probesize": "32768", "analyzeduration": "0", "max_delay": "0"}
#: What a stream may lead on to (HLS names its parts): never to files of this machine.
PROTOCOLS = "rtsp,rtp,rtcp,srtp,udp,tcp,tls,http,https,httpproxy,crypto,hls"


class LibavStream:
    """An open libavformat container, on the reader's thread. Its decoder refuses what is over ``max_pixels``.

    settings: of the protocol. timeouts_s: to connect, and to read. Raises av.FFmpegError,
    SourceOpenError, TooLargeError or OSError.
    """

    def __init__(
        self,
        url: str,
        name: str,
        settings: Mapping[str, str],
        timeouts_s: tuple[float, float],
        max_pixels: int,
    ) -> None:
        self._name = name
        self._timeout_s = timeouts_s[1]
        limit = {"max_pixels": str(max_pixels)}
        # PyAV's time-outs abort libavformat's own waits; its calls hold no lock of Python meanwhile
        self._container = av.open(
            url,
            options={**LOW_LATENCY, "protocol_whitelist": PROTOCOLS, "max_streams": str(STREAMS), **settings},
            stream_options=[limit] * STREAMS,
            metadata_errors="replace",
            timeout=timeouts_s,
        )
        try:
            if not self._container.streams.video:
                raise SourceOpenError(f"{name} answers, but there is no video in what it sends.")
            self._stream = self._container.streams.video[0]
            context = self._stream.codec_context
            if context is None:
                raise SourceOpenError(f"{name} sends video of an unknown kind.")
            check_pixels(context.width, context.height, max_pixels)
            context.options = {**limit}
            set_low_delay(context)
        except BaseException:
            self._container.close()
            raise
        self.codec: str = context.name
        rate = self._stream.average_rate or self._stream.guessed_rate
        # MJPEG over HTTP carries no times, and libavformat then says 25 (or a time base's 90000)
        known = rate and self._container.format.name != "mpjpeg"
        self.rate_hz = sane_rate_hz(float(rate)) if known else None
        self._packets: Iterator[Any] = self._container.demux(self._stream)
        self._convert = BgrConverter()
        self._ready: list[Grab] = []
        self._concealment = LossConcealment(name, self._timeout_s)

    def grab(self) -> Grab | None:
        """The next picture; None if the packet gave none."""
        if self._ready:
            return self._ready.pop(0)
        try:
            packet = next(self._packets)
        except StopIteration:
            packet = None
        except (av.error.FFmpegError, OSError) as error:
            raise CaptureError(f"{self._name}: {self._why(error)}") from None
        if packet is None or (packet.dts is None and packet.size == 0):  # the flush at the end
            if self._container.duration:
                raise EndOfStream(f"{self._name}: the video has ended")
            raise CaptureError(f"{self._name}: the stream ended; the camera or its server closed it")
        captured_ns = now_ns()
        if not self._concealment.admits(packet.is_keyframe):
            return None
        try:
            frames = self._stream.decode(packet)
        except (av.error.FFmpegError, OSError, ValueError) as error:
            self._concealment.broken(f"damaged data ({getattr(error, 'strerror', None) or error})")
            return None
        self._ready = [Grab(self._convert(f), captured_ns) for f in frames if self._concealment.is_clean(f)]
        return self._ready.pop(0) if self._ready else None

    def _why(self, error: Exception) -> str:
        if (
            self._container.duration and getattr(error, "errno", None) == errno.EIO
        ):  # a file's server answered
            return "its server gives no parts of the video, or broke off; download the file and open that."
        return reason(error, self._timeout_s)

    def abort(self) -> None:
        """Nothing: calls of libavformat end by their own time-out."""

    def close(self) -> None:
        """Hang up."""
        self._ready = []
        self._packets = iter(())
        self._container.close()
