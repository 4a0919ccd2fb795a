"""The scripts that pack edgecam: its requirements for another system, and what is left out or stands in."""

from __future__ import annotations

import base64
import hashlib
import os
import platform
import shutil
import signal
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path
from types import ModuleType

import pytest
from scripts_kit import ROOT, script

from edgecam.service.doctor.core import installed_distributions

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def slim() -> ModuleType:
    return script("slim")


def test_requirements_are_judged_for_the_system_they_are_for(tmp_path: Path) -> None:
    """Python 3.10 needs tomli, whichever Python packs for it; pip alone would go by its own."""
    for name, needs in (
        ("thing", ('old; python_version < "3.11"', 'arm; platform_machine == "aarch64"')),
        ("old", ()),
        ("arm", ()),
    ):
        with zipfile.ZipFile(tmp_path / f"{name}-1-py3-none-any.whl", "w") as wheel:
            lines = "".join(f"Requires-Dist: {need}\n" for need in needs)
            wheel.writestr(
                f"{name}-1.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n{lines}"
            )
            wheel.writestr(f"{name}-1.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
            wheel.writestr(f"{name}-1.dist-info/RECORD", "")
    found = {}
    for version, machine in (("3.10", "aarch64"), ("3.13", "x86_64")):
        words = ["download", "-q", "--no-index", "--only-binary=:all:", "--python-version", version]
        words += ["--find-links", str(tmp_path), "--dest", str(tmp_path / version), "thing"]
        own = {**os.environ, "PIP_CONFIG_FILE": os.devnull}
        command = [sys.executable, str(ROOT / "scripts/pip_for.py"), version, machine, *words]
        subprocess.run(command, check=True, env=own)
        found[version] = {path.name.partition("-")[0] for path in (tmp_path / version).iterdir()}
    assert found == {"3.10": {"thing", "old", "arm"}, "3.13": {"thing"}}


def test_needed_libraries_are_those_the_loader_asks_for(slim: ModuleType) -> None:
    import cv2

    (library,) = Path(cv2.__file__).parent.glob("cv2*.so")
    names = slim.needed(library)
    assert "libc.so.6" in names and any(name.startswith("libavcodec") for name in names)
    assert slim.needed(ROOT / "pyproject.toml") == []


def test_slim_keeps_what_is_needed_and_shares_one_ffmpeg(slim: ModuleType, tmp_path: Path) -> None:
    """On a copy of this very environment's packages, which then still work."""
    import av
    import cv2

    site = tmp_path / "lib/python3/site-packages"
    site.mkdir(parents=True)
    own = Path(cv2.__file__).parents[1]
    if not (own / "opencv_python.libs").is_dir() or Path(av.__file__).parents[1] != own:
        pytest.skip("OpenCV or PyAV is not from a wheel here")
    for name in ("cv2", "opencv_python.libs", "av", "av.libs", "numpy", "numpy.libs"):
        shutil.copytree(own / name, site / name)
    libraries = [path for path in site.rglob("*.so*") if not path.is_symlink()]
    modes = {path: path.stat().st_mode for path in libraries}
    needs = {path: slim.needed(path) for path in libraries}
    before, before_av = slim.weigh(site), slim.weigh(site / "av")
    slim.slim(site)
    assert slim.weigh(site) < before
    assert slim.weigh(site / "av") < 0.7 * before_av, "symbol tables are gone"
    for path in libraries:
        if path.exists() and not path.is_symlink():
            assert path.stat().st_mode == modes[path], path
            if not path.name.startswith(("libopenblas", "libx265")):
                assert slim.needed(path) == needs[path], path
    once = slim.weigh(site)
    slim.slim(site)
    assert slim.weigh(site) == once, "a second time finds nothing"
    code = (
        f"import sys; sys.path.insert(0, {str(site)!r}); import cv2, av, numpy as np\n"
        "assert all(m.__file__.startswith(sys.path[0]) for m in (cv2, av, np))\n"
        "cv2.resize(np.zeros((9, 9, 3), np.uint8), (4, 4)); av.CodecContext.create('libx264', 'w')\n"
        "print(np.linalg.inv(np.eye(2)).sum(), 'libx265' in av.codecs_available, flush=True)\n"
        "a = np.ones((300, 300), np.float32); cv2.gemm(a, a, 1, None, 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "2.0 True", done.stderr
    if any(path.name.startswith("libopenblas") for path in libraries):
        assert done.returncode == -signal.SIGABRT, "better than a wrong product"
        assert "libopenblas" in done.stderr and "scripts/install --whole" in done.stderr
    pictures = slim.stem_and_version("libavcodec-c4204469.so.62.28.101")
    assert pictures == ("libavcodec", ("62", "28"))


def test_a_library_stands_for_another(tmp_path: Path) -> None:
    """It is loaded by this machine's own loader; code for the other processor has the right form."""
    stand_in = script("stand_in.py")
    machine = stand_in.AARCH64 if platform.machine() == "aarch64" else stand_in.X86_64
    library = tmp_path / "libx265.so.216"
    names = ["sgesv_", "x265_api_get_216", *(f"other_{i}" for i in range(30))]
    library.write_bytes(stand_in.shared_library(machine, library.name, names))
    code = "import ctypes, sys; library = ctypes.CDLL(sys.argv[1]); print(getattr(library, sys.argv[2])(10))"
    says = {}
    for name in ("x265_api_get_216", "sgesv_", "other_29", "none"):
        says[name] = subprocess.run(
            [sys.executable, "-c", code, library, name], capture_output=True, text=True
        )
    assert says["x265_api_get_216"].stdout == "0\n", "FFmpeg lists an encoder without formats"
    assert "undefined symbol" in says["none"].stderr
    for name in ("sgesv_", "other_29"):
        assert says[name].returncode == -signal.SIGABRT
        assert says[name].stderr.startswith("libx265.so.216 was left out of this edgecam")
    slim = script("slim")
    for other in (stand_in.AARCH64, stand_in.X86_64):
        library.write_bytes(stand_in.shared_library(other, library.name, names))
        assert slim.needed(library) == []
        assert not stand_in.replace(library, [Path(sys.executable)]), "it is one already"


def test_a_wheel_is_made_again_from_what_is_installed(tmp_path: Path) -> None:
    site = tmp_path / "env/lib/python3.11/site-packages"
    info = site / "edgecam-1.2.dist-info"
    info.mkdir(parents=True)
    (site / "edgecam").mkdir()
    files = {
        "edgecam/__init__.py": "x = 1\n",
        "edgecam-1.2.dist-info/METADATA": "Name: edgecam\nVersion: 1.2\n",
    }
    files["edgecam-1.2.dist-info/WHEEL"] = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    rows = ["../../../bin/edgecam,sha256=x,1", "edgecam/__pycache__/__init__.cpython-311.pyc,,"]
    rows += ["edgecam-1.2.dist-info/INSTALLER,sha256=x,4", "edgecam-1.2.dist-info/RECORD,,"]
    for name, text in files.items():
        (site / name).write_text(text)
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
        rows.append(f"{name},sha256={digest},{len(text)}")
    (info / "RECORD").write_text("\n".join(rows) + "\n")
    command = [sys.executable, *map(str, (ROOT / "scripts/repack_wheel.py", tmp_path / "env", tmp_path))]
    done = subprocess.run(command, capture_output=True, text=True)
    wheel = Path(done.stdout.strip())
    assert wheel == tmp_path / "edgecam-1.2-py3-none-any.whl", done.stderr
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "-q",
        "--no-index",
        "--no-deps",
        "--target",
        str(tmp_path / "again"),
        str(wheel),
    ]
    subprocess.run(pip, check=True, env={**os.environ, "PIP_CONFIG_FILE": os.devnull})
    for name, text in files.items():
        assert (tmp_path / "again" / name).read_text() == text
    (site / "edgecam/__init__.py").write_text("x = 2\n")
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr == "damaged or missing: edgecam/__init__.py\n"


def test_a_stand_in_satisfies_what_asks_for_opencv(tmp_path: Path) -> None:
    """pip takes it for opencv-python; the doctor sees one OpenCV, not two."""
    opencv = script("headless_opencv.py")
    wheel = opencv.write_stand_in(tmp_path, "4.11.0.86")
    again = opencv.write_stand_in(tmp_path, "4.11.0.86")
    assert wheel.name == "opencv_python-4.11.0.86+headless-py3-none-any.whl"
    assert wheel.read_bytes() == again.read_bytes()
    site = tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-index"]
    own = {**os.environ, "PIP_CONFIG_FILE": os.devnull}
    words = ["--no-deps", "--find-links", str(tmp_path), "--target", str(site), "opencv-python>=4.8,<4.12"]
    done = subprocess.run([*pip, *words], capture_output=True, text=True, env=own)
    assert done.returncode == 0, done.stderr
    (found,) = metadata.distributions(path=[str(site)])
    assert found.requires == ["opencv-python-headless (==4.11.0.86)"]
    assert installed_distributions([str(site)]) == ()


def test_opencvs_limits_are_those_of_the_constraints() -> None:
    limits = script("headless_opencv.py").limits
    assert limits(["-c", str(ROOT / "constraints/bookworm.txt"), "--no-index"]) == "<4.12"
    assert limits(["-c", str(ROOT / "scripts/slim.constraints")]) == ""
