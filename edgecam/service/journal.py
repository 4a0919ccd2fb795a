"""Log records as structured journal entries: ``journalctl -u edgecam EDGECAM_SOURCE=csi:0 -o json``.

Speaks the journal's native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL) straight to its socket: some sixty
lines, against a C library that has no wheels.
"""

from __future__ import annotations

import array
import errno
import fcntl
import logging
import os
import re
import socket
import struct
import sys
import traceback
from collections.abc import Mapping
from typing import IO

from edgecam.core.text import escape

SOCKET = "/run/systemd/journal/socket"

#: syslog priorities (RFC 5424, 6.2.1)
_PRIORITY = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
_F_ADD_SEALS = 1033  # linux/fcntl.h; the fcntl module has it only where it was compiled in
_ALL_SEALS = 0x1 | 0x2 | 0x4 | 0x8
_SEND_TIMEOUT_S = 0.5
_RESERVED = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def under_journald(environ: Mapping[str, str] = os.environ, stream: IO[str] | None = None) -> bool:
    """Whether standard error is the journal's own (``JOURNAL_STREAM`` names its device and inode)."""
    stream = stream or sys.stderr
    device, _, inode = environ.get("JOURNAL_STREAM", "").partition(":")
    try:
        state = os.fstat(stream.fileno())
    except (OSError, ValueError, AttributeError):
        return False
    return device == str(state.st_dev) and inode == str(state.st_ino)


def encode(fields: Mapping[str, str]) -> bytes:
    """Fields in the native protocol: ``KEY=value``, or a length and bytes where there are newlines."""
    parts = []
    for key, value in fields.items():
        raw = value.encode("utf-8", "replace")
        if b"\n" in raw:
            parts.append(key.encode() + b"\n" + struct.pack("<Q", len(raw)) + raw + b"\n")
        else:
            parts.append(key.encode() + b"=" + raw + b"\n")
    return b"".join(parts)


def field_name(name: str) -> str:
    """A record's extra as a journal field: ``source`` is ``EDGECAM_SOURCE``; at most 64 of A-Z, 0-9 and _."""
    return ("EDGECAM_" + re.sub(r"[^A-Z0-9_]", "_", name.upper()))[:64]


class JournalHandler(logging.Handler):
    """Sends each record with its level, place, thread and every ``extra={...}`` as a field of its own."""

    def __init__(self, identifier: str = "edgecam", address: str = SOCKET) -> None:
        super().__init__()
        self._identifier = identifier
        self._address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.settimeout(_SEND_TIMEOUT_S)

    def fields(self, record: logging.LogRecord) -> dict[str, str]:
        """The record's fields."""
        found = {
            "MESSAGE": escape(record.getMessage(), 2_000_000),
            "PRIORITY": str(next((p for level, p in _PRIORITY if record.levelno >= level), 7)),
            "SYSLOG_IDENTIFIER": self._identifier,
            "CODE_FILE": record.pathname,
            "CODE_LINE": str(record.lineno),
            "CODE_FUNC": record.funcName or "",
            "EDGECAM_LOGGER": record.name,
            "EDGECAM_THREAD": record.threadName or "",
        }
        if record.exc_info:
            found["EDGECAM_TRACEBACK"] = "".join(traceback.format_exception(*record.exc_info))
        for name, value in vars(record).items():
            if name not in _RESERVED:
                found[field_name(name)] = escape(value)
        return found

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record. A journal that does not take it costs the record, never the program."""
        try:
            self._send(encode(self.fields(record)))
        except OSError:
            self.handleError(record)

    def _send(self, raw: bytes) -> None:
        try:
            self._socket.sendto(raw, self._address)
        except OSError as error:
            if error.errno not in (errno.EMSGSIZE, errno.ENOBUFS):
                raise
            self._send_by_file(raw)

    def _send_by_file(self, raw: bytes) -> None:
        # too long for a datagram: a sealed memory file in its place, as the protocol says
        fd = os.memfd_create("edgecam-journal", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.write(fd, raw)
            fcntl.fcntl(fd, _F_ADD_SEALS, _ALL_SEALS)
            ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))]
            self._socket.sendmsg([b""], ancillary, 0, self._address)
        finally:
            os.close(fd)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
        super().close()


def log_to_journal(logger: logging.Logger | None = None, environ: Mapping[str, str] = os.environ) -> bool:
    """Replace the logger's (root's) handlers by the journal's, if that is where standard error goes.

    True if done; False, and nothing changed, outside a service or where the journal's socket is missing.
    """
    if not under_journald(environ) or not os.access(SOCKET, os.W_OK):
        return False
    target = logger or logging.getLogger()
    for handler in list(target.handlers):
        target.removeHandler(handler)
    target.addHandler(JournalHandler())
    return True
