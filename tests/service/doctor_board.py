"""A healthy board for `edgecam doctor` to look at, and ways to break it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from edgecam.host.disk import DiskSpace
from edgecam.host.installation import Installation
from edgecam.service.doctor.core import (
    Around,
    Dist,
    Line,
)
from edgecam.service.doctor.page import examine
from edgecam.service.doctor.probe import Probe

SITE = Path("/venv/lib/python3/site-packages")
APT = Path("/usr/lib/python3/dist-packages")

GOOD: dict[str, Probe] = {
    "numpy": Probe({"version": "1.26.4"}),
    "cv2": Probe({"version": "4.11.0"}),
    "onnxruntime": Probe({"version": "1.22.0", "providers": ["CPUExecutionProvider"]}),
    "av": Probe({"version": "14.0.0"}),
    "PyQt6": Probe({"version": "6.7.1"}),
    "picamera2": Probe({"version": ""}),
    "display": Probe({"platform": "wayland", "reason": "wayland, window: a Wayland compositor answers"}),
    "cameras": Probe(
        {"cameras": [{"source": "csi:0", "name": "imx708", "modes": [["RGB888", "1536x864", "30"]]}]}
    ),
    "models": Probe(
        {"models": [{"path": "/m/a.onnx", "name": "a", "state": "good", "words": ""}], "folders": ["/m"]}
    ),
}


#: As ``scripts/install`` leaves it.
BY_SCRIPT = Installation(
    package=Path("/opt/edgecam/lib/python3.11/site-packages/edgecam"),
    prefix=Path("/opt/edgecam"),
    record={"by": "script"},
    writable=False,
)


class FakeProbes:
    def __init__(self, results: Mapping[str, Probe]) -> None:
        self.results = results
        self.closed = False

    def result(self, name: str) -> Probe:
        return self.results[name]

    def close(self) -> None:
        self.closed = True


def no_command(command: Sequence[str], timeout_s: float) -> str | None:
    return None


def write(root: Path, **files: str) -> None:
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture
def healthy(tmp_path: Path) -> Around:
    """A Raspberry Pi 4 with Bookworm on which all is well."""
    root = tmp_path / "root"
    write(root, etc__x="")
    (root / "etc/os-release").write_text(
        'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_CODENAME=bookworm\n'
    )
    (root / "proc/device-tree").mkdir(parents=True)
    (root / "proc/device-tree/model").write_text("Raspberry Pi 4 Model B Rev 1.4\0")
    (root / "proc/meminfo").write_text("MemTotal:        3884980 kB\n")
    (root / "proc/stat").write_text("cpu  1000 0 500 8000 500 0 0 0 0 0\n")
    (root / "proc/uptime").write_text("86400.0 300000.0\n")
    zone = root / "sys/class/thermal/thermal_zone0"
    zone.mkdir(parents=True)
    (zone / "type").write_text("cpu-thermal\n")
    (zone / "temp").write_text("51540\n")
    meter = root / "sys/class/hwmon/hwmon1"
    meter.mkdir(parents=True)
    (meter / "name").write_text("ina219\n")
    (meter / "power1_input").write_text("4200000\n")
    (root / "run/systemd/timesync").mkdir(parents=True)
    (root / "run/systemd/timesync/synchronized").touch()
    (root / "usr/lib/python3/dist-packages/picamera2").mkdir(parents=True)
    prefix = tmp_path / "venv"
    write(prefix, **{"pyvenv.cfg": "home = /usr/bin\ninclude-system-site-packages = true\n"})
    clips = tmp_path / "clips"
    clips.mkdir()
    return Around(
        root=root,
        run=no_command,
        environ={},
        python=(3, 11, 2),
        prefix=prefix,
        base_prefix=Path("/usr"),
        machine="aarch64",
        bits=64,
        glibc="2.36",
        user="pi",
        groups=frozenset({"pi", "video", "render"}),
        distributions=(
            Dist("numpy", "1.26.4", SITE),
            Dist("opencv-python", "4.11.0.86", SITE),
            Dist("onnxruntime", "1.22.0", SITE),
        ),
        folder=clips,
        live=False,
        interval_s=0.0,
        write_speed=lambda folder: 40.0,
        disk_space=lambda folder: DiskSpace(20 * 10**9, 30 * 10**9),
        probes=lambda names: FakeProbes(GOOD),
        installation=BY_SCRIPT,
    )


def broken(around: Around, **changes: object) -> list[Line]:
    return examine(dataclasses.replace(around, **changes))  # type: ignore[arg-type]


def with_probe(around: Around, **probes: Probe) -> list[Line]:
    return broken(around, probes=lambda names: FakeProbes({**GOOD, **probes}))


def find(lines: list[Line], title: str) -> Line:
    (line,) = [line for line in lines if line.title == title]
    return line


def not_green(lines: list[Line]) -> dict[str, str]:
    return {line.title: line.status for line in lines if line.status != "ok"}
