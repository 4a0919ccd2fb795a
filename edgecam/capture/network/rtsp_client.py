"""RTSP signalling over one TCP connection, RTP interleaved (RFC 2326), with deadlines of its own.

Why not libavformat: it ignores the marker bit that ends a picture in RTP, so its parser holds each picture
back until the next one begins. At 30 fps that is 33 ms (measured, drawn to read: 37 ms against 4). What this
client does not know (UDP, other codecs, unusual servers) still goes through libavformat, see stream.py.
"""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import threading
from dataclasses import dataclass
from urllib.parse import unquote, urljoin, urlsplit

from edgecam.capture.network.rtsp_auth import authorization
from edgecam.capture.network.sdp import VideoTrack, parse_sdp
from edgecam.capture.network.wire import Wire
from edgecam.core.clock import now_ns
from edgecam.core.errors import CaptureError

_AGENT = "edgecam"
#: Registered with IANA.
PORTS = {"rtsp": 554, "rtsps": 322}
# RFC 2326, 12.37: a session's time-out if the server names none.
_SESSION_TIMEOUT_S = 60.0
_LONGEST_BODY = 1 << 20


class UnsupportedError(CaptureError):
    """The server speaks in a way this client does not know; another one may."""


class RefusedError(CaptureError):
    """The server said no; ``status`` is its RTSP status code."""

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

    tls: of rtsps addresses. Raises UnsupportedError, RefusedError, CaptureError (the connection ended) and
    TimeoutError, ConnectionRefusedError, ssl.SSLError and other OSErrors from the socket.
    """

    def __init__(
        self, url: str, connect_timeout_s: float, read_timeout_s: float, tls: ssl.SSLContext | None = None
    ) -> None:
        parts = urlsplit(url)
        scheme = parts.scheme.lower()
        if scheme not in PORTS or not parts.hostname or (scheme == "rtsps") != (tls is not None):
            raise UnsupportedError("not RTSP")
        self._user, self._password = unquote(parts.username or ""), unquote(parts.password or "")
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        place = f":{parts.port}" if parts.port else ""
        self._url = f"{scheme}://{host}{place}{parts.path}" + (f"?{parts.query}" if parts.query else "")
        self._challenges: list[str] = []
        self._sequence = 0
        self._left = self._flowing = self._renewed = False
        self._early: list[bytes] = []
        self._leaving = threading.Lock()
        self._first_by_ns = 0
        self._session = ""
        self._keep_alive_s = _SESSION_TIMEOUT_S / 2
        self._alive_ns = now_ns()
        self._beat = "OPTIONS"
        self._channel = 0
        port = parts.port or PORTS[scheme]
        self._socket = socket.create_connection((parts.hostname, port), connect_timeout_s)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            plain = self._socket
            try:
                self._socket = tls.wrap_socket(plain, server_hostname=parts.hostname)
            except BaseException:
                plain.close()
                raise
        self._wire = Wire(self._socket)
        self._answer_ns = int(connect_timeout_s * 1e9)
        self._read_timeout_s = read_timeout_s

    def play(self, first_packet_s: float) -> VideoTrack:
        """DESCRIBE, SETUP and PLAY the video; packets then come from :meth:`packet`.

        first_packet_s: how long the first of them may take, for some cameras start their encoder only now.
        """
        options = self._request("OPTIONS", self._url)
        if "GET_PARAMETER" in options.first("public"):
            self._beat = "GET_PARAMETER"
        described = self._request("DESCRIBE", self._url, {"Accept": "application/sdp"})
        track = parse_sdp(described.body.decode("utf-8", "replace"))
        if track is None:
            raise UnsupportedError("no video in the session description")
        base = described.first("content-base") or described.first("content-location") or self._url
        wanted = {"Transport": "RTP/AVP/TCP;unicast;interleaved=0-1"}
        setup = self._request("SETUP", _join(base, track.control), wanted)
        granted = re.search(r"interleaved=(\d+)", setup.first("transport"))
        if granted is None:
            raise UnsupportedError("the server does not interleave")
        self._channel = int(granted[1])
        session, _, timeout = setup.first("session").partition(";")
        self._session = session.strip()
        named = re.search(r"timeout\s*=\s*(\d+)", timeout)
        self._keep_alive_s = max(1.0, (float(named[1]) if named else _SESSION_TIMEOUT_S) / 2)
        self._request("PLAY", base, {"Range": "npt=0.000-"})
        self._first_by_ns = now_ns() + int(first_packet_s * 1e9)
        return track

    @property
    def is_idle(self) -> bool:
        """No packet waits to be read."""
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
                    self._early.append(data)
                continue
            reply = self._message(head)
            if reply is not None:
                return reply

    def _message(self, head: bytes) -> Reply | None:
        """A text message that begins with ``head``; None if it is a request of the server's own."""
        line = (head.decode("utf-8", "replace") + self._wire.line()).strip()
        while not line:
            line = self._wire.line()
        headers: dict[str, list[str]] = {}
        while text := self._wire.line():
            name, _, value = text.partition(":")
            headers.setdefault(name.strip().lower(), []).append(value.strip())
        length = headers.get("content-length", ["0"])[0]
        body = self._wire.exactly(min(int(length), _LONGEST_BODY)) if length.isdigit() else b""
        words = line.split()
        if line.startswith("RTSP/") and len(words) > 1 and words[1].isdigit():
            return Reply(int(words[1]), headers, body)
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
    return f"{scheme}://" + urljoin(f"http://{rest.rstrip('/')}/", control).removeprefix("http://")
