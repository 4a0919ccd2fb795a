"""Names the Debian packages that PyQt6's wheel needs and the system lacks."""

from __future__ import annotations

import ctypes
import re
import subprocess
from pathlib import Path

# Library to package on Debian 12 and 13 and Ubuntu 22.04 and 24.04 (apt-file)
PACKAGES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libOpenGL.so.0": "libopengl0",
    "libX11-xcb.so.1": "libx11-xcb1",
    "libX11.so.6": "libx11-6",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libfreetype.so.6": "libfreetype6",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libwayland-client.so.0": "libwayland-client0",
    "libwayland-cursor.so.0": "libwayland-cursor0",
    "libwayland-egl.so.1": "libwayland-egl1",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-render.so.0": "libxcb-render0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-shm.so.0": "libxcb-shm0",
    "libxcb-sync.so.1": "libxcb-sync1",
    "libxcb-util.so.1": "libxcb-util1",
    "libxcb-xfixes.so.0": "libxcb-xfixes0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libxcb.so.1": "libxcb1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libxkbcommon.so.0": "libxkbcommon0",
}


def package_of(library: str) -> str:
    """The Debian package of a library; its own name where the table does not know it."""
    return PACKAGES.get(library, library)


def missing_packages(plugin: Path) -> tuple[str, ...]:
    """Debian packages without which ``plugin`` (a Qt plugin's file) cannot be loaded; empty if it loads."""
    try:
        ctypes.CDLL(str(plugin))
    except OSError as error:
        libraries = _not_found(plugin) or re.findall(r"^(\S+\.so[.\d]*): cannot open", str(error))
        return tuple(dict.fromkeys(package_of(name) for name in libraries))
    return ()


def _not_found(plugin: Path) -> list[str]:
    """All that ldd misses; the loader itself names only the first."""
    try:
        done = subprocess.run(["ldd", str(plugin)], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return re.findall(r"^\s*(\S+) => not found", done.stdout, re.MULTILINE)
