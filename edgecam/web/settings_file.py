"""The settings file behind the page: read, changed as its owner wrote it, checked, written in one step."""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgecam.config import Config, load
from edgecam.config.toml_edit import MOST_BYTES, changed
from edgecam.core.errors import ConfigError


class SettingsFile:
    """One ``--config`` file; path None where the program was started without."""

    def __init__(self, path: Path | None) -> None:
        self.path = path

    def text(self) -> str:
        """The settings in it; empty where there is no file yet. Raises ConfigError."""
        if self.path is None:
            return ""
        try:
            with self.path.open("rb") as file:
                data = file.read(MOST_BYTES + 1)
            if len(data) > MOST_BYTES:
                raise ConfigError(f"the settings file is longer than {MOST_BYTES} bytes")
            return data.decode()
        except FileNotFoundError:
            return ""
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"the settings file cannot be read: {error}") from error

    @staticmethod
    def tag(text: str) -> str:
        """What tells one state of the file from another."""
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def preview(self, changes: Mapping[str, Any]) -> str:
        """The file's text with these settings changed. Raises ConfigError; writes nothing."""
        text = changed(self.text(), changes)
        self.check(text)
        return text

    def check(self, text: str) -> Config:
        """The settings that a start with this text would have. Raises ConfigError."""
        with tempfile.TemporaryDirectory(prefix="edgecam-check-") as folder:
            trial = Path(folder) / "settings.toml"
            trial.write_text(text)
            try:
                return load({"config": str(trial)})
            except ConfigError as error:
                raise ConfigError(str(error).replace(str(trial), self.name)) from None

    @property
    def name(self) -> str:
        """The file's name without its folder."""
        return "the settings" if self.path is None else self.path.name

    def diff(self, text: str) -> str:
        """What writing ``text`` would change, as a unified diff."""
        name = self.name
        lines = difflib.unified_diff(
            self.text().splitlines(), text.splitlines(), f"{name} now", f"{name} then", lineterm="", n=2
        )
        return "\n".join(lines)

    def write(self, text: str, tag: str) -> None:
        """Put it in place of the old one, if that is still the one of ``tag``. Raises ConfigError."""
        if self.path is None:
            raise ConfigError("edgecam was started without a settings file; start it with --config FILE.toml")
        if self.tag(self.text()) != tag:
            raise ConfigError("the settings file was changed meanwhile; look at it again before saving")
        self.check(text)
        target = self.path.resolve()
        part = target.with_name(f".{target.name}.{os.getpid()}.part")
        try:
            mode = target.stat().st_mode & 0o777 if target.exists() else 0o640
            with part.open("w") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            part.chmod(mode)
            part.replace(target)
        except OSError as error:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            raise ConfigError(
                f"'{self.name}' cannot be written ({error.strerror}); give edgecam's account the right to it"
            ) from error
