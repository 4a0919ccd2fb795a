"""The virtual board's disk: built once by ``guest/build.sh``, kept in the user's cache."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

GUEST = Path(__file__).parent / "guest"
PACKAGES = (
    "qemu-system-x86",
    "qemu-system-common",
    "qemu-utils",
    "mmdebstrap",
    "e2fsprogs",
    "arch-test",
    "kmod",
    "acpica-tools",
)
PROGRAMS = ("qemu-system-x86_64", "qemu-img", "mmdebstrap", "mkfs.ext4", "arch-test", "iasl")
#: On two busy cores the build was seen to take ten minutes; on idle ones four.
BUILD_TIMEOUT_S = 2400.0


class CannotBuildError(Exception):
    """The board cannot be had on this machine; the text says why."""


def cache_folder() -> Path:
    """``$EC_SYSTEM_CACHE``. Not XDG's variable: the project's tests point that at a folder of the moment."""
    return Path(os.environ.get("EC_SYSTEM_CACHE") or Path.home() / ".cache" / "edgecam-board")


def nice(*command: str) -> list[str]:
    """The command, at a low priority: an emulated board must not starve the machine."""
    return ["nice", "-n", os.environ.get("EC_SYSTEM_NICE", "10"), *command]


def build(say: Callable[[str], None] = print) -> Path:
    """The folder with ``disk.img``, ``vmlinuz``, ``initrd`` and ``thermal_zone.aml``, made if need be.

    say: told before what takes minutes. Raises CannotBuildError.
    """
    # the recipe names the folder, so that a changed recipe is a new board
    recipe = hashlib.sha256(b"".join(p.read_bytes() for p in sorted(GUEST.iterdir()) if p.is_file()))
    folder = cache_folder() / recipe.hexdigest()[:12]
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        install_programs()
        if not (folder / "built").exists():
            say(f"building the guest: some four minutes, once; {folder}/build.log")
            _build(folder)
            (folder / "built").touch()
    return folder


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One process at a time works in the folder."""
    with (folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def install_programs() -> None:
    """Install what is missing. Raises CannotBuildError."""
    missing = [p for p in PROGRAMS if shutil.which(p) is None]
    if not missing:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise CannotBuildError(f"{', '.join(missing)} missing: sudo apt-get install {' '.join(PACKAGES)}")
    command = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *PACKAGES]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(nice(*command), capture_output=True, text=True, env=environment, check=False)
    if done.returncode != 0:
        raise CannotBuildError(f"QEMU cannot be installed: {done.stderr.strip()[-300:]}")


def _build(folder: Path) -> None:
    if os.geteuid() != 0:
        raise CannotBuildError("building the guest (a chroot) needs root")
    log = folder / "build.log"
    with log.open("w") as output:
        try:
            done = subprocess.run(
                nice(str(GUEST / "build.sh"), str(folder)),
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=BUILD_TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise CannotBuildError(f"the guest was not built within {BUILD_TIMEOUT_S:.0f} s: {log}") from None
    if done.returncode != 0:
        last = " / ".join(log.read_text(errors="replace").splitlines()[-3:])
        raise CannotBuildError(f"the guest cannot be built ({last}); the whole log is {log}")
