"""RTSP and HTTP cameras, through PyAV, with as little delay as the camera gives."""

from __future__ import annotations

import errno
import logging
import socket
import ssl
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import av
import av.error
import numpy as np

from edgecam.capture.decode.bgr import BgrConverter, set_low_delay
from edgecam.capture.decode.jpeg import decode_flawless
from edgecam.capture.decode_skipping import DecodeSkipping
from edgecam.capture.live.reader import Grab, Grabber
from edgecam.capture.live.source import GrabbedSource
from edgecam.capture.network.loss_concealment import LossConcealment
from edgecam.capture.network.rtsp import RtspCamera, SilentError
from edgecam.capture.network.rtsp_client import PORTS, RefusedError
from edgecam.capture.network.tls import libav_settings, tls_context, tls_fault
from edgecam.capture.options import SourceOptions
from edgecam.capture.uri import redact
from edgecam.core.clock import now_ns
from edgecam.core.errors import CaptureError, ConfigError, EdgecamError, EndOfStream, SourceOpenError

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 5.0
# From the connection to the first whole picture: a camera sends a key frame every few seconds only.
FIRST_PICTURE_S = 10.0
# MJPEG over HTTP: a picture that came within this time had been waiting, so this board is behind; a fresh one
# takes its time to come in, over Wi-Fi some milliseconds.
WAITED_S = 0.002
# Then it is passed over, but never for longer than this, however the pictures come.
PASSED_OVER_S = 0.2
# Measured on a local RTSP camera, from drawn to read: 37 ms (p50) and 38 ms (p95); with the libraries' own
# defaults 71 and 384; with our own client (rtsp.py) 4. Little probing and no reordering buffer: FFmpeg's
# documentation of protocols and formats.
LOW_LATENCY = {"fflags": "nobuffer", "probesize": "32768", "analyzeduration": "0", "max_delay": "0"}


class StreamSource(GrabbedSource):
    """Newest picture first. ``captured_ns`` is when its data arrived. The size may change at any time.

    Credentials in the address are used to connect, and nowhere else: name, messages and logs are without
    them.
    """

    def __init__(self, uri: str, options: SourceOptions) -> None:
        super().__init__(redact(uri), options.read_timeout_s)
        if options.rtsp_transport not in ("tcp", "udp"):
            raise ConfigError(f"rtsp_transport={options.rtsp_transport!r}: give tcp or udp.")
        scheme = uri.partition(":")[0].lower()
        if scheme == "rtsps" and options.rtsp_transport == "udp":
            raise ConfigError(f"{self._name}: rtsps goes over TCP only; leave --rtsp-transport udp out.")
        self._tls = tls_context(options.certificate) if scheme in ("rtsps", "https") else None
        self._uri = uri
        self._options = options
        try:
            if not urlsplit(uri).hostname:
                raise ValueError
            _ = urlsplit(uri).port
        except ValueError:
            raise SourceOpenError(f"{self._name}: write it as {scheme}://host:port/path.") from None
        self._about: Callable[[], tuple[str, float | None]] = lambda: ("", None)
        self._begin(self._connect, CONNECT_TIMEOUT_S + FIRST_PICTURE_S)
        how, self._rate_hz = self._about()
        rate = f" at {self._rate_hz:.4g} fps" if self._rate_hz else ""
        width, height = self._size_wh
        self._description = f"{self._name}: {width}x{height}{rate}, {how}"

    def _connect(self) -> Grabber:
        """On the reader's thread."""
        is_rtsp = self._uri.lower().startswith("rtsp")
        if is_rtsp and self._options.rtsp_transport == "tcp":
            camera = self._open_own()
            if camera is not None:
                how = "TCP" if self._tls is None else "TLS"
                self._about = lambda: (f"{camera.codec} over {how}", camera.rate_hz)
                return camera
        stream = self._open_libav(is_rtsp)
        transport = f" over {self._options.rtsp_transport.upper()}" if is_rtsp else ""
        self._about = lambda: (f"{stream.codec}{transport}", stream.rate_hz)
        return stream

    def _open_own(self) -> RtspCamera | None:
        """With our own client; None if libavformat should try. Raises SourceOpenError."""
        began_ns = now_ns()
        call = partial(
            RtspCamera,
            self._uri,
            self._name,
            CONNECT_TIMEOUT_S,
            read_timeout_s=self._options.read_timeout_s,
            tls=self._tls,
            skipping=self._skipping,
        )
        try:
            try:
                return call(first_packet_s=FIRST_PICTURE_S / 3)
            except SilentError as error:
                # GStreamer's server starts a stream without sending it now and then; the second call wakes it
                log.debug("%s: %s; calling again", self._name, error)
                return call(first_packet_s=FIRST_PICTURE_S * 2 / 3)
        except CaptureError as error:
            if not isinstance(error, (RefusedError, SilentError)):  # it may speak with another
                log.debug("%s: %s; trying libavformat", self._name, error)
                return None
            raise SourceOpenError(f"{self._name}: {reason(error, 0.0)}") from None
        except OSError as error:
            raise SourceOpenError(f"{self._name}: {reason(error, _since_s(began_ns))}") from None

    def _open_libav(self, is_rtsp: bool) -> _Stream:
        settings = dict(LOW_LATENCY)
        if is_rtsp:
            settings["rtsp_transport"] = self._options.rtsp_transport
        if self._tls is not None:
            settings |= libav_settings(self._options.certificate)
        began_ns = now_ns()
        try:
            # PyAV's time-outs abort libavformat's own waits; its calls hold no lock of Python meanwhile
            container = av.open(
                self._uri, options=settings, timeout=(CONNECT_TIMEOUT_S, self._options.read_timeout_s)
            )
        except (av.error.FFmpegError, OSError) as error:
            why = (self._tls_fault() if error.errno == errno.EIO else "") or reason(error, _since_s(began_ns))
            raise SourceOpenError(f"{self._name}: {why}") from None
        try:
            return _Stream(container, self._name, self._options.read_timeout_s, self._skipping)
        except BaseException:
            container.close()
            raise

    def _tls_fault(self) -> str:
        """What is wrong with the encryption, for libavformat does not tell; empty if nothing is."""
        parts = urlsplit(self._uri)
        if self._tls is None or parts.hostname is None:
            return ""
        port = parts.port or {"https": 443, **PORTS}[parts.scheme.lower()]
        try:
            with (
                socket.create_connection((parts.hostname, port), CONNECT_TIMEOUT_S) as plain,
                self._tls.wrap_socket(plain, server_hostname=parts.hostname),
            ):
                return ""
        except ssl.SSLError as error:
            return tls_fault(error)
        except OSError:
            return ""


class _Stream:
    """An open libavformat container, on the reader's thread."""

    def __init__(self, container: Any, name: str, read_timeout_s: float, skipping: DecodeSkipping) -> None:
        self._name = name
        self._timeout_s = read_timeout_s
        self._container = container
        if not container.streams.video:
            raise SourceOpenError(f"{name} answers, but there is no video in what it sends.")
        self._stream = container.streams.video[0]
        context = self._stream.codec_context
        set_low_delay(context)
        self.codec: str = context.name
        rate = self._stream.average_rate or self._stream.guessed_rate
        # MJPEG over HTTP carries no times, and libavformat then says 25 (or a time base's 90000)
        known = rate and container.format.name != "mpjpeg" and 0 < float(rate) <= 1000
        self.rate_hz: float | None = float(rate) if known else None
        self._each_is_whole = container.format.name == "mpjpeg"
        self._decoded_ns = 0
        self._packets: Iterator[Any] = container.demux(self._stream)
        self._convert = BgrConverter()
        self._ready: list[Grab] = []
        self._concealment = LossConcealment(name, read_timeout_s)
        self._skipping = skipping

    def grab(self) -> Grab | None:
        """The next picture; None if the packet gave none."""
        if self._ready:
            return self._ready.pop(0)
        asked_ns = now_ns()
        try:
            packet = next(self._packets)
        except StopIteration:
            packet = None
        except (av.error.FFmpegError, OSError) as error:
            raise CaptureError(f"{self._name}: {reason(error, self._timeout_s)}") from None
        if packet is None or (packet.dts is None and packet.size == 0):  # the flush at the end
            if self._container.duration:
                raise EndOfStream(f"{self._name}: the video has ended")
            raise CaptureError(f"{self._name}: the stream ended; the camera or its server closed it")
        captured_ns = now_ns()
        if self._is_old(asked_ns, captured_ns) or not self._concealment.admits(packet.is_keyframe):
            return None
        self._decoded_ns = captured_ns
        if self._each_is_whole and self._skipping.passes_over(captured_ns):
            return None
        if self._each_is_whole:  # a third faster than through libavcodec and swscale, which judges the others
            image = decode_flawless(np.frombuffer(packet, np.uint8))
            if image is not None:
                self._concealment.clean()
                self._skipping.decoded(captured_ns)
                return Grab(image, captured_ns)
        try:
            frames = self._stream.decode(packet)
        except (av.error.FFmpegError, OSError) as error:
            self._concealment.broken(f"damaged data ({error.strerror})")
            return None
        self._ready = [Grab(self._convert(f), captured_ns) for f in frames if self._concealment.is_clean(f)]
        if self._each_is_whole and self._ready:
            self._skipping.decoded(captured_ns)
        return self._ready.pop(0) if self._ready else None

    def _is_old(self, asked_ns: int, came_ns: int) -> bool:
        """Whether a picture had been waiting for us, so that a newer one is here or on its way."""
        waiting = came_ns - asked_ns < WAITED_S * 1e9
        return self._each_is_whole and waiting and came_ns - self._decoded_ns < PASSED_OVER_S * 1e9

    def abort(self) -> None:
        """libavformat's calls end by their own time-out."""

    def close(self) -> None:
        """Hang up."""
        self._ready = []
        self._packets = iter(())
        self._container.close()


def _since_s(began_ns: int) -> float:
    return (now_ns() - began_ns) / 1e9


def reason(error: Exception, waited_s: float) -> str:
    """In words, and without the address that libav puts into its errors. ``waited_s``: how long it took."""
    if isinstance(error, EdgecamError) and not isinstance(error, RefusedError):
        return str(error)
    if isinstance(error, ssl.SSLError):
        return tls_fault(error)
    status = error.status if isinstance(error, RefusedError) else 0
    if status == 401 or isinstance(error, av.error.HTTPUnauthorizedError):
        return "user name or password is wrong; write them as rtsp://USER:PASSWORD@host/path."
    if status == 403 or isinstance(error, av.error.HTTPForbiddenError):
        return "the camera forbids it (403); may this user watch?"
    if status == 404 or isinstance(error, av.error.HTTPNotFoundError):
        return "the camera knows no such stream (404); check the path."
    if isinstance(error, ConnectionRefusedError):
        return "connection refused; is the camera on, and the port right?"
    timed_out = isinstance(error, (av.error.ExitError, TimeoutError))
    if timed_out or waited_s >= CONNECT_TIMEOUT_S - 0.1:  # libav names other errors after its time-out
        return f"no answer within {waited_s:.1f} s; is the camera on and in this network?"
    if isinstance(error, av.error.InvalidDataError):
        return "what it sends is not video."
    unknown_host = isinstance(error, av.error.FFmpegError) and error.errno == errno.EIO
    if unknown_host or isinstance(error, socket.gaierror):
        return "cannot be reached; check the host's name and the network."
    return f"failed ({getattr(error, 'strerror', None) or type(error).__name__})."
