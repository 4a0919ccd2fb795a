from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edgecam.core.errors import EXIT_USAGE, DisplayError
from edgecam.host.installation import install_extra
from edgecam.ui.display import Surroundings, choose_display
from edgecam.ui.libraries import missing_packages, package_of
from edgecam.ui.qt_env import drop_cv2_paths


@pytest.fixture
def bare(tmp_path: Path) -> Any:
    """A machine with PyQt6 and all its plugins, and no screen at all."""
    folder = tmp_path / "platforms"
    folder.mkdir()
    for name in ("libqwayland.so", "libqxcb.so", "libqeglfs.so", "libqlinuxfb.so", "libqvnc.so"):
        (folder / name).touch()

    def make(**changes: Any) -> Surroundings:
        given = {
            "environ": {},
            "root": tmp_path,
            "has_pyqt6": lambda: True,
            "plugins": lambda: folder,
            "starts": lambda platform: False,
            "x_answers": lambda name: False,
            "wayland_answers": lambda path: False,
            "missing": lambda plugin: (),
        }
        return Surroundings(**{**given, **changes})

    return make


def monitor(root: Path, state: str = "connected") -> None:
    (root / "sys/class/drm/card1-HDMI-A-1").mkdir(parents=True)
    (root / "sys/class/drm/card1-HDMI-A-1/status").write_text(state + "\n")
    (root / "dev/dri").mkdir(parents=True)
    (root / "dev/dri/card1").touch()


def framebuffer(root: Path) -> None:
    (root / "dev").mkdir(exist_ok=True)
    (root / "dev/fb0").touch()


BOTH = {"WAYLAND_DISPLAY": "wayland-1", "DISPLAY": ":0", "XDG_RUNTIME_DIR": "/run/user/7"}


def test_wayland_goes_before_x11(bare: Any) -> None:
    choice = choose_display(
        "auto", bare(environ=BOTH, wayland_answers=lambda p: True, x_answers=lambda n: True)
    )
    assert (choice.platform, choice.mode) == ("wayland", "window")
    assert choice.reason == "wayland, window: a Wayland compositor answers at /run/user/7/wayland-1"


def test_x11_where_the_compositor_is_gone(bare: Any) -> None:
    choice = choose_display("auto", bare(environ=BOTH, x_answers=lambda n: n == ":0"))
    assert (choice.platform, choice.mode) == ("xcb", "window")


def test_full_screen_when_asked(bare: Any) -> None:
    choice = choose_display("fullscreen", bare(environ={"DISPLAY": ":0"}, x_answers=lambda n: True))
    assert (choice.platform, choice.mode) == ("xcb", "fullscreen")


def test_a_monitor_without_a_desktop_is_used_directly(bare: Any, tmp_path: Path) -> None:
    monitor(tmp_path)
    choice = choose_display("window", bare(starts=lambda p: p == "eglfs"))
    assert (choice.platform, choice.mode) == ("eglfs", "fullscreen")
    assert "EGLFS starts on card1-HDMI-A-1" in choice.reason


def test_the_framebuffer_where_eglfs_fails(bare: Any, tmp_path: Path) -> None:
    monitor(tmp_path)
    framebuffer(tmp_path)
    choice = choose_display("auto", bare(starts=lambda p: p == "linuxfb"))
    assert (choice.platform, choice.mode) == ("linuxfb", "fullscreen")


def test_without_any_screen_auto_is_headless_and_says_why(bare: Any, tmp_path: Path) -> None:
    monitor(tmp_path, "disconnected")
    choice = choose_display("auto", bare(environ={"DISPLAY": ":5"}))
    assert (choice.platform, choice.mode) == ("", "none")
    assert choice.reason == (
        "headless: no display found (WAYLAND_DISPLAY is not set, no X server takes us at DISPLAY=:5, "
        "no monitor is connected, there is no /dev/fb0)"
    )


def test_a_window_without_a_screen_is_one_clear_error(bare: Any) -> None:
    with pytest.raises(DisplayError) as caught:
        choose_display("window", bare())
    message = str(caught.value)
    assert message.startswith("--display window: no display found (")
    assert message.endswith("use --display none, or start edgecam on a desktop") and "\n" not in message
    assert caught.value.exit_code == EXIT_USAGE


def test_without_pyqt6_the_extra_is_named(bare: Any) -> None:
    nothing = bare(has_pyqt6=lambda: False, environ={"DISPLAY": ":0"}, x_answers=lambda n: True)
    with pytest.raises(DisplayError, match=r"pip install .*\[ui\]'"):
        choose_display("window", nothing)
    assert install_extra("ui") in choose_display("auto", nothing).reason


def test_a_missing_library_names_its_package(bare: Any) -> None:
    lacking = bare(environ={"DISPLAY": ":0"}, x_answers=lambda n: True, missing=lambda p: ("libxcb-cursor0",))
    with pytest.raises(DisplayError, match="apt-get install libxcb-cursor0"):
        choose_display("window", lacking)
    assert choose_display("auto", lacking).mode == "none"


def test_a_card_that_is_not_permitted_names_the_groups(
    bare: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monitor(tmp_path)
    monkeypatch.setattr(Surroundings, "can_write", lambda self, device: False)
    with pytest.raises(DisplayError, match="groups video and render"):
        choose_display("window", bare(starts=lambda p: True))


def test_vnc_is_never_used(bare: Any) -> None:
    with pytest.raises(DisplayError, match="QT_QPA_PLATFORM=vnc would open the picture to the network"):
        choose_display("window", bare(environ={"QT_QPA_PLATFORM": "vnc:size=800x600"}))
    everything = bare(starts=lambda p: True)
    assert choose_display("auto", everything).mode == "none"


def test_the_persons_own_platform_is_kept_but_not_picamera2s(bare: Any) -> None:
    assert choose_display("auto", bare(environ={"QT_QPA_PLATFORM": "offscreen"})).platform == "offscreen"
    # importing picamera2 sets xcb even under Wayland
    forced = bare(environ={**BOTH, "QT_QPA_PLATFORM": "xcb"}, wayland_answers=lambda p: True)
    assert choose_display("auto", forced).platform == "wayland"


def test_none_asks_nothing(bare: Any) -> None:
    def never(*_: object) -> bool:
        raise AssertionError("asked")

    choice = choose_display("none", bare(has_pyqt6=never, x_answers=never))
    assert (choice.platform, choice.mode) == ("", "none")


def test_choosing_imports_neither_qt_nor_cv2() -> None:
    code = (
        "import sys; from edgecam.ui.display import choose_display; import edgecam.ui.controller; "
        "print(choose_display('auto').mode); "
        "sys.exit(any(m in sys.modules for m in ('PyQt6', 'PyQt6.QtCore', 'cv2')))"
    )
    environ = {
        k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    }
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], env=environ, cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.window
def test_a_real_x_server_is_found_and_a_dead_one_is_not(screen: Any, bare: Any) -> None:
    from edgecam.ui.display import _x_answers

    assert _x_answers(screen.display)
    assert not _x_answers(":64999")


def test_every_library_the_plugin_lacks_is_found(tmp_path: Path) -> None:
    """A real plugin, moved away from its own libraries, lacks those."""
    pytest.importorskip("PyQt6.QtGui", reason="needs the extra 'ui'", exc_type=ImportError)
    from edgecam.ui.display import _plugin_folder

    folder = _plugin_folder()
    if folder is None or shutil.which("ldd") is None:
        pytest.skip("needs PyQt6's wheel, and ldd")
    moved = tmp_path / "elsewhere" / "platforms" / "libqxcb.so"
    moved.parent.mkdir(parents=True)
    shutil.copy(folder / "libqxcb.so", moved)
    child = (
        "import sys; from pathlib import Path; from edgecam.ui.libraries import missing_packages; "
        "print(*missing_packages(Path(sys.argv[1])))"
    )  # a child, since this process may have Qt's libraries in memory already
    done = subprocess.run(
        [sys.executable, "-c", child, str(moved)],
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "libQt6XcbQpa.so.6" in done.stdout.split()
    assert missing_packages(folder / "libqoffscreen.so") == ()


def test_packages_by_library() -> None:
    assert package_of("libxcb-cursor.so.0") == "libxcb-cursor0"
    assert package_of("libunknown.so.9") == "libunknown.so.9"


def test_qts_paths_into_opencv_are_dropped_and_others_kept(tmp_path: Path) -> None:
    import cv2

    inside = Path(cv2.__file__).parent / "qt"
    environ = {
        "QT_QPA_PLATFORM_PLUGIN_PATH": str(inside / "plugins"),
        "QT_QPA_FONTDIR": str(inside / "fonts"),
    }
    assert drop_cv2_paths(environ) == ("QT_QPA_PLATFORM_PLUGIN_PATH", "QT_QPA_FONTDIR")
    assert environ == {}
    own = {"QT_QPA_PLATFORM_PLUGIN_PATH": str(tmp_path), "QT_QPA_FONTDIR": "/usr/share/fonts"}
    assert drop_cv2_paths(own) == () and len(own) == 2


def test_after_importing_opencv_nothing_points_into_it() -> None:
    """In a fresh process: whatever this version of OpenCV sets is gone before Qt would look at it."""
    code = (
        "import os, edgecam.ui.qt_env as q; q.drop_cv2_paths(); "
        "print([v for k, v in os.environ.items() if k.startswith('QT_') and 'cv2' in v])"
    )
    environ = {k: v for k, v in os.environ.items() if not k.startswith("QT_")}
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], env=environ, cwd=root, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
