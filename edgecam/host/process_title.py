"""What other users of this machine see of our command line (``ps``, ``/proc/PID/cmdline``)."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from pathlib import Path

#: Options whose addresses have a token in the path, or are one.
_WHOLE = ("--notify", "--webhook", "--action")


def hide_secrets(argv: Sequence[str]) -> bool:
    """Overwrite with ``x`` what is secret in the addresses among our arguments; whether all of it is gone.

    That is a user and a password, a camera's query, and all of an address that messages go to.
    """
    gone = True
    for before, word in zip(("", *argv), argv, strict=False):
        option, equals, value = word.partition("=") if word.startswith("--") else (before, "", word)
        secret = _secret_of(value if equals or not word.startswith("--") else "", option)
        if secret:
            gone = _hide(word, secret) and gone
    return gone


def has_secret(option: str, address: str) -> bool:
    """Whether :func:`hide_secrets` takes something of this option's address."""
    return bool(_secret_of(address, option))


def _secret_of(address: str, option: str) -> str:
    scheme, mark, rest = address.partition("://")
    if not mark or not scheme.replace("+", "").replace(":", "").isalnum():
        return ""
    if option in _WHOLE:
        return rest
    query = rest.partition("?")[2]
    return rest.rpartition("@")[0] or query


def _hide(word: str, secret: str) -> bool:
    """The kernel shows arguments from our own memory (proc(5), arg_start and arg_end), where we may write."""
    whole, raw = (text.encode("utf-8", "surrogateescape") for text in (word, secret))
    try:
        # the command's name may hold spaces and brackets: count from the last one
        words = Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()
        start, end = int(words[45]), int(words[46])
        shown = Path("/proc/self/cmdline").read_bytes()
        if not 0 < start < end or ctypes.string_at(start, end - start) != shown:
            return False
        at = shown.find(whole)
        while at >= 0:
            ctypes.memset(start + at + whole.index(raw), ord("x"), len(raw))
            at = shown.find(whole, at + len(whole))
        return whole not in Path("/proc/self/cmdline").read_bytes()
    except (OSError, ValueError, IndexError):
        return False
