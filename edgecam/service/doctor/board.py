"""Checks board, system and Python: what everything else depends on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from edgecam.host.boards import detect_board
from edgecam.host.sysfs import read_text
from edgecam.service.doctor.core import Around, Line

_SECTION = "board"
_PYTHONS = ((3, 10), (3, 13))


def check_board(around: Around) -> Iterator[Line]:
    """Which board, and whether it has memory enough."""
    board = detect_board(around.root, around.machine)
    memory_mb = _memory_mb(around.root)
    detail = board.name + (f", {memory_mb / 1024:.1f} GB" if memory_mb else "")
    if memory_mb and memory_mb < 700:
        yield Line(
            _SECTION,
            "board",
            "warn",
            detail,
            "little memory: use --size 640x480, one source, and no classifier",
        )
    else:
        yield Line(_SECTION, "board", "ok", detail)


def check_system(around: Around) -> Iterator[Line]:
    """The distribution, and that everything is 64 bit."""
    release = around.os_release()
    name = release.get("PRETTY_NAME", "unknown system")
    kernel = read_text(around.root / "proc/sys/kernel/osrelease") or "?"
    detail = f"{name}, kernel {kernel}, glibc {around.glibc or '?'}"
    old = release.get("VERSION_CODENAME") in ("buster", "bullseye", "focal", "bionic")
    if old:
        fix = (
            "this release is older than the packages edgecam needs: install Bookworm, Trixie or Ubuntu 22.04"
        )
        yield Line(_SECTION, "system", "warn", detail, fix)
    else:
        yield Line(_SECTION, "system", "ok", detail)
    if around.bits == 64 and around.machine in ("x86_64", "aarch64"):
        yield Line(_SECTION, "64 bit", "ok", around.machine)
    else:
        userland = f"{around.bits}-bit Python on {around.machine}"
        fix = "install the 64-bit system (Raspberry Pi OS 64-bit): ONNX Runtime has no 32-bit ARM packages"
        yield Line(_SECTION, "64 bit", "bad", userland, fix)


def check_python(around: Around) -> Iterator[Line]:
    """Python's version, and the environment it runs in."""
    version = ".".join(map(str, around.python))
    if around.python < _PYTHONS[0]:
        yield Line("python", "python", "bad", version, "edgecam needs Python 3.10 or newer")
    elif around.python[:2] > _PYTHONS[1]:
        fix = "newer than edgecam was tested with (3.10 to 3.13); some packages may have no wheels for it yet"
        yield Line("python", "python", "warn", version, fix)
    else:
        yield Line("python", "python", "ok", version)
    yield from _environment(around)


def _environment(around: Around) -> Iterator[Line]:
    apt_camera = _apt_picamera2(around.root)
    again = around.installation.system_packages()
    if not around.in_venv:
        marked = any((around.base_prefix / "lib").glob("python3*/EXTERNALLY-MANAGED"))
        detail = f"the system's own ({around.prefix})"
        if marked:
            own = f"give edgecam an environment of its own: {around.installation.for_all()}"
            yield Line("python", "environment", "warn", detail, "pip and apt fight over it: " + own)
        else:
            yield Line("python", "environment", "ok", detail)
        return
    shared = _system_site_packages(around.prefix)
    detail = f"{around.installation.words}{', with system site packages' if shared else ''}"
    if apt_camera and not shared:
        fix = "picamera2 from apt cannot be seen from here, so csi: cameras will not open: " + again
        yield Line("python", "environment", "bad", detail, fix)
    else:
        yield Line("python", "environment", "ok", detail)
    pip_camera = [d for d in around.versions("picamera2") if str(d.folder).startswith(str(around.prefix))]
    if pip_camera:
        away = around.installation.remove("picamera2")
        fix = f"it works only from apt: {away}; sudo apt install python3-picamera2"
        yield Line("python", "picamera2", "warn", f"{pip_camera[0].version} from pip", fix)


def _memory_mb(root: Path) -> float | None:
    for line in (read_text(root / "proc/meminfo") or "").splitlines():
        if line.startswith("MemTotal:"):
            fields = line.split()
            return int(fields[1]) / 1024 if len(fields) > 1 and fields[1].isdigit() else None
    return None


def _apt_picamera2(root: Path) -> bool:
    return (root / "usr/lib/python3/dist-packages/picamera2").is_dir()


def _system_site_packages(prefix: Path) -> bool:
    for line in (read_text(prefix / "pyvenv.cfg") or "").splitlines():
        key, _, value = line.partition("=")
        if key.strip() == "include-system-site-packages":
            return value.strip().lower() == "true"
    return False
