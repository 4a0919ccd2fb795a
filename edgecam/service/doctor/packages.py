"""Python packages: there, working, only once, and not in a combination known to break."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from edgecam.host.boards import detect_board
from edgecam.service.doctor.core import Around, Line, version_tuple
from edgecam.service.doctor.probe import Probe, Probes

_SECTION = "packages"
#: Distributions that all install the one folder ``cv2``.
CV2_NAMES = (
    "opencv-python",
    "opencv-python-headless",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
)
_ORT_NAMES = ("onnxruntime", "onnxruntime-gpu")
_BOOKWORM = ("opencv-python<4.12", "numpy<2")
# as constraints/bookworm.txt
_QT_BEFORE_GLIBC_2_39 = ("PyQt6==6.7.1", "PyQt6-Qt6==6.7.3")

#: A command that installs something, whole, at the end of a reason (see host/installation.py).
_INSTALLS = (
    r"sudo apt-get install [\w.+ -]+(?:&& .*)?"
    r"|(?:sudo )?(?:(?:uv|\S+ -m) (?:pip|ensurepip)|\S+/edgecam-install)\b.*"
)

#: Libraries whose absence an import names, and the Debian package that brings them.
_APT = {
    "libGL.so.1": "libgl1",
    "libEGL.so.1": "libegl1",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libgomp.so.1": "libgomp1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libfontconfig.so.1": "libfontconfig1",
    "libdbus-1.so.3": "libdbus-1-3",
    "libstdc++.so.6": "libstdc++6",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libatlas.so.3": "libatlas3-base",
    "libopenblas.so.0": "libopenblas0-pthread",
}

#: Module -> what to ask pip for.
_NEEDED = {
    "numpy": "numpy",
    "cv2": "opencv-python",
    "onnxruntime": "onnxruntime!=1.21.0",
    "av": "av>=17",
}


def wanted_probes(around: Around) -> list[str]:
    """The children this board needs."""
    names = [*_NEEDED, "PyQt6"]
    if detect_board(around.root, around.machine).is_raspberry_pi:
        names.append("picamera2")
    return names


def check_imports(around: Around, probes: Probes) -> Iterator[Line]:
    """Each package imported in a child process of its own."""
    pip = around.installation.pip
    for module, wanted in _NEEDED.items():
        yield _import_line(module, probes.result(module), pip(wanted), pip(wanted, again=True), around)
    qt = probes.result("PyQt6")
    if qt.missing:
        fix = f"only for a window: {around.installation.extra('ui')}"
        pinned = around.installation.record.get("mode") == "headless"  # its own script has the constraints
        if _older_glibc(around.glibc, (2, 39)) and around.machine == "aarch64" and not pinned:
            fix = f"only for a window: {pip(*_QT_BEFORE_GLIBC_2_39)} (newer wheels do not fit this glibc)"
        yield Line(_SECTION, "PyQt6", "warn", "not installed", fix)
    else:
        yield _import_line("PyQt6", qt, pip("PyQt6"), pip("PyQt6", again=True), around)
    if "picamera2" in wanted_probes(around):
        camera = probes.result("picamera2")
        if camera.missing:
            fix = "only for csi: cameras: sudo apt install python3-picamera2"
            yield Line(_SECTION, "picamera2", "warn", "not installed", fix)
        else:
            install = "sudo apt install --reinstall python3-picamera2"
            yield _import_line("picamera2", camera, install, install, around)


def _import_line(module: str, probe: Probe, install: str, again: str, around: Around) -> Line:
    if probe.ok:
        return Line(_SECTION, module, "ok", str(probe.data.get("version", "")) or "imports")
    if probe.timed_out:
        python = around.installation.python
        fix = f"see where: {python} -X faulthandler -c 'import {module}', and Ctrl-\\ when it stands"
        if probe.slow:
            fix = f"nothing hangs, the board is slow or busy: try {python} -c 'import {module}'"
        how = "still importing" if probe.slow else "stands still"
        return Line(_SECTION, module, "warn", f"{how} after {probe.waited}", fix)
    if probe.signal == "SIGILL":
        fix = f"this build is not for this processor; another version: {again}"
        return Line(_SECTION, module, "bad", "dies with an illegal instruction (SIGILL)", fix)
    if probe.signal:
        fix = f"its libraries clash or are damaged: {again}"
        return Line(_SECTION, module, "bad", f"dies on import ({probe.signal})", fix)
    if probe.missing:
        return Line(_SECTION, module, "bad", "not installed", install)
    library = next((name for name in _APT if name in probe.error), None)
    if library is not None:
        return Line(_SECTION, module, "bad", f"{library} is missing", f"sudo apt install {_APT[library]}")
    if (
        "numpy.core.multiarray" in probe.error
        or "_ARRAY_API" in probe.error
        or "dtype size changed" in probe.error
    ):
        older = around.installation.pip(*_BOOKWORM)
        fix = f"it was built for another numpy: {older} (or newer versions of both)"
        return Line(_SECTION, module, "bad", probe.error, fix)
    return Line(_SECTION, module, "bad", probe.error, again)


def check_duplicates(around: Around) -> Iterator[Line]:
    """Two packages that own the same folder, or one package twice with different versions."""
    for title, names in (("cv2", CV2_NAMES), ("onnxruntime", _ORT_NAMES)):
        both = [name for name in names if around.versions(name)]
        if len(both) > 1:
            pip = around.installation
            fix = f"they overwrite one another: {pip.remove(*both)} && {pip.pip(both[0])}"
            yield Line(_SECTION, f"{title} twice", "bad", " and ".join(both), fix)
    for name in (*CV2_NAMES, *_ORT_NAMES, "numpy", "pyqt6"):
        copies = around.versions(name)
        if len({copy.version for copy in copies}) > 1:
            first, second = copies[0], copies[1]
            detail = f"{first.version} in {first.folder} hides {second.version} in {second.folder}"
            fix = f"keep one: {around.installation.remove(name)}"
            yield Line(_SECTION, f"{name} twice", "warn", detail, fix)


def check_pairs(around: Around) -> Iterator[Line]:
    """Combinations that are known not to work (FIELD-NOTES 1, with the issues' numbers)."""
    numpy = _first(around, "numpy")
    cv2 = next((d for name in CV2_NAMES if (d := _first(around, name))), None)
    ort = next((d for name in _ORT_NAMES if (d := _first(around, name))), None)
    found = False
    if ort is not None and version_tuple(ort[0]) == (1, 21, 0):
        found = True
        better = around.installation.pip(_NEEDED["onnxruntime"])
        fix = f"dies with SIGILL on a Raspberry Pi 4 (onnxruntime #23957): {better}"
        yield Line(_SECTION, "known trouble", "bad", f"onnxruntime {ort[0]}", fix)
    if (
        cv2 is not None
        and numpy is not None
        and version_tuple(cv2[0]) >= (4, 12)
        and version_tuple(numpy[0]) < (2,)
    ):
        found = True
        pip = around.installation.pip
        fix = f"OpenCV from 4.12 on needs numpy 2: {pip(*_BOOKWORM)}, or {pip('numpy>=2')}"
        yield Line(_SECTION, "known trouble", "bad", f"opencv {cv2[0]} with numpy {numpy[0]}", fix)
    if numpy is not None and _breaks_apt_camera(around, numpy):
        found = True
        older = around.installation.pip(*_BOOKWORM)
        fix = f"numpy 2 hides the numpy 1 that apt's picamera2 was built with (picamera2 #1211): {older}"
        yield Line(_SECTION, "known trouble", "bad", f"numpy {numpy[0]} in front of apt's picamera2", fix)
    if not found:
        yield Line(_SECTION, "known trouble", "ok", "no combination known to break")


def _breaks_apt_camera(around: Around, numpy: tuple[str, Path]) -> bool:
    apt = around.root / "usr/lib/python3/dist-packages"
    return (
        (apt / "picamera2").is_dir()
        and around.os_release().get("VERSION_CODENAME") == "bookworm"
        and version_tuple(numpy[0]) >= (2,)
    )


def check_providers(around: Around, probes: Probes) -> Iterator[Line]:
    """What ONNX Runtime can compute with."""
    probe = probes.result("onnxruntime")
    if not probe.ok:
        return
    names = [str(p).removesuffix("ExecutionProvider") for p in probe.data.get("providers", [])]
    names = [name for name in names if name != "Azure"]  # in every wheel; asks a cloud, and is never used
    family = detect_board(around.root, around.machine).family
    if family.startswith("jetson") and not {"CUDA", "Tensorrt"} & set(names):
        fix = "the GPU is idle: install onnxruntime-gpu from NVIDIA's index for your JetPack (not from PyPI)"
        yield Line(_SECTION, "providers", "warn", ", ".join(names), fix)
    else:
        yield Line(_SECTION, "providers", "ok", ", ".join(names))


def check_screen(probes: Probes) -> Iterator[Line]:
    """Which Qt platform edgecam would take, by edgecam's own choice."""
    probe = probes.result("display")
    if probe.timed_out:
        fix = "a compositor or an X server hangs: look with `edgecam --source demo: -v`"
        if probe.slow:
            fix = "nothing hangs, the board is slow or busy: look with `edgecam --source demo: -v`"
        yield Line("screen", "screen", "warn", f"no answer within {probe.waited}", fix)
    elif not probe.ok:
        problem = probe.signal or probe.error
        yield Line("screen", "screen", "warn", problem, "use --display none, or put right what it names")
    elif not probe.data.get("platform"):
        reason = str(probe.data.get("reason", ""))
        install = re.search(_INSTALLS, reason)
        yield Line("screen", "screen", "warn" if install else "ok", reason, install[0] if install else "")
    else:
        yield Line("screen", "screen", "ok", str(probe.data.get("reason", "")))


def _first(around: Around, name: str) -> tuple[str, Path] | None:
    copies = around.versions(name)
    return (copies[0].version, copies[0].folder) if copies else None


def _older_glibc(glibc: str, than: tuple[int, int]) -> bool:
    found = version_tuple(glibc)
    return bool(found) and found < than
