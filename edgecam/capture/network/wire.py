"""A TCP connection read by bytes and lines, which knows whether it is behind."""

from __future__ import annotations

import select
import socket
import ssl

from edgecam.core.clock import now_ns
from edgecam.core.errors import CaptureError

_CHUNK = 65536


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
        """Nothing waits to be read, so what was read last is the present."""
        opened = self._socket.pending() if isinstance(self._socket, ssl.SSLSocket) else 0
        return not self._buffer and not opened and not self._poll.poll(0)

    def exactly(self, count: int) -> bytes:
        """The next ``count`` bytes."""
        while len(self._buffer) < count:
            self._fill()
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        return data

    def line(self, longest: int = 4096) -> str:
        """The next line, without its end. CaptureError if it is longer than any header."""
        while (end := self._buffer.find(b"\n")) < 0:
            if len(self._buffer) > longest:
                raise CaptureError("what the server sends is not RTSP")
            self._fill()
        return self.exactly(end + 1).decode("utf-8", "replace").strip()

    def _fill(self) -> None:
        if self.until_ns is not None and now_ns() > self.until_ns:
            raise TimeoutError
        data = self._socket.recv(_CHUNK)
        if not data:
            raise CaptureError("the camera or its server closed the connection")
        self._buffer += data
