"""The unit files that edgecam ships, and how they are fitted to one machine."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgecam.config.toml_edit import dump
from edgecam.core.errors import ConfigError
from edgecam.host.installation import mend

Mode = Literal["headless", "kiosk", "linuxfb", "user", "user-kiosk"]

#: The path that stands in the shipped units, and is replaced by the real one.
SHIPPED_EXEC = "/opt/edgecam/bin/edgecam"
SHIPPED_CAGE = "/usr/bin/cage"

UNITS: dict[Mode, str] = {
    "headless": "edgecam",
    "kiosk": "edgecam-kiosk",
    "linuxfb": "edgecam-kiosk-linuxfb",
    "user": "edgecam",
    "user-kiosk": "edgecam",
}
#: Units that may not run beside one another: they want the same camera, or the same screen.
SYSTEM_UNITS = ("edgecam", "edgecam-kiosk", "edgecam-kiosk-linuxfb")
HELPERS = ("edgecam-retry@.timer", "edgecam-retry@.service")


def shipped_folder() -> Path:
    """``systemd/`` of a checkout, or ``edgecam/_systemd`` of an installed wheel."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "_systemd", package.parent / "systemd"):
        if (folder / "edgecam.service").is_file():
            return folder
    raise ConfigError(f"the unit files are missing from {package}: install edgecam anew: {mend()}")


def own_command() -> str:
    """How this very edgecam is started, as an absolute path: the script, or ``python -m edgecam``."""
    script = Path(sys.executable).with_name("edgecam")
    if script.is_file():
        return str(script)
    return f"{sys.executable} -m edgecam"


def programs(command: str) -> list[Path]:
    """What starting ``command`` runs: the file named, the interpreter in its first line, where links lead.

    A virtual environment in /opt may well stand on a Python in somebody's home.
    """
    program = Path(command.split()[0])
    found = [program, program.resolve()]
    try:
        with program.open("rb") as file:
            first = file.readline(512)
    except OSError:
        first = b""
    if first.startswith(b"#!"):
        words = first[2:].decode("utf-8", "replace").split()
        interpreter = Path(words[0]) if words else program
        found += [interpreter, interpreter.resolve()]
    return list(dict.fromkeys(found))


@dataclass(frozen=True, slots=True)
class Rendered:
    """A file to be installed: its name in the unit folder, and its text."""

    name: str
    text: str


def render(mode: Mode, command: str, cage: str = SHIPPED_CAGE, folder: Path | None = None) -> list[Rendered]:
    """The unit of ``mode`` and the helpers it needs, with the real paths in them.

    Raises ConfigError for a command with characters that a unit file would read in its own way.
    """
    # a literal % and $ would be specifiers and variables (systemd.unit, systemd.service)
    if re.search(r"[%$\\\"'\n]", command):
        raise ConfigError(
            f"the path {command!r} has a character that systemd reads in its own way: "
            "install edgecam below a plain path"
        )
    folder = folder or shipped_folder()
    user = mode.startswith("user")
    name = UNITS[mode] + ".service"
    text = (folder / "user" / name if user else folder / name).read_text()
    text = text.replace(SHIPPED_EXEC, command).replace(SHIPPED_CAGE, cage)
    if not user and any(re.match(r"/(home|root|run/user)/", str(path)) for path in programs(command)):
        # the program, or the Python behind it, lives there: readable it must be, writable not
        text = text.replace("ProtectHome=yes", "ProtectHome=read-only")
    if mode == "user-kiosk":
        text = text.replace("--display none", "--display fullscreen")
        text = text.replace("WantedBy=default.target", "WantedBy=graphical-session.target")
    found = [Rendered(name, text)]
    for helper in HELPERS:
        text = (folder / helper).read_text()
        if user:
            text = _for_user_manager(text)
        found.append(Rendered(helper, text))
    return found


def _for_user_manager(text: str) -> str:
    """A user's own systemd may not set up namespaces and devices; what it may is kept."""
    lines = []
    for line in text.splitlines():
        if re.match(
            r"(Capability|Protect|Private|RestrictNamespaces|RestrictAddress|SystemCallFilter|Memory)", line
        ):
            continue
        lines.append(line.replace("/bin/systemctl ", "/bin/systemctl --user "))
    return "\n".join(lines) + "\n"


def sysusers() -> str:
    """The sysusers.d file: the account edgecam, in the groups that own cameras, graphics, keys and pins."""
    return (shipped_folder() / "edgecam.sysusers").read_text()


def default_settings(source: str | None = None, credentials: str | None = None) -> str:
    """``edgecam.toml`` as first installed, for ``source`` if one is given, and where its password is."""
    text = (shipped_folder() / "edgecam.toml").read_text()
    if source is not None:
        line = f"source = [{dump(source)}]"
        if credentials is not None:
            line += f'\ncredentials = "{credentials}"'
        text = text.replace('source = ["/dev/video0"]', line)
    return text
