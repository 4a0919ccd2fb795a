"""The exception tree. Each leaf also is the built-in that fits, and knows its exit code.

Every message a user can meet says what was wrong, with which value, and what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

EXIT_OK = 0
EXIT_RUNTIME = 1
EXIT_USAGE = 2
EXIT_SOURCE = 3
EXIT_MODEL = 4


class EdgecamError(Exception):
    """Root of everything edgecam raises on purpose."""

    exit_code = EXIT_RUNTIME


class ConfigError(EdgecamError, ValueError):
    """A misspelt option, key or value."""

    exit_code = EXIT_USAGE


class SourceOpenError(EdgecamError, OSError):
    """The source could not be opened: missing, busy, not a camera, not a video, not permitted."""

    exit_code = EXIT_SOURCE


class CaptureError(EdgecamError, OSError):
    """The source broke while running. (Not :class:`EndOfStream`, and not a time-out.)"""


class EndOfStream(EdgecamError, EOFError):  # noqa: N818 (an ending, not an error)
    """The source has no more frames. Not a fault."""

    exit_code = EXIT_OK


class ModelError(EdgecamError, ValueError):
    """A model file that is not one, has no card, or has the wrong task or shape."""

    exit_code = EXIT_MODEL


class DisplayError(EdgecamError, RuntimeError):
    """A window was asked for and no display can show it."""

    exit_code = EXIT_USAGE


class RecordError(EdgecamError, OSError):
    """A clip could not be written."""


class MissingExtraError(EdgecamError, ImportError):
    """A feature needs a package that is not installed; the message names the extra."""

    exit_code = EXIT_USAGE


class SourceExtraError(MissingExtraError):
    """A source needs a package that is not installed: it could not be opened."""

    exit_code = EXIT_SOURCE


def suggest(wrong: str, known: Iterable[str]) -> str:
    """``", did you mean 'X'?"`` for the nearest of ``known``, or an empty string."""
    near = difflib.get_close_matches(wrong, list(known), n=1, cutoff=0.6)
    return f", did you mean '{near[0]}'?" if near else ""
