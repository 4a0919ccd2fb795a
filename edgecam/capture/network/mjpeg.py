"""MJPEG over HTTP (multipart/x-mixed-replace), as network cameras serve it, by a client of our own.

An address that gives one picture (a photograph, a camera's snapshot) is read as well: once, and that is all.
libavformat takes a part's Content-Length at its word, 2 GB too; here a picture has a limit, a header has one,
and credentials stay with the host they are for.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
from urllib.parse import unquote, urlsplit

import av
import av.error
import numpy as np
from av.packet import Packet

from edgecam.capture.decode.bgr import BgrConverter, set_low_delay
from edgecam.capture.decode.jpeg import decode_flawless, is_bearable
from edgecam.capture.decode.memory import Allocate, fresh
from edgecam.capture.decode.picture import decode_picture
from edgecam.capture.decode_skipping import DecodeSkipping
from edgecam.capture.limits import HEADER_LINES, PICTURE_BYTES
from edgecam.capture.live.reader import Grab
from edgecam.capture.network.address import origin, without_credentials
from edgecam.capture.network.connect import connect
from edgecam.capture.network.loss_concealment import LossConcealment
from edgecam.capture.network.rtsp_auth import authorization
from edgecam.capture.network.rtsp_client import RedirectedError, RefusedError, UnsupportedError
from edgecam.capture.network.wire import LimitError, Wire
from edgecam.core.clock import now_ns
from edgecam.core.errors import CaptureError, EndOfStream, SourceOpenError
from edgecam.core.units import whole_within

log = logging.getLogger(__name__)

# A picture that came within this time had been waiting, so this board is behind; a fresh one takes its time
# to come in, over Wi-Fi some milliseconds.
WAITED_S = 0.002
# Then it is passed over, but never for longer than this, however the pictures come.
PASSED_OVER_S = 0.2


class MjpegCamera:
    """An open stream and its decoder. One thread, but for ``abort``.

    Raises UnsupportedError for what libavformat should try instead, RedirectedError, RefusedError,
    CaptureError or OSError.
    """

    codec = "mjpeg"
    rate_hz: float | None = None  # it carries no times

    def __init__(
        self,
        url: str,
        name: str,
        connect_timeout_s: float,
        read_timeout_s: float,
        tls: ssl.SSLContext | None,
        skipping: DecodeSkipping,
        max_pixels: int,
        allocate: Allocate | None = None,
    ) -> None:
        self._name = name
        self._allocate = allocate or fresh
        self._read_timeout_s = read_timeout_s
        self._skipping = skipping
        self._max_pixels = max_pixels
        self._concealment = LossConcealment(name, read_timeout_s)
        self._convert = BgrConverter(allocate)
        self._decoder = av.CodecContext.create("mjpeg", "r")
        self._decoder.options = {"max_pixels": str(max_pixels)}
        set_low_delay(self._decoder)
        self._decoded_ns = 0
        self._socket, self._wire, headers = _get(url, connect_timeout_s, tls)
        kind = headers.get("content-type", [""])[0]
        self._single: Grab | None = None
        self._boundary = _boundary(kind)
        if not kind.lower().startswith("multipart/"):
            self._boundary = ""
            try:
                if not kind.lower().startswith("image/"):
                    raise UnsupportedError("not multipart")
                self._single, self.codec = self._only_picture(headers), "one picture"
            except BaseException:
                self._socket.close()
                raise
        self._socket.settimeout(connect_timeout_s)  # a camera may start its encoder only now

    def grab(self) -> Grab | None:
        """The next picture; None if what came was none, or an old one."""
        if not self._boundary:
            if self._single is None:
                raise EndOfStream(f"{self._name}: the address gave its one picture")
            only, self._single = self._single, None
            return only
        asked_ns = now_ns()
        try:
            data = self._part()
        except TimeoutError:
            raise CaptureError(f"{self._name}: no answer within {self._read_timeout_s:g} s") from None
        except CaptureError as error:
            raise CaptureError(f"{self._name}: {error}") from None
        except OSError as error:
            raise CaptureError(f"{self._name}: the connection broke ({error.strerror or error})") from None
        came_ns = now_ns()
        self._socket.settimeout(self._read_timeout_s)
        if data is None or self._is_old(asked_ns, came_ns):
            return None
        self._decoded_ns = came_ns
        if self._skipping.passes_over(came_ns):
            return None
        return self._decode(data, came_ns)

    def _only_picture(self, headers: dict[str, list[str]]) -> Grab:
        """The picture that is the whole answer."""
        length = whole_within(headers.get("content-length", [""])[0], 1, PICTURE_BYTES)
        if length is None:
            raise LimitError(f"its picture has no length, or more than {PICTURE_BYTES >> 20} MB")
        try:
            return Grab(decode_picture(self._wire.exactly(length), self._max_pixels), now_ns())
        except ValueError as error:
            raise SourceOpenError(f"{self._name} is a picture that cannot be read: {error}") from None

    def _part(self) -> bytes | None:
        """One part's content; None if it is no JPEG."""
        self._wire.until_ns = None
        for _ in range(HEADER_LINES):  # empty lines before it, and what is left of a wrong length
            line = self._wire.line(PICTURE_BYTES)
            self._wire.until_ns = now_ns() + int(self._read_timeout_s * 1e9)  # what begins must end soon
            if line.startswith("--"):
                break
        else:
            raise CaptureError("what it sends is not divided into pictures")
        if line == f"{self._boundary}--":
            raise CaptureError("the stream ended; the camera or its server closed it")
        headers = self._wire.headers()
        named = headers.get("content-length", [""])[0]
        if named:
            length = whole_within(named, 0, PICTURE_BYTES)
            if length is None:
                raise LimitError(f"it announces a picture of {named[:20]} bytes, over the limit")
            data = self._wire.exactly(length)
        else:
            data = self._wire.until(f"\n{self._boundary}".encode(), PICTURE_BYTES).rstrip(b"\r")
            self._wire.unread(self._boundary.encode())
        kind = headers.get("content-type", ["image/jpeg"])[0].lower()
        return data if kind.startswith(("image/jpeg", "image/jpg")) else None

    def _decode(self, data: bytes, came_ns: int) -> Grab | None:
        self._concealment.admits(True)  # every picture is whole by itself
        array = np.frombuffer(data, np.uint8)
        if not is_bearable(array, self._max_pixels):
            self._concealment.broken("a picture over the limits (--max-pixels), or none")
            return None
        # a third faster than libavcodec and swscale, which judge the others
        image = decode_flawless(array, self._allocate)
        if image is not None:
            self._concealment.clean()
            self._skipping.decoded(came_ns)
            return Grab(image, came_ns)
        try:
            frames = self._decoder.decode(Packet(data))
        except (av.error.FFmpegError, OSError, ValueError) as error:
            self._concealment.broken(f"damaged data ({getattr(error, 'strerror', None) or error})")
            return None
        if not frames or not self._concealment.is_clean(frames[-1]):
            return None
        image = self._convert(frames[-1])
        self._skipping.decoded(came_ns)
        return Grab(image, came_ns)

    def _is_old(self, asked_ns: int, came_ns: int) -> bool:
        """Whether a picture had been waiting for us, so that a newer one is here or on its way."""
        return came_ns - asked_ns < WAITED_S * 1e9 and came_ns - self._decoded_ns < PASSED_OVER_S * 1e9

    def abort(self) -> None:
        """From any thread: end a blocking ``grab``."""
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self._socket, socket.SHUT_RD)

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


def _get(
    url: str, timeout_s: float, tls: ssl.SSLContext | None
) -> tuple[socket.socket, Wire, dict[str, list[str]]]:
    """(connection, its reader, the headers) of the answer to a GET."""
    parts = urlsplit(url)
    _, host, port = origin(url)
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    place = urlsplit(without_credentials(url)).netloc
    challenges: list[str] = []
    for attempt in (1, 2):
        connection = connect(host, port, timeout_s, tls)
        try:
            wire = Wire(connection)
            wire.until_ns = now_ns() + int(timeout_s * 1e9)
            # 1.0: no chunks, which no camera needs
            lines = [f"GET {path} HTTP/1.0", f"Host: {place}", "User-Agent: edgecam", "Accept: */*"]
            answer = authorization(challenges, user, password, "GET", path)
            lines += [f"Authorization: {answer}"] if answer else []
            connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
            status, headers = _answer(wire)
            if status == 200 and "transfer-encoding" not in headers:
                return connection, wire, headers
            challenges = headers.get("www-authenticate", [])
        except BaseException:
            connection.close()
            raise
        connection.close()
        if status != 401 or attempt == 2 or not user:
            break
    if 300 <= status < 400 and headers.get("location"):
        raise RedirectedError(headers["location"][0])
    if status in (401, 403, 404):
        raise RefusedError(status)
    raise UnsupportedError(f"it answers {status}")


def _answer(wire: Wire) -> tuple[int, dict[str, list[str]]]:
    words = wire.line().split()
    status = whole_within(words[1], 100, 999) if len(words) > 1 else None
    if status is None or not words[0].startswith(("HTTP/", "ICY")):
        raise UnsupportedError("what the server sends is not HTTP")
    return status, wire.headers()


def _boundary(kind: str) -> str:
    """``--`` and the boundary that the content's type names (RFC 2046, 5.1.1); some have the dashes in it."""
    for part in kind.split(";")[1:]:
        name, _, value = part.partition("=")
        if name.strip().lower() == "boundary" and value.strip(' "'):
            return "--" + value.strip(' "').removeprefix("--")
    return "--"
