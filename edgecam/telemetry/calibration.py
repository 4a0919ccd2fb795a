"""A user's own idle and full-load power: a small TOML file, used only on the board it was taken on."""

from __future__ import annotations

import os
from pathlib import Path

from msgspec import Struct

from edgecam.core.errors import ConfigError
from edgecam.core.files import read_limited
from edgecam.core.toml import parse_toml

FILE_NAME = "power.toml"


class Calibration(Struct, frozen=True):
    """Watts at the supply, read from a real meter: nothing running, and every core busy."""

    board: str
    idle_w: float
    full_w: float

    def __post_init__(self) -> None:
        if not 0.0 < self.idle_w < self.full_w < 1000.0:
            raise ConfigError(
                f"idle {self.idle_w} W and full {self.full_w} W cannot both be right: "
                "full load must draw more than idle, and both are between 0 and 1000 W"
            )


def user_file() -> Path:
    """``$XDG_CONFIG_HOME/edgecam/power.toml``, or below ``~/.config``."""
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "edgecam" / FILE_NAME


def system_file(root: Path = Path("/")) -> Path:
    """``/etc/edgecam/power.toml``: what the service reads."""
    return root / "etc/edgecam" / FILE_NAME


def save(calibration: Calibration, path: Path) -> None:
    """Write the file, creating its folder. Raises ConfigError if it cannot be written."""
    board = calibration.board.replace("\\", "\\\\").replace('"', '\\"')
    text = (
        "# Written by `edgecam power calibrate`: watts at the supply, by a real meter.\n"
        f'board = "{board}"\nidle_w = {calibration.idle_w}\nfull_w = {calibration.full_w}\n'
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    except OSError as error:
        raise ConfigError(
            f"cannot write the calibration to {path} ({error.strerror}); choose another with --file"
        ) from None


def load(path: Path) -> Calibration:
    """Read the file. Raises ConfigError, naming the file, if it is not a calibration."""
    try:
        values = parse_toml(read_limited(path))
        return Calibration(str(values["board"]), float(values["idle_w"]), float(values["full_w"]))
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ConfigError(
            f"{path} is not a power calibration ({error}): write it anew with `edgecam power calibrate`"
        ) from None


def find(board: str, paths: list[Path]) -> Calibration | None:
    """The first calibration among ``paths`` that was taken on ``board``; None if there is none."""
    for path in paths:
        if path.is_file():
            calibration = load(path)
            if calibration.board == board:
                return calibration
    return None
