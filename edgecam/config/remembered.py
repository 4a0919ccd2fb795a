"""What a person set while edgecam ran, kept for the next start with the same sources."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgecam.config.live import LIVE
from edgecam.config.loading import parse_one
from edgecam.config.options import options
from edgecam.core.errors import ConfigError

log = logging.getLogger(__name__)

VERSION = 1
#: A file with every class of every label set known is some 20 kB; what is larger is not ours.
LARGEST_BYTES = 256 * 1024
#: So many files are kept, one for each set of sources; the oldest go first.
MOST_FILES = 200


class RememberedSettings:
    """One file in ``folder``, named by the sources, since what suits one camera need not suit another.

    The name is a checksum: a source's address may hold a password. One thread.
    """

    def __init__(self, folder: Path, sources: Sequence[str]) -> None:
        # not hashlib, whose OpenSSL takes 4 MB
        number = zlib.crc32("\n".join(sources).encode("utf-8", "surrogateescape"))
        self.path = folder / f"{number:08x}.json"
        self._failed = False

    def read(self) -> dict[str, object]:
        """The live settings that were kept, by name; what cannot be read or does not fit is left out."""
        try:
            with self.path.open("rb") as file:
                raw = file.read(LARGEST_BYTES + 1)
        except FileNotFoundError:
            return {}
        except OSError as error:
            log.warning("remembered settings in %s cannot be read: %s", self.path, error.strerror)
            return {}
        try:
            if len(raw) > LARGEST_BYTES:
                raise ValueError(f"larger than {LARGEST_BYTES} bytes")
            data: Any = json.loads(raw)
            if not isinstance(data, dict) or data.get("v") != VERSION:
                raise ValueError("not of this version")
            settings: Any = data.get("settings")
            if not isinstance(settings, dict):
                raise ValueError("without settings")
        except (ValueError, RecursionError) as error:
            log.warning("remembered settings in %s are not used: %s", self.path, error)
            return {}
        return self._fitting(settings)

    def _fitting(self, settings: Mapping[str, Any]) -> dict[str, object]:
        known = {option.name: option for option in options() if option.name in LIVE}
        found: dict[str, object] = {}
        for name, value in settings.items():
            try:
                if name in known:
                    found[name] = parse_one(known[name], value, name)
            except ConfigError as error:
                log.warning("a remembered setting is not used: %s", error)
        return found

    def write(self, settings: Mapping[str, object]) -> None:
        """Keep these and no others, all or nothing; where that cannot be done, one warning says so."""
        if not settings:
            self.forget()
            return
        part = self.path.with_name(f"{self.path.name}.{os.getpid()}.part")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with part.open("w", encoding="utf-8") as file:
                json.dump({"v": VERSION, "settings": dict(settings)}, file)
                file.flush()
                os.fsync(file.fileno())
            part.replace(self.path)
            self._failed = False
        except OSError as error:
            with contextlib.suppress(OSError):
                part.unlink()
            if not self._failed:
                self._failed = True
                log.warning(
                    "what was set cannot be remembered in %s (%s): it is lost at the next start",
                    self.path,
                    error.strerror,
                )
            return
        self._drop_oldest()

    def forget(self) -> None:
        """Keep nothing."""
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            log.warning("remembered settings in %s cannot be deleted: %s", self.path, error.strerror)

    def _drop_oldest(self) -> None:
        with contextlib.suppress(OSError):
            files = sorted(self.path.parent.glob("*.json"), key=lambda path: path.stat().st_mtime)
            for old in files[:-MOST_FILES]:
                old.unlink(missing_ok=True)
