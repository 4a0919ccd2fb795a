"""RTSP and HTTP cameras, with as little delay as they give: our own clients first, then libavformat."""

from __future__ import annotations

import errno
import logging
import ssl
from collections.abc import Callable
from functools import partial
from urllib.parse import urlsplit

import av
import av.error

from edgecam.capture.decode.memory import Allocate
from edgecam.capture.decode_skipping import DecodeSkipping
from edgecam.capture.limits import LIVE_PIXELS, REDIRECTS
from edgecam.capture.live.reader import Grabber
from edgecam.capture.live.source import GrabbedSource
from edgecam.capture.network.address import origin, redirected
from edgecam.capture.network.connect import connect
from edgecam.capture.network.libav_stream import LibavStream
from edgecam.capture.network.mjpeg import MjpegCamera
from edgecam.capture.network.reasons import CONNECT_TIMEOUT_S, reason
from edgecam.capture.network.rtsp import RtspCamera, SilentError
from edgecam.capture.network.rtsp_client import RedirectedError, RefusedError, RtspClient
from edgecam.capture.network.tls import libav_settings, tls_context, tls_fault
from edgecam.capture.network.wire import LimitError
from edgecam.capture.options import SourceOptions
from edgecam.capture.uri import redact
from edgecam.core.clock import now_ns
from edgecam.core.errors import CaptureError, ConfigError, SourceOpenError

log = logging.getLogger(__name__)

# From the connection to the first whole picture: a camera sends a key frame every few seconds only.
FIRST_PICTURE_S = 10.0


class StreamSource(GrabbedSource):
    """Newest picture first. ``captured_ns`` is when its data arrived. The size may change at any time.

    Credentials in the address are used to connect, and nowhere else: name, messages and logs
    are without them.
    """

    def __init__(self, uri: str, options: SourceOptions) -> None:
        super().__init__(redact(uri), options.read_timeout_s)
        client = StreamClient(uri, options, self._skipping)
        self._begin(client.connect, CONNECT_TIMEOUT_S + FIRST_PICTURE_S)
        how, self._rate_hz = client.about()
        self._description = describe(self._name, self._size_wh, self._rate_hz, how)


def describe(name: str, size_wh: tuple[int, int], rate_hz: float | None, how: str) -> str:
    """A stream's one line for people."""
    rate = f" at {rate_hz:.4g} fps" if rate_hz else ""
    return f"{name}: {size_wh[0]}x{size_wh[1]}{rate}, {how}"


class StreamClient:
    """Connects: with our own clients first, then with libavformat. Used by one thread; connects once.

    allocate: where pictures go. Raises ConfigError or SourceOpenError for an address or options that cannot
    be. about: after the first picture, (the codec and how it comes, frames per second or None).
    """

    def __init__(
        self, uri: str, options: SourceOptions, skipping: DecodeSkipping, allocate: Allocate | None = None
    ) -> None:
        self._name = redact(uri)
        if options.rtsp_transport not in ("tcp", "udp"):
            raise ConfigError(f"rtsp_transport={options.rtsp_transport!r}: give tcp or udp.")
        scheme = uri.partition(":")[0].lower()
        if scheme == "rtsps" and options.rtsp_transport == "udp":
            raise ConfigError(f"{self._name}: rtsps goes over TCP only; leave --rtsp-transport udp out.")
        self._tls = tls_context(options.certificate) if _is_encrypted(uri) else None
        self._uri = uri
        self._max_pixels = options.max_pixels or LIVE_PIXELS
        self._options, self._skipping, self._allocate = options, skipping, allocate
        try:
            if not urlsplit(uri).hostname:
                raise ValueError
            _ = urlsplit(uri).port
        except ValueError:
            raise SourceOpenError(f"{self._name}: write it as {scheme}://host:port/path.") from None
        self.about: Callable[[], tuple[str, float | None]] = lambda: ("", None)

    def connect(self) -> Grabber:
        """Follows redirections; credentials stay with the host they are for. Raises SourceOpenError."""
        url = self._uri
        began_ns = now_ns()
        error: Exception
        for _ in range(REDIRECTS + 1):
            try:
                return self._open(url)
            except RedirectedError as moved:
                error = moved
                try:
                    url = redirected(url, moved.location)
                except ValueError as wrong:
                    raise SourceOpenError(f"{self._name}: {wrong}; write where it is.") from None
                log.info("%s: it redirects to %s", self._name, redact(url))
            except SourceOpenError:
                raise
            except (av.error.FFmpegError, OSError, ValueError) as raised:
                fault = self._tls_fault(url) if getattr(raised, "errno", None) == errno.EIO else ""
                why = fault or reason(raised, (now_ns() - began_ns) / 1e9)
                raise SourceOpenError(f"{self._name}: {why}") from None
        raise SourceOpenError(f"{self._name}: {reason(error, 0.0)}")

    def _open(self, url: str) -> Grabber:
        """With our own client, or with libavformat what that does not know."""
        is_rtsp = url.lower().startswith("rtsp")
        if self._tls is None and _is_encrypted(url):  # a plain address redirected us there
            self._tls = tls_context(self._options.certificate)
        by_udp = is_rtsp and self._options.rtsp_transport == "udp"
        try:
            if by_udp:
                if urlsplit(url).username:  # libavformat would take the password along on a redirection
                    self._ask(url)
            else:
                camera = self._open_rtsp(url) if is_rtsp else self._open_mjpeg(url)
                how = f" over {'TCP' if self._tls is None else 'TLS'}" if is_rtsp else ""
                self.about = lambda: (f"{camera.codec}{how}", camera.rate_hz)
                return camera
        except (RefusedError, RedirectedError, SilentError, LimitError):
            raise
        except CaptureError as error:  # it may speak with another
            log.debug("%s: %s; trying libavformat", self._name, error)
        settings = {"rtsp_transport": self._options.rtsp_transport} if is_rtsp else {}
        if self._tls is not None:
            settings |= libav_settings(self._options.certificate)
        times = (CONNECT_TIMEOUT_S, self._options.read_timeout_s)
        stream = LibavStream(url, self._name, settings, times, self._max_pixels)
        transport = f" over {self._options.rtsp_transport.upper()}" if is_rtsp else ""
        self.about = lambda: (f"{stream.codec}{transport}", stream.rate_hz)
        return stream

    def _open_rtsp(self, url: str) -> RtspCamera:
        call = partial(
            RtspCamera,
            url,
            self._name,
            CONNECT_TIMEOUT_S,
            read_timeout_s=self._options.read_timeout_s,
            tls=self._tls,
            skipping=self._skipping,
            max_pixels=self._max_pixels,
            allocate=self._allocate,
        )
        try:
            return call(first_packet_s=FIRST_PICTURE_S / 3)
        except SilentError as error:
            # GStreamer's server starts a stream without sending it now and then; the second call wakes it
            log.debug("%s: %s; calling again", self._name, error)
            return call(first_packet_s=FIRST_PICTURE_S * 2 / 3)

    def _open_mjpeg(self, url: str) -> MjpegCamera:
        return MjpegCamera(
            url,
            self._name,
            CONNECT_TIMEOUT_S,
            self._options.read_timeout_s,
            self._tls,
            self._skipping,
            self._max_pixels,
            self._allocate,
        )

    def _ask(self, url: str) -> None:
        """Raise RedirectedError or RefusedError if that is what the server answers."""
        client = RtspClient(url, CONNECT_TIMEOUT_S, self._options.read_timeout_s, self._tls)
        try:
            client.describe()
        finally:
            client.close()

    def _tls_fault(self, url: str) -> str:
        """What is wrong with the encryption, for libavformat does not tell; empty if nothing is."""
        if self._tls is None:
            return ""
        _, host, port = origin(url)
        try:
            connect(host, port, CONNECT_TIMEOUT_S, self._tls).close()
        except ssl.SSLError as error:
            return tls_fault(error)
        except OSError:
            pass
        return ""


def _is_encrypted(url: str) -> bool:
    return url.partition(":")[0].lower() in ("rtsps", "https")
