"""The one way to print for people. Nothing else in edgecam writes to the terminal (a test holds it).

Whatever a file, a camera, a model or a server named itself is made harmless on the way: a terminal obeys
control characters, and a forged line in a log is believed.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
from typing import TYPE_CHECKING, Any

from edgecam.core.text import escape, escape_lines

if TYPE_CHECKING:
    from rich.console import Console


def out(text: str) -> None:
    """Write to standard output; line ends are the caller's, as with ``sys.stdout.write``."""
    sys.stdout.write(escape_lines(text))


def err(text: str) -> None:
    """Write to standard error, at once; line ends are the caller's."""
    sys.stderr.write(escape_lines(text))
    sys.stderr.flush()


def raw_out(text: str) -> None:
    """Write text of our own that must not be escaped: colours and cursor moves for a terminal, or JSON."""
    sys.stdout.write(text)


def raw_err(text: str) -> None:
    """As :func:`raw_out`, to standard error, at once."""
    sys.stderr.write(text)
    sys.stderr.flush()


def console(**options: Any) -> Console:
    """A console of rich whose texts are escaped: ``stderr``, ``width`` … as rich takes them."""
    from rich.console import Console

    class Escaping(Console):
        def render_str(self, text: str, **how: Any) -> Any:
            return super().render_str(escape_lines(text), **how)

    return Escaping(emoji=False, **options)


class PlainFormatter(logging.Formatter):
    """One line per record, whatever stands in it; a traceback follows on lines of its own."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (logging's name)
        """The record's line."""
        return escape(super().formatMessage(record), 20_000)

    def formatException(self, ei: Any) -> str:  # noqa: N802
        """The traceback's lines."""
        return escape_lines(super().formatException(ei))


def open_standard_streams() -> None:
    """Give a program that was started with a closed standard stream an empty one.

    Else the next file that is opened takes its number, and is written to by whoever prints. What a terminal
    cannot write (an umlaut where only ASCII is allowed) is a question mark there, not an error.
    """
    for fd, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(fd)
        except OSError:
            with contextlib.suppress(OSError):
                os.open(os.devnull, os.O_RDWR)  # the lowest number is free: this one
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.dup(fd), mode, encoding="utf-8", errors="replace"))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="replace")
