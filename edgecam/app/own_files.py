"""What a run reads is never written over by it, and two outputs are never one file."""

from __future__ import annotations

import glob
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

from edgecam.capture.open import plain_uri
from edgecam.capture.uri import IMAGE_SUFFIXES
from edgecam.config import Config
from edgecam.core.errors import ConfigError
from edgecam.core.text import escape


def check_outputs(config: Config) -> None:
    """Raises ConfigError for a file that would be written over another one of the run; touches nothing."""
    written: list[tuple[str, Path]] = []
    for option, path in _outputs(config):
        for other, taken in written:
            if _same(path, taken):
                raise ConfigError(
                    f"{other} and {option} both name '{escape(path, 200)}'; give each a file of its own"
                )
        if config.config and _same(path, Path(config.config).expanduser()):
            raise ConfigError(f"{option} '{escape(path, 200)}' is the settings file; name another file")
        if any(_reads(uri, path) for uri in config.source):
            raise ConfigError(
                f"{option} '{escape(path, 200)}' is what --source reads, and would be written over; "
                "name another file"
            )
        written.append((option, path))


def _outputs(config: Config) -> Iterator[tuple[str, Path]]:
    for option, value in (("--record", config.record), ("--json", config.json), ("--events", config.events)):
        if value is not None and value != "-":
            path = Path(value).expanduser()
            if path.is_file() or not path.exists():  # a device or a pipe may be named twice
                yield option, path


def names(uri: str, path: Path) -> bool:
    """Whether the source ``uri`` is the file ``path``."""
    return _same(path, Path(plain_uri(uri)).expanduser())


def _reads(uri: str, path: Path) -> bool:
    """Whether the source ``uri`` reads the file ``path``: by its name, by a pattern, or in a folder."""
    source = Path(plain_uri(uri)).expanduser()
    if glob.has_magic(str(source)):
        return path.exists() and fnmatch(str(path.absolute()), str(source.absolute()))
    among = path.suffix.lower() in IMAGE_SUFFIXES and path.exists() and _same(path.parent, source)
    return among or names(uri, path)


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:  # one of them is not there yet
        return one.absolute() == other.absolute()
