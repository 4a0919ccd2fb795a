"""A TCP connection read by bytes and lines, which knows whether it is behind."""

from __future__ import annotations

import select
import socket
import ssl

from edgecam.capture.limits import HEADER_LINES, LINE_BYTES
from edgecam.core.clock import now_ns
from edgecam.core.errors import CaptureError

_CHUNK = 65536


class LimitError(CaptureError):
    """The camera sends more than any camera does (capture/limits.py)."""


class Wire:
    """Reads with the socket's own time-out (TimeoutError). CaptureError when the other side closed it.

    until_ns: no read goes on beyond this, even if bytes trickle in; None: no such limit.
    """

    def __init__(self, connection: socket.socket) -> None:
        self.until_ns: int | None = None
        self._socket = connection
        self._poll = select.poll()
        self._poll.register(connection, select.POLLIN)
        self._buffer = bytearray()

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits to be read, so that what was read last is current."""
        opened = self._socket.pending() if isinstance(self._socket, ssl.SSLSocket) else 0
        return not self._buffer and not opened and not self._poll.poll(0)

    def exactly(self, count: int) -> bytes:
        """The next ``count`` bytes."""
        while len(self._buffer) < count:
            self._fill()
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        return data

    def line(self, longest: int = LINE_BYTES) -> str:
        """The next line, without its end. LimitError if it is longer than ``longest`` bytes."""
        while (end := self._buffer.find(b"\n", 0, longest + 1)) < 0:
            if len(self._buffer) > longest:
                raise LimitError(f"it sends a line of more than {longest} bytes where a header should be")
            self._fill()
        return self.exactly(end + 1).decode("utf-8", "replace").strip()

    def headers(self) -> dict[str, list[str]]:
        """Header lines up to the empty one: values by lower-case name, repeated ones in order.

        LimitError if there are more than any server sends.
        """
        found: dict[str, list[str]] = {}
        for _ in range(HEADER_LINES):
            text = self.line()
            if not text:
                return found
            name, _, value = text.partition(":")
            found.setdefault(name.strip().lower(), []).append(value.strip())
        raise LimitError(f"it sends more than {HEADER_LINES} header lines")

    def until(self, mark: bytes, longest: int) -> bytes:
        """The bytes before the next ``mark``, which is taken too. LimitError if they are too many."""
        searched = 0
        while (end := self._buffer.find(mark, max(0, searched - len(mark)))) < 0:
            searched = len(self._buffer)
            if searched > longest:
                raise LimitError(f"it sends a picture of more than {longest >> 20} MB")
            self._fill()
        data = self.exactly(end)
        self.exactly(len(mark))
        return data

    def unread(self, data: bytes) -> None:
        """Give bytes back: they are read next."""
        self._buffer[:0] = data

    def _fill(self) -> None:
        if self.until_ns is not None and now_ns() > self.until_ns:
            raise TimeoutError
        data = self._socket.recv(_CHUNK)
        if not data:
            raise CaptureError("the camera or its server closed the connection")
        self._buffer += data
