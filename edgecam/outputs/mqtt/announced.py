"""What Home Assistant was told of, kept from run to run: a zone that is gone is taken back there too."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgecam.core.files import read_limited

log = logging.getLogger(__name__)

VERSION = 1


class Announced:
    """Platforms by the entities' keys, for one board at one broker and prefix.

    about: names these three; what was stored for others is not used. If the file cannot be read or written,
    entities that went away between two runs stay in Home Assistant, and nothing else happens. One thread.
    """

    def __init__(self, path: Path, about: str) -> None:
        self._path, self._about = path, about
        self.platforms: dict[str, str] = {}
        try:
            data: Any = json.loads(read_limited(path))
            if data["v"] == VERSION and data["about"] == about:
                self.platforms = {str(key): str(platform) for key, platform in data["platforms"].items()}
        except FileNotFoundError:
            pass
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            log.info("mqtt: what was announced earlier cannot be read from %s: %s", path, error)

    def gone(self, now: Mapping[str, str]) -> list[tuple[str, str]]:
        """(key, platform) of what was announced and is no more."""
        return [(key, platform) for key, platform in self.platforms.items() if key not in now]

    def keep(self, now: Mapping[str, str]) -> None:
        """Store what is announced now."""
        if now == self.platforms:
            return
        self.platforms = dict(now)
        part = self._path.with_name(self._path.name + ".part")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(fd, "w", encoding="ascii") as file:
                json.dump({"v": VERSION, "about": self._about, "platforms": self.platforms}, file)
            part.replace(self._path)
        except OSError as error:
            log.info("mqtt: what is announced cannot be kept in %s: %s", self._path, error.strerror)
