"""Which screen there is, found out before Qt is imported: Qt ends the process where it finds none."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

from msgspec import Struct, field

from edgecam.core.errors import DisplayError
from edgecam.host.installation import install_extra
from edgecam.ui.libraries import missing_packages

Wanted = Literal["auto", "window", "fullscreen", "none"]
Mode = Literal["window", "fullscreen", "none"]
_WORDS = {"window": "window", "fullscreen": "full screen", "none": "headless"}
PROBE_LIMIT_S = 15.0  # an emulated or busy board needs seconds to start Qt


class _NoScreenError(DisplayError):
    """No platform has a screen for us."""


class DisplayChoice(Struct, frozen=True):
    """platform: Qt's plugin name, empty if headless. reason: one line for people, which and why."""

    platform: str
    mode: Mode
    reason: str


def no_pyqt6() -> str:
    """What to say where there is no PyQt6."""
    return f"PyQt6 is not installed; install it with: {install_extra('ui')}"


def _plugin_folder() -> Path | None:
    """Where PyQt6's wheel keeps platform plugins; None for a PyQt6 of the distribution's, or none at all."""
    spec = importlib.util.find_spec("PyQt6")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        folder = Path(place) / "Qt6" / "plugins" / "platforms"
        if folder.is_dir():
            return folder
    return None


def _starts(platform: str) -> bool:
    """Whether Qt starts on ``platform``, tried in a child process since it aborts if it does not."""
    code = "from PyQt6.QtGui import QGuiApplication as A; A([])"
    environ = {k: v for k, v in os.environ.items() if not k.startswith("QT_QPA_PLATFORM_PLUGIN")}
    try:
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**environ, "QT_QPA_PLATFORM": platform},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PROBE_LIMIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _x_answers(display: str) -> bool:
    """Whether an X server takes this client; asked through libxcb, so the answer is the one Qt would get."""
    try:
        xcb = ctypes.CDLL("libxcb.so.1")
    except OSError:
        return _x_socket(display)
    xcb.xcb_connect.restype = ctypes.c_void_p
    xcb.xcb_connect.argtypes = [ctypes.c_char_p, ctypes.c_void_p]
    xcb.xcb_connection_has_error.argtypes = [ctypes.c_void_p]
    xcb.xcb_disconnect.argtypes = [ctypes.c_void_p]
    connection = xcb.xcb_connect(display.encode(), None)
    answers = bool(xcb.xcb_connection_has_error(connection) == 0)
    xcb.xcb_disconnect(connection)
    return answers


def _x_socket(display: str) -> bool:
    number = display.rpartition(":")[2].partition(".")[0]
    return Path(f"/tmp/.X11-unix/X{number}").exists()


def _wayland_answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(1.0)
        try:
            client.connect(str(path))
        except OSError:
            return False
    return True


class Surroundings(Struct, frozen=True):
    """What the choice depends on; tests give their own."""

    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    root: Path = Path("/")
    has_pyqt6: Callable[[], bool] = lambda: importlib.util.find_spec("PyQt6") is not None
    plugins: Callable[[], Path | None] = _plugin_folder
    starts: Callable[[str], bool] = _starts
    x_answers: Callable[[str], bool] = _x_answers
    wayland_answers: Callable[[Path], bool] = _wayland_answers
    missing: Callable[[Path], tuple[str, ...]] = missing_packages

    def plugin(self, platform: str) -> Path | None:
        """The plugin's file, or None where it is not known to exist."""
        folder = self.plugins()
        names = {"wayland": "libqwayland*.so"}.get(platform, f"libq{platform}.so")
        return next(iter(sorted(folder.glob(names))), None) if folder else None

    def has_plugin(self, platform: str) -> bool:
        """False only where PyQt6's plugins are known and this one is not among them."""
        return self.plugins() is None or self.plugin(platform) is not None

    def can_write(self, device: Path) -> bool:
        """Whether this user may use a device."""
        return os.access(device, os.R_OK | os.W_OK)


def choose_display(wanted: Wanted, around: Surroundings | None = None) -> DisplayChoice:
    """Where to show the picture: Wayland, X11, EGLFS, the framebuffer, or nowhere. Never VNC, an open port.

    ``auto`` falls back to headless and says why; the others insist.

    Raises DisplayError with one sentence if ``wanted`` is ``window`` or ``fullscreen`` and no screen or no
    PyQt6 is there, or a system library that Qt needs is missing.
    """
    around = around or Surroundings()
    if wanted == "none":
        return DisplayChoice("", "none", "headless, as asked")
    try:
        if not around.has_pyqt6():
            raise DisplayError(no_pyqt6())
        platform, why = _screen(around)
        _check_libraries(platform, around)
    except DisplayError as error:
        if wanted == "auto":
            return DisplayChoice("", "none", f"headless: {error}")
        advice = (
            "; use --display none, or start edgecam on a desktop" if isinstance(error, _NoScreenError) else ""
        )
        raise DisplayError(f"--display {wanted}: {error}{advice}") from error
    bare = platform in ("eglfs", "linuxfb")
    mode: Mode = "fullscreen" if bare or wanted == "fullscreen" else "window"
    return DisplayChoice(platform, mode, f"{platform}, {_WORDS[mode]}: {why}")


def _screen(around: Surroundings) -> tuple[str, str]:
    asked = around.environ.get("QT_QPA_PLATFORM", "").split(";")[0]
    if asked.partition(":")[0] == "vnc":
        raise DisplayError("QT_QPA_PLATFORM=vnc would open the picture to the network; unset QT_QPA_PLATFORM")
    if asked and (asked != "xcb" or not around.environ.get("WAYLAND_DISPLAY")):
        return asked, "QT_QPA_PLATFORM asks for it"
    no = []
    for find in (_wayland, _x11, _eglfs, _framebuffer):
        found, why = find(around)
        if found:
            return found, why
        no.append(why)
    raise _NoScreenError(f"no display found ({', '.join(no)})")


def _wayland(around: Surroundings) -> tuple[str, str]:
    name = around.environ.get("WAYLAND_DISPLAY", "")
    if not name:
        return "", "WAYLAND_DISPLAY is not set"
    path = Path(around.environ.get("XDG_RUNTIME_DIR", f"/run/user/{os.getuid()}")) / name
    if not around.wayland_answers(path):
        return "", f"no Wayland compositor answers at {path}"
    if not around.has_plugin("wayland"):
        return "", "PyQt6 has no Wayland plugin"
    return "wayland", f"a Wayland compositor answers at {path}"


def _x11(around: Surroundings) -> tuple[str, str]:
    name = around.environ.get("DISPLAY", "")
    if not name:
        return "", "DISPLAY is not set"
    if not around.x_answers(name):
        return "", f"no X server takes us at DISPLAY={name}"
    return "xcb", f"an X server answers at DISPLAY={name}"


def _eglfs(around: Surroundings) -> tuple[str, str]:
    drm = around.root / "sys/class/drm"
    lit = [p.parent.name for p in sorted(drm.glob("card*-*/status")) if p.read_text().strip() == "connected"]
    if not lit:
        return "", "no monitor is connected"
    card = around.root / "dev/dri" / lit[0].partition("-")[0]
    if not around.can_write(card):
        return "", f"{card} is not permitted: add the user to the groups video and render"
    if not around.has_plugin("eglfs") or not around.starts("eglfs"):
        return "", f"EGLFS does not start on {lit[0]}"
    return "eglfs", f"no desktop, and EGLFS starts on {lit[0]}"


def _framebuffer(around: Surroundings) -> tuple[str, str]:
    device = around.root / "dev/fb0"
    if not device.exists():
        return "", "there is no /dev/fb0"
    if not around.can_write(device):
        return "", "/dev/fb0 is not permitted: add the user to the group video"
    if not around.has_plugin("linuxfb") or not around.starts("linuxfb"):
        return "", "Qt does not start on /dev/fb0"
    return "linuxfb", "no desktop, and Qt starts on /dev/fb0"


def _check_libraries(platform: str, around: Surroundings) -> None:
    plugin = around.plugin(platform)
    missing = around.missing(plugin) if plugin else ()
    if missing:
        raise DisplayError(
            f"PyQt6's {platform} plugin lacks system libraries; install them with: "
            f"sudo apt-get install {' '.join(missing)}"
        )
