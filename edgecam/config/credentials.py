"""Users and passwords of network cameras, kept out of command lines, settings and logs.

A file of lines, ``ADDRESS USER:PASSWORD``, or ``USER:PASSWORD`` alone for every camera that has no line of
its own; ``#`` begins a comment. It is for its owner's eyes only (mode 0600), or a systemd credential.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from edgecam.core.errors import ConfigError
from edgecam.core.files import read_limited

_PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}
#: (scheme, host, port), or None for every other camera.
Camera = tuple[str, str, int] | None
Book = Mapping[Camera, tuple[str, str]]


def read_credentials(name: str, environment: Mapping[str, str] | None = None) -> Book:
    """What ``--credentials NAME`` names: a systemd credential (``LoadCredential=NAME:…``), or a file.

    Raises ConfigError if it cannot be read, others may read it, or a line is not understood.
    """
    folder = (os.environ if environment is None else environment).get("CREDENTIALS_DIRECTORY")
    given = "/" not in name and bool(folder) and (Path(str(folder)) / name).exists()
    path = Path(str(folder)) / name if given else Path(name).expanduser()
    try:
        text = read_limited(path).decode()
        open_to = path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise ConfigError(
            f"--credentials '{name}' cannot be read: {why}; name a file or a credential"
        ) from None
    if open_to and not given:  # systemd gives its own to one user by an access list
        raise ConfigError(f"--credentials '{path}' can be read by others: chmod 600 {path}")
    book: dict[Camera, tuple[str, str]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.strip().split(None, 1)  # a password may have spaces
        if not words or words[0].startswith("#"):
            continue
        camera = _camera(words[0]) if len(words) == 2 else None
        user, colon, password = words[-1].partition(":")
        if not colon or user.split() != [user] or (len(words) == 2 and camera is None):
            raise ConfigError(
                f"--credentials '{path}', line {number}: write USER:PASSWORD, or rtsp://HOST USER:PASSWORD"
            )
        book[camera] = user, password
    return book


def with_credentials(uri: str, book: Book) -> str:
    """``uri`` with what the book has for its scheme, host and port; as it is if it brings its own."""
    camera = _camera(uri)
    found = None if camera is None else book.get(camera) or book.get(None)
    if found is None or "@" in urlsplit(uri).netloc:
        return uri
    parts = urlsplit(uri)
    userinfo = ":".join(quote(word, safe="") for word in found)
    return urlunsplit(parts._replace(netloc=f"{userinfo}@{parts.netloc}"))


def split_credentials(uri: str) -> tuple[str, str]:
    """(the address without user and password, a line for the file with them); ``""`` if there are none."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return uri, ""
    userinfo, at, host = parts.netloc.rpartition("@")
    if not at or _camera(uri) is None:
        return uri, ""
    from urllib.parse import unquote

    return urlunsplit(parts._replace(netloc=host)), f"{parts.scheme}://{host} {unquote(userinfo)}"


def _camera(uri: str) -> Camera:
    try:
        parts = urlsplit(uri)
        scheme = parts.scheme.lower()
        if scheme not in _PORTS or not parts.hostname:
            return None
        return scheme, parts.hostname.lower(), parts.port or _PORTS[scheme]
    except ValueError:
        return None
