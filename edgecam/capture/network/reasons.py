"""Why a network camera could not be opened, or was lost, in words for people."""

from __future__ import annotations

import errno
import socket
import ssl

import av.error

from edgecam.capture.network.rtsp_client import RedirectedError, RefusedError
from edgecam.capture.network.tls import tls_fault
from edgecam.core.errors import EdgecamError

CONNECT_TIMEOUT_S = 5.0


def reason(error: Exception, waited_s: float) -> str:
    """In words, and without the address that libav puts into its errors. ``waited_s``: how long it took."""
    if isinstance(error, EdgecamError) and not isinstance(error, (RefusedError, RedirectedError)):
        return str(error)
    if isinstance(error, RedirectedError):
        return "it redirects from one address to the next without end; write the last one."
    if isinstance(error, ssl.SSLError):
        return tls_fault(error)
    status = error.status if isinstance(error, RefusedError) else 0
    if status == 401 or isinstance(error, av.error.HTTPUnauthorizedError):
        return "user name or password is wrong; write both into a file for --credentials."
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
