"""What a check sees and says. All that a check looks at comes from :class:`Around`, so tests can break it."""

from __future__ import annotations

import grp
import os
import platform
import pwd
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Literal

from edgecam.host.commands import Run, run_command
from edgecam.host.disk import DiskSpace, disk_space
from edgecam.host.installation import Installation, here
from edgecam.service.doctor.probe import Probes, start_probes

SPEED_BYTES = 8 * 1024 * 1024
#: Ends the version of an empty distribution that stands for another (scripts/headless_opencv.py).
STANDS_FOR = "+headless"

Status = Literal["ok", "warn", "bad"]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the page. ``fix`` says what to do; green lines have none."""

    section: str
    title: str
    status: Status
    detail: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Dist:
    """An installed Python distribution, and the folder it is in."""

    name: str
    version: str
    folder: Path


@dataclass(frozen=True)
class Around:
    """The machine as the checks see it.

    root: below which /proc, /sys, /etc and /dev are read. run: runs small commands.
    interval_s: how long load and energy counters are watched. write_speed: MB/s into a folder.
    disk_space: what its disk has left.
    live: whether systemd runs here. folder: where clips go. groups: names of this user's groups.
    probes: starts the child processes that import packages; see :mod:`edgecam.service.doctor.probe`.
    installation: how edgecam got here, for the commands in the fixes.
    """

    root: Path = Path("/")
    run: Run = run_command
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    python: tuple[int, int, int] = (sys.version_info[0], sys.version_info[1], sys.version_info[2])
    prefix: Path = Path(sys.prefix)
    base_prefix: Path = Path(sys.base_prefix)
    machine: str = field(default_factory=platform.machine)
    bits: int = 64 if sys.maxsize > 2**32 else 32
    glibc: str = field(default_factory=lambda: platform.libc_ver()[1])
    user: str = field(default_factory=lambda: _user_name())
    groups: frozenset[str] = field(default_factory=lambda: _group_names())
    distributions: tuple[Dist, ...] = field(default_factory=lambda: installed_distributions())
    folder: Path = field(default_factory=Path.cwd)
    interval_s: float = 0.3
    write_speed: Callable[[Path], float] = field(default=lambda folder: write_speed_mb_s(folder))
    disk_space: Callable[[Path], DiskSpace] = disk_space
    live: bool = field(default_factory=lambda: Path("/run/systemd/system").is_dir())
    probes: Callable[[Sequence[str]], Probes] = start_probes
    installation: Installation = field(default_factory=here)

    @property
    def in_venv(self) -> bool:
        """Whether Python runs in a virtual environment."""
        return self.prefix != self.base_prefix

    def versions(self, name: str) -> list[Dist]:
        """Every installed copy of a distribution, the one that is imported first."""
        return [d for d in self.distributions if d.name == name]

    def os_release(self) -> dict[str, str]:
        """``/etc/os-release`` as a mapping; empty if it is missing."""
        try:
            text = (self.root / "etc/os-release").read_text()
        except OSError:
            return {}
        pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
        return {key.strip(): value.strip().strip("\"'") for key, _, value in pairs}


def write_speed_mb_s(folder: Path, size_bytes: int = SPEED_BYTES) -> float:
    """MB/s of synced writes in pieces of 1 MB, for a second at most. Raises OSError; leaves no file."""
    probe = folder / f".edgecam-speed-{os.getpid()}"
    block = os.urandom(1024 * 1024)  # a card that compresses must not look fast
    begin, done = time.monotonic(), 0
    try:
        with probe.open("wb") as file:
            while done < size_bytes and time.monotonic() - begin < 1.0:
                file.write(block)
                done += len(block)
                file.flush()
                os.fsync(file.fileno())
    finally:
        probe.unlink(missing_ok=True)
    return done / 1e6 / max(time.monotonic() - begin, 1e-6)


def version_tuple(version: str) -> tuple[int, ...]:
    """The leading numbers of a version: ``4.11.0.86`` → (4, 11, 0, 86); ``2.0rc1`` → (2, 0)."""
    numbers = []
    for part in version.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        numbers.append(int(digits))
        if digits != part:
            break
    return tuple(numbers)


def installed_distributions(path: Sequence[str] | None = None) -> tuple[Dist, ...]:
    """All distributions on ``sys.path`` in its order, so that the first of a name is the one imported."""
    found = []
    for distribution in metadata.distributions(path=list(path if path is not None else sys.path)):
        try:
            described = distribution.metadata
            if not described or "Name" not in described or "Version" not in described:
                continue  # a half-removed package
            name, version = described["Name"], described["Version"]
            if version.endswith(STANDS_FOR):
                continue
        except (OSError, ValueError):
            continue
        place = Path(str(distribution.locate_file("")))
        found.append(Dist(name.lower().replace("_", "-"), version, place))
    return tuple(dict.fromkeys(found))


def _user_name() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def _group_names() -> frozenset[str]:
    names = set()
    for gid in {*os.getgroups(), os.getegid()}:
        try:
            names.add(grp.getgrgid(gid).gr_name)
        except KeyError:
            continue
    return frozenset(names)
