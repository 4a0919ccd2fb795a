"""A TCP or TLS connection to a network camera, with deadlines."""

from __future__ import annotations

import socket
import ssl


def connect(host: str, port: int, timeout_s: float, tls: ssl.SSLContext | None) -> socket.socket:
    """A socket connected within ``timeout_s``, which stays its own time-out. Raises OSError, ssl.SSLError."""
    plain = socket.create_connection((host, port), timeout_s)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if tls is None:
        return plain
    try:
        return tls.wrap_socket(plain, server_hostname=host)
    except BaseException:
        plain.close()
        raise
