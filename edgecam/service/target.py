"""Where a service is installed, and what would prevent it."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from dataclasses import dataclass, field
from pathlib import Path

from edgecam.host.installation import here
from edgecam.service.units import SHIPPED_CAGE, Mode, own_command, programs


@dataclass(frozen=True, slots=True)
class Target:
    """Where to install. ``root`` other than ``/`` is a disk image or a test: nothing is started there.

    home: of the user, for ``user`` services. command: how edgecam is started. uid: of who runs this.
    """

    root: Path = Path("/")
    user: bool = False
    home: Path = field(default_factory=Path.home)
    command: str = field(default_factory=own_command)
    uid: int = field(default_factory=lambda: os.geteuid())

    @property
    def units(self) -> Path:
        """Folder of the unit files."""
        return self.home / ".config/systemd/user" if self.user else self.root / "etc/systemd/system"

    @property
    def settings(self) -> Path:
        """Folder of edgecam's settings."""
        return self.home / ".config/edgecam" if self.user else self.root / "etc/edgecam"

    @property
    def record(self) -> Path:
        """What was installed, so that it can be undone."""
        return self.settings / "service.json"

    @property
    def live(self) -> bool:
        """Whether systemd runs here and can be told; not in an image, a container or a chroot."""
        return self.root == Path("/") and (self.root / "run/systemd/system").is_dir()

    def systemctl(self, *words: str) -> tuple[str, ...]:
        """The command for this target."""
        where = ["--user"] if self.user else ([] if self.live else [f"--root={self.root}"])
        return ("systemctl", *where, *words)


def cage_of(target: Target) -> str:
    """The kiosk compositor's path there, whether or not it is installed."""
    if target.root == Path("/"):
        return shutil.which("cage") or SHIPPED_CAGE
    return SHIPPED_CAGE


def need_root(verb: str) -> str:
    """What to say when this is not root."""
    return (
        f"this changes the system and needs root: sudo {sys.executable} -m edgecam service {verb} … "
        "(or --user for a service in your own session)"
    )


def owns_screen(mode: Mode) -> bool:
    """Whether the login on tty1 has to make room."""
    return mode in ("kiosk", "linuxfb")


def problems(target: Target, mode: Mode) -> list[str]:
    """Why it cannot be installed there, each with what to do; empty if it can."""
    found = []
    if not target.user and target.root == Path("/") and target.uid != 0:
        found.append(need_root(f"install --{'headless' if mode == 'headless' else 'kiosk'}"))
    if target.root == Path("/") and shutil.which("systemctl") is None:
        found.append(
            "this system has no systemd (systemctl is missing): start edgecam by your own init instead"
        )
    if target.user and target.root == Path("/") and target.uid == 0:
        found.append("--user as root would install for root's session: run it as the user who is logged in")
    if mode == "kiosk" and not all(_has(target, program) for program in ("cage", "seatd")):
        found.append(
            "the kiosk compositor is missing: sudo apt install cage seatd "
            "(or use --linuxfb, which needs none)"
        )
    if owns_screen(mode) and _boots_desktop(target):
        found.append(
            "this machine boots into a desktop, which owns the screen: use "
            "`edgecam service install --user --kiosk` inside it, or boot to the console first: "
            "sudo systemctl set-default multi-user.target"
        )
    if " -m edgecam" in target.command and not {"site-packages", "dist-packages"} & set(_package().parts):
        found.append(
            f"edgecam runs from the folder {_package().parent}, where a service would not find it: "
            f"install it first ({here().for_all()}), or name the installed one with --command"
        )
    if not target.user and target.root == Path("/"):
        closed = _closed_to_others(target.command)
        if closed is not None:
            found.append(
                f"the account edgecam cannot run {target.command.split()[0]}, because {closed} is closed to "
                f"others: install edgecam where all may read: {here().for_all()}"
            )
    return found


def _package() -> Path:
    return Path(__file__).resolve().parents[1]


def _has(target: Target, program: str) -> bool:
    return any(
        (target.root / folder / program).is_file() for folder in ("usr/bin", "usr/sbin", "usr/local/bin")
    )


def _boots_desktop(target: Target) -> bool:
    system = target.root / "etc/systemd/system"
    if not (system / "display-manager.service").is_symlink():
        return False
    default = system / "default.target"
    return not default.is_symlink() or "graphical" in str(default.readlink())


def _closed_to_others(command: str) -> Path | None:
    """The first thing on the way to the program, or its interpreter, that others may not use."""
    for start in programs(command):
        for path in [*reversed(start.parents), start]:
            try:
                if not path.stat().st_mode & stat.S_IXOTH:
                    return path
            except OSError:
                return path
    return None
