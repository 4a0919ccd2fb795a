"""RTSP signalling over one TCP connection, RTP interleaved (RFC 2326), with deadlines of its own.

Why not libavformat: it ignores the marker bit that ends a picture in RTP, so its parser holds each picture
back until the next one begins. At 30 fps that is 33 ms (measured, drawn to read: 37 ms against 4). What this
client does not know (UDP, other codecs, unusual servers) still goes through libavformat, see stream.py.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from dataclasses import dataclass
from urllib.parse import unquote, urljoin, urlsplit

from edgecam.capture.limits import BODY_BYTES, EARLY_BYTES, EARLY_PACKETS, SESSION_S
from edgecam.capture.network.address import PORTS, without_credentials
from edgecam.capture.network.connect import connect
from edgecam.capture.network.rtsp_auth import authorization
from edgecam.capture.network.sdp import VideoTrack, parse_sdp
from edgecam.capture.network.wire import LimitError, Wire
from edgecam.core.clock import now_ns
from edgecam.core.errors import CaptureError
from edgecam.core.units import number_within, whole_within

_AGENT = "edgecam"
# RFC 2326, 12.37: a session's time-out if the server names none.
_SESSION_TIMEOUT_S = 60.0


class UnsupportedError(CaptureError):
    """The server uses something that this client does not support; another client may."""


class RedirectedError(CaptureError):
    """A redirection to ``location``, as the server wrote it."""

    def __init__(self, location: str) -> None:
        super().__init__("it redirects elsewhere")
        self.location = location


class RefusedError(CaptureError):
    """The server refused; ``status`` is its RTSP status code."""

    def __init__(self, status: int) -> None:
        super().__init__(f"RTSP {status}")
        self.status = status


@dataclass(frozen=True, slots=True)
class Reply:
    """A response; header names in lower case, repeated ones in order."""

    status: int
    headers: dict[str, list[str]]
    body: bytes

    def first(self, name: str) -> str:
        """A header's first value, or an empty string."""
        return self.headers.get(name, [""])[0]


class RtspClient:
    """One session with one camera. One thread; ``abort`` from any.

    tls: of rtsps addresses. Raises UnsupportedError, RedirectedError, RefusedError, LimitError,
    CaptureError (the connection ended) and TimeoutError, ConnectionRefusedError, ssl.SSLError and other
    OSErrors from the socket.
    """

    def __init__(
        self, url: str, connect_timeout_s: float, read_timeout_s: float, tls: ssl.SSLContext | None = None
    ) -> None:
        parts = urlsplit(url)
        scheme = parts.scheme.lower()
        if scheme not in ("rtsp", "rtsps") or not parts.hostname or (scheme == "rtsps") != (tls is not None):
            raise UnsupportedError("not RTSP")
        self._user, self._password = unquote(parts.username or ""), unquote(parts.password or "")
        self._url = without_credentials(url)
        self._challenges: list[str] = []
        self._sequence = 0
        self._left = self._flowing = self._renewed = False
        self._early: list[bytes] = []
        self._early_bytes = 0
        self._leaving = threading.Lock()
        self._first_by_ns = 0
        self._session = ""
        self._keep_alive_s = _SESSION_TIMEOUT_S / 2
        self._alive_ns = now_ns()
        self._beat = "OPTIONS"
        self._channel = 0
        port = parts.port or PORTS[scheme]
        self._socket = connect(parts.hostname, port, connect_timeout_s, tls)
        self._wire = Wire(self._socket)
        self._answer_ns = int(connect_timeout_s * 1e9)
        self._read_timeout_s = read_timeout_s

    def play(self, first_packet_s: float) -> VideoTrack:
        """DESCRIBE, SETUP and PLAY the video; packets then come from :meth:`packet`.

        first_packet_s: how long the first of them may take, for some cameras start their encoder only now.
        """
        described = self.describe()
        track = parse_sdp(described.body.decode("utf-8", "replace"))
        if track is None:
            raise UnsupportedError("no video in the session description")
        base = described.first("content-base") or described.first("content-location") or self._url
        wanted = {"Transport": "RTP/AVP/TCP;unicast;interleaved=0-1"}
        setup = self._request("SETUP", _join(base, track.control), wanted)
        channels = _parameter(setup.first("transport"), "interleaved")
        channel = whole_within(channels.partition("-")[0], 0, 255)
        if channel is None:
            raise UnsupportedError("the server does not interleave")
        self._channel = channel
        self._session = setup.first("session").partition(";")[0].strip()
        named = number_within(_parameter(setup.first("session"), "timeout"), *SESSION_S)
        self._keep_alive_s = max(1.0, (named or _SESSION_TIMEOUT_S) / 2)
        self._request("PLAY", base, {"Range": "npt=0.000-"})
        self._first_by_ns = now_ns() + int(first_packet_s * 1e9)
        return track

    def describe(self) -> Reply:
        """OPTIONS and DESCRIBE; the answer with the session's description."""
        options = self._request("OPTIONS", self._url)
        if "GET_PARAMETER" in options.first("public"):
            self._beat = "GET_PARAMETER"
        return self._request("DESCRIBE", self._url, {"Accept": "application/sdp"})

    @property
    def is_idle(self) -> bool:
        """Whether no packet waits to be read."""
        return self._wire.is_idle

    def packet(self) -> bytes:
        """The next RTP packet of the video. Keeps the session alive by the way."""
        while True:
            if self._early:
                return self._early.pop(0)
            if not self._flowing:  # reports alone do not count
                left_s = (self._first_by_ns - now_ns()) / 1e9
                if left_s <= 0:
                    raise TimeoutError
                self._socket.settimeout(left_s)
                self._wire.until_ns = self._first_by_ns
            if (now_ns() - self._alive_ns) / 1e9 > self._keep_alive_s:
                self._send(self._beat, self._url, {})
            if self._flowing:
                self._wire.until_ns = None
            head = self._wire.exactly(1)
            if self._flowing:
                # what begins must end soon: a length that is a lie would swallow a slow camera for long
                self._wire.until_ns = now_ns() + int(self._read_timeout_s * 1e9)
            if head != b"$":
                self._answered(self._message(head))
                continue
            channel, high, low = self._wire.exactly(3)
            data = self._wire.exactly(high << 8 | low)
            if channel == self._channel:
                if not self._flowing:
                    self._flowing = True
                    self._socket.settimeout(self._read_timeout_s)
                return data

    def _answered(self, reply: Reply | None) -> None:
        """The answer to a keep-alive. A nonce that has grown old is renewed, once in a row."""
        if reply is None or reply.status != 401:
            self._renewed = False
        elif not self._renewed:
            self._renewed = True
            self._challenges = reply.headers.get("www-authenticate", self._challenges)
            self._send(self._beat, self._url, {})

    def close(self) -> None:
        """Hang up."""
        self._goodbye()
        self._socket.close()

    def abort(self) -> None:
        """Say goodbye, and end a blocking call, from any thread."""
        if not isinstance(self._socket, ssl.SSLSocket):  # one may not write while another thread reads
            self._goodbye()
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self._socket, socket.SHUT_RD)

    def _goodbye(self) -> None:
        """Cameras serve few sessions at once, and keep one that just goes silent."""
        with self._leaving, contextlib.suppress(OSError):  # nobody listens any more
            if not self._left:
                self._left = True
                self._send("TEARDOWN", self._url, {})

    def _request(self, method: str, url: str, headers: dict[str, str] | None = None) -> Reply:
        for attempt in (1, 2):
            self._send(method, url, headers or {})
            self._wire.until_ns = now_ns() + self._answer_ns
            reply = self._reply()
            if reply.status == 200:
                return reply
            if reply.status != 401 or attempt == 2 or not self._user:
                break
            self._challenges = reply.headers.get("www-authenticate", [])
        if 300 <= reply.status < 400 and reply.first("location"):
            raise RedirectedError(reply.first("location"))
        if reply.status in (401, 403, 404):
            raise RefusedError(reply.status)
        raise UnsupportedError(f"{method} was answered with {reply.status}")

    def _send(self, method: str, url: str, headers: dict[str, str]) -> None:
        self._sequence += 1
        self._alive_ns = now_ns()
        lines = [f"{method} {url} RTSP/1.0", f"CSeq: {self._sequence}", f"User-Agent: {_AGENT}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if self._session:
            lines.append(f"Session: {self._session}")
        answer = authorization(self._challenges, self._user, self._password, method, url)
        if answer:
            lines.append(f"Authorization: {answer}")
        self._socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())

    def _reply(self) -> Reply:
        """The next response; packets that come before it (a picture may overtake PLAY's) are kept."""
        while True:
            head = self._wire.exactly(1)
            if head == b"$":
                channel, high, low = self._wire.exactly(3)
                data = self._wire.exactly(high << 8 | low)
                if channel == self._channel:
                    self._keep(data)
                continue
            reply = self._message(head)
            if reply is not None:
                return reply

    def _keep(self, data: bytes) -> None:
        self._early.append(data)
        self._early_bytes += len(data)
        if len(self._early) > EARLY_PACKETS or self._early_bytes > EARLY_BYTES:
            raise LimitError("it sends pictures where an answer should be")

    def _message(self, head: bytes) -> Reply | None:
        """A text message that begins with ``head``; None if it is a request of the server's own."""
        line = (head.decode("utf-8", "replace") + self._wire.line()).strip()
        while not line:
            line = self._wire.line()
        headers = self._wire.headers()
        length = whole_within(headers.get("content-length", ["0"])[0], 0, BODY_BYTES)
        if length is None:
            raise LimitError(f"it announces an answer of more than {BODY_BYTES} bytes")
        body = self._wire.exactly(length)
        words = line.split()
        status = whole_within(words[1], 100, 999) if len(words) > 1 else None
        if line.startswith("RTSP/") and status is not None:
            return Reply(status, headers, body)
        if line.endswith("RTSP/1.0"):
            return None
        raise UnsupportedError("what the server sends is not RTSP")


def _join(base: str, control: str) -> str:
    """The track's own address (RFC 2326, C.1.1)."""
    if control in ("", "*"):
        return base
    if "://" in control:
        return control
    # urljoin knows http but not rtsp, and servers mean "below" even where the base has no slash at its end
    scheme, _, rest = base.partition("://")
    try:
        return f"{scheme}://" + urljoin(f"http://{rest.rstrip('/')}/", control).removeprefix("http://")
    except ValueError:
        raise UnsupportedError("the track's address is not valid") from None


def _parameter(text: str, name: str) -> str:
    """The value of ``name=value`` among parts that semicolons divide; empty if it is not there."""
    for part in text.split(";"):
        key, _, value = part.partition("=")
        if key.strip().lower() == name:
            return value.strip()
    return ""
