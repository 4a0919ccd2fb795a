"""Recorded broken environments: packages, interpreters, libraries."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import msgspec
import pytest
from doctor_board import APT, GOOD, SITE, FakeProbes, broken, find, with_probe, write

from edgecam.service.doctor.core import (
    Around,
    Dist,
)
from edgecam.service.doctor.page import examine
from edgecam.service.doctor.probe import Probe


def test_onnxruntime_built_for_another_processor(healthy: Around) -> None:
    lines = with_probe(healthy, onnxruntime=Probe(signal="SIGILL"))
    line = find(lines, "onnxruntime")
    assert line.status == "bad" and "SIGILL" in line.detail and "!=1.21.0" in line.fix
    assert not any(line.title == "providers" for line in lines)


def test_the_onnxruntime_that_dies_on_a_pi4_is_known_by_its_number(healthy: Around) -> None:
    dists = (Dist("onnxruntime", "1.21.0", SITE),)
    line = find(broken(healthy, distributions=dists), "known trouble")
    assert line.status == "bad" and "23957" in line.fix


def test_two_opencvs(healthy: Around) -> None:
    dists = (*healthy.distributions, Dist("opencv-python-headless", "4.11.0.86", SITE))
    line = find(broken(healthy, distributions=dists), "cv2 twice")
    assert line.status == "bad"
    assert "-m pip uninstall -y opencv-python opencv-python-headless" in line.fix


def test_numpy_2_in_front_of_apts_picamera2_on_bookworm(healthy: Around) -> None:
    dists = (
        Dist("numpy", "2.2.0", SITE),
        Dist("numpy", "1.24.2", APT),
        Dist("opencv-python", "5.0.0.93", SITE),
    )
    lines = broken(healthy, distributions=dists)
    fault = find(lines, "known trouble")
    assert fault.status == "bad" and "opencv-python<4.12" in fault.fix and "1211" in fault.fix
    twice = find(lines, "numpy twice")
    assert "2.2.0 in /venv" in twice.detail and "hides 1.24.2" in twice.detail


def test_new_opencv_with_numpy_1(healthy: Around) -> None:
    dists = (Dist("numpy", "1.24.2", APT), Dist("opencv-python", "4.12.0.88", SITE))
    line = find(broken(healthy, distributions=dists), "known trouble")
    assert line.status == "bad" and "numpy" in line.fix and "4.12.0.88" in line.detail


def test_numpy_abi_mismatch_is_explained(healthy: Around) -> None:
    error = "ImportError: numpy.core.multiarray failed to import"
    line = find(with_probe(healthy, picamera2=Probe(error=error)), "picamera2")
    assert line.status == "bad" and "another numpy" in line.fix


def test_missing_library_names_the_apt_package(healthy: Around) -> None:
    error = "ImportError: libGL.so.1: cannot open shared object file: No such file or directory"
    line = find(with_probe(healthy, cv2=Probe(error=error)), "cv2")
    assert (line.status, line.fix) == ("bad", "sudo apt install libgl1")


def test_qt_plugin_without_its_libraries(healthy: Around) -> None:
    reason = (
        "headless: PyQt6's xcb plugin lacks system libraries; install them with: "
        "sudo apt-get install libxcb-cursor0 libxkbcommon-x11-0"
    )
    line = find(with_probe(healthy, display=Probe({"platform": "", "reason": reason})), "screen")
    assert (line.status, line.fix) == ("warn", "sudo apt-get install libxcb-cursor0 libxkbcommon-x11-0")


def test_no_display_is_no_fault(healthy: Around) -> None:
    reason = "headless: no display found (WAYLAND_DISPLAY is not set)"
    assert (
        find(with_probe(healthy, display=Probe({"platform": "", "reason": reason})), "screen").status == "ok"
    )


def test_packages_not_installed(healthy: Around) -> None:
    missing = Probe(error="ModuleNotFoundError: No module named 'x'")
    lines = with_probe(healthy, av=missing, PyQt6=missing, picamera2=missing)
    assert find(lines, "av").fix == "sudo /opt/edgecam/bin/python -m pip install 'av>=17'"
    qt = find(lines, "PyQt6")
    assert qt.status == "warn" and "do not fit this glibc" in qt.fix
    assert "python3-picamera2" in find(lines, "picamera2").fix


def test_an_import_that_hangs_or_crashes(healthy: Around) -> None:
    lines = with_probe(
        healthy, cv2=Probe(timed_out=True), av=Probe(signal="SIGSEGV"), cameras=Probe(timed_out=True)
    )
    assert find(lines, "cv2").status == "warn"
    assert find(lines, "av").detail == "dies on import (SIGSEGV)"
    assert find(lines, "cameras").status == "bad" and "dmesg" in find(lines, "cameras").fix


def test_a_slow_board_is_not_said_to_hang(healthy: Around) -> None:
    slow = Probe(timed_out=True, slow=True)
    lines = with_probe(healthy, cv2=slow, cameras=slow, display=slow, models=slow)
    for name in ("cv2", "cameras", "screen"):
        line = find(lines, name)
        assert line.status == "warn" and "nothing hangs" in line.fix and "60 s" in line.detail
    assert "60 s" in find(lines, "models").detail


def test_environment_that_cannot_see_apts_picamera2(healthy: Around, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    write(closed, **{"pyvenv.cfg": "include-system-site-packages = false\n"})
    line = find(broken(healthy, prefix=closed), "environment")
    assert line.status == "bad" and "sudo /opt/edgecam/bin/edgecam-install" in line.fix


@pytest.mark.parametrize("kind", ["script", "headless", "debian", "uv"])
def test_the_fix_for_a_missing_window_is_the_whole_command(healthy: Around, kind: str) -> None:
    record = {"debian": {"by": "debian"}, "headless": {"by": "script", "mode": "headless"}}
    own = msgspec.structs.replace(
        healthy.installation, record=record.get(kind, {"by": "script"}), has_pip=False, has_uv=kind == "uv"
    )
    command = own.extra("ui")
    probe = Probe({"platform": "", "reason": f"headless: PyQt6 is not installed; install it with: {command}"})
    around = dataclasses.replace(
        healthy, installation=own, probes=lambda names: FakeProbes({**GOOD, "display": probe})
    )
    line = find(examine(around), "screen")
    assert (line.status, line.fix) == ("warn", command)


def test_system_python_that_apt_owns(healthy: Around, tmp_path: Path) -> None:
    base = tmp_path / "usr"
    write(base, **{"lib__python3.11__EXTERNALLY-MANAGED": ""})
    line = find(broken(healthy, prefix=base, base_prefix=base), "environment")
    assert line.status == "warn" and "python3 -m venv" in line.fix


def test_32_bit_and_old_python(healthy: Around) -> None:
    lines = broken(healthy, bits=32, python=(3, 9, 2))
    assert find(lines, "64 bit").detail == "32-bit Python on aarch64"  # the 64-bit kernel, 32-bit system trap
    assert find(lines, "python").status == "bad"
    assert find(broken(healthy, python=(3, 15, 0)), "python").status == "warn"


def test_old_system(healthy: Around) -> None:
    (healthy.root / "etc/os-release").write_text("PRETTY_NAME='Raspbian 11'\nVERSION_CODENAME=bullseye\n")
    assert find(examine(healthy), "system").status == "warn"
