from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from edgecam.service import cli_doctor
from edgecam.service.doctor import condition, page
from edgecam.service.doctor.core import (
    Around,
    Dist,
    Line,
    installed_distributions,
    version_tuple,
    write_speed_mb_s,
)
from edgecam.service.doctor.page import as_json, examine, render, verdict
from edgecam.service.doctor.probe import SCRIPTS, ChildProbes, Probe, interpret, script

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
        {"models": [{"path": "/m/a.onnx", "name": "edgecam-ssd", "error": ""}], "folders": ["/m"]}
    ),
}


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
        probes=lambda names: FakeProbes(GOOD),
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


def test_a_healthy_board_is_all_green(healthy: Around) -> None:
    lines = examine(healthy)
    assert not_green(lines) == {}
    assert verdict(lines) == "all good"
    assert find(lines, "board").detail == "Raspberry Pi 4 Model B Rev 1.4, 3.7 GB"
    assert "imx708: RGB888 1536x864 30" in find(lines, "csi:0").detail
    assert "edgecam-ssd" in find(lines, "models").detail
    sections = [line.section for line in lines]
    assert sections == sorted(sections, key=sections.index)  # each section once, in one piece


def test_every_line_that_is_not_green_has_a_fix(healthy: Around) -> None:
    everything_wrong = dict.fromkeys(GOOD, Probe(error="ImportError: no"))
    lines = broken(
        healthy,
        bits=32,
        machine="armv7l",
        python=(3, 9, 2),
        folder=Path("/no/such/folder"),
        probes=lambda names: FakeProbes(everything_wrong),
    )
    assert len(not_green(lines)) >= 10
    assert all(line.fix for line in lines if line.status != "ok")
    assert not any(line.fix for line in lines if line.status == "ok")


# -- recorded broken environments


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
    assert "pip uninstall -y opencv-python opencv-python-headless" in line.fix


def test_numpy_2_in_front_of_apts_picamera2_on_bookworm(healthy: Around) -> None:
    dists = (
        Dist("numpy", "2.2.0", SITE),
        Dist("numpy", "1.24.2", APT),
        Dist("opencv-python", "5.0.0.93", SITE),
    )
    lines = broken(healthy, distributions=dists)
    trouble = find(lines, "known trouble")
    assert trouble.status == "bad" and "opencv-python<4.12" in trouble.fix and "1211" in trouble.fix
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
    assert find(lines, "av").fix == "pip install av"
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


def test_environment_that_cannot_see_apts_picamera2(healthy: Around, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    write(closed, **{"pyvenv.cfg": "include-system-site-packages = false\n"})
    line = find(broken(healthy, prefix=closed), "environment")
    assert line.status == "bad" and "--system-site-packages" in line.fix


def test_system_python_that_apt_owns(healthy: Around, tmp_path: Path) -> None:
    base = tmp_path / "usr"
    write(base, **{"lib__python3.11__EXTERNALLY-MANAGED": ""})
    line = find(broken(healthy, prefix=base, base_prefix=base), "environment")
    assert line.status == "warn" and "venv" in line.fix


def test_32_bit_and_old_python(healthy: Around) -> None:
    lines = broken(healthy, bits=32, python=(3, 9, 2))
    assert find(lines, "64 bit").detail == "32-bit Python on aarch64"  # the 64-bit kernel, 32-bit system trap
    assert find(lines, "python").status == "bad"
    assert find(broken(healthy, python=(3, 15, 0)), "python").status == "warn"


def test_old_system(healthy: Around) -> None:
    (healthy.root / "etc/os-release").write_text("PRETTY_NAME='Raspbian 11'\nVERSION_CODENAME=bullseye\n")
    assert find(examine(healthy), "system").status == "warn"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a device node")
def test_cameras_closed_to_this_user_name_the_group(healthy: Around) -> None:
    dev = healthy.root / "dev"
    (dev / "dri").mkdir(parents=True)
    for name in ("video0", "media0", "dri/renderD128"):
        (dev / name).touch(0o000)
    code = (
        "import os, sys; from pathlib import Path; from edgecam.service.doctor.core import Around\n"
        "from edgecam.service.doctor.devices import check_permissions\n"
        f"a = Around(root=Path({str(healthy.root)!r}), user='cam', groups=frozenset({{'render'}}))\n"
        "list(check_permissions(a))  # what it imports late may lie where nobody may read\n"
        "os.setuid(65534)\n"
        "for line in check_permissions(a): print(line.title, line.status, line.fix, sep='|')"
    )
    for folder in [healthy.root, *healthy.root.parents]:
        if str(folder).startswith("/tmp/"):
            folder.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    rows = [row.split("|") for row in done.stdout.splitlines()]
    assert rows[0][:2] == ["group video", "bad"] and "sudo usermod -aG video cam" in rows[0][2]
    assert rows[1][:2] == ["group render", "warn"] and "right group" in rows[1][2]


def test_no_camera_on_a_pi_speaks_of_the_ribbon(healthy: Around) -> None:
    nothing = Probe({"cameras": [], "skipped": {}})
    line = find(with_probe(healthy, cameras=nothing), "cameras")
    assert line.status == "warn" and "camera_auto_detect" in line.fix
    node = healthy.root / "sys/class/video4linux/video10"
    node.mkdir(parents=True)
    (node / "name").write_text("bcm2835-codec-decode\n")
    assert "bcm2835-codec-decode" in find(with_probe(healthy, cameras=nothing), "cameras").fix


def test_damaged_model_and_no_model(healthy: Around) -> None:
    bad = {
        "path": "/m/b.onnx",
        "error": "the weights in model /m/b.onnx are not those its card was written for",
    }
    lines = with_probe(
        healthy, models=Probe({"models": [{"path": "/m/a.onnx", "name": "a", "error": ""}, bad]})
    )
    assert find(lines, "b.onnx").status == "bad" and "1 verified: a" in find(lines, "models").detail
    none = find(with_probe(healthy, models=Probe({"models": [], "folders": ["/m"]})), "models")
    assert none.status == "bad" and "none in /m" in none.detail


def test_jetson_without_its_gpu(healthy: Around) -> None:
    (healthy.root / "proc/device-tree/model").write_text("NVIDIA Jetson Orin Nano Developer Kit\0")
    line = find(examine(healthy), "providers")
    assert line.status == "warn" and "NVIDIA's index" in line.fix


def test_weak_supply_now_and_since_boot(healthy: Around) -> None:
    file = healthy.root / "sys/devices/platform/soc/soc:firmware/get_throttled"
    file.parent.mkdir(parents=True)
    file.write_text("50005\n")
    line = find(examine(healthy), "throttling")
    assert line.status == "bad" and "under-voltage" in line.detail and "supply" in line.fix
    file.write_text("50000\n")
    assert find(examine(healthy), "throttling").status == "warn"
    file.write_text("80008\n")
    assert "heat sink" in find(examine(healthy), "throttling").fix


@pytest.mark.parametrize(("milli", "status"), [(60000, "ok"), (74000, "warn"), (81000, "bad")])
def test_temperature(healthy: Around, milli: int, status: str) -> None:
    (healthy.root / "sys/class/thermal/thermal_zone0/temp").write_text(f"{milli}\n")
    assert find(examine(healthy), "temperature").status == status


def test_disk_that_is_closed_or_gone(healthy: Around) -> None:
    assert find(broken(healthy, folder=Path("/no/such")), "space").status == "bad"

    def refuse(folder: Path) -> float:
        raise PermissionError(13, "Permission denied")

    line = find(broken(healthy, write_speed=refuse), "writing")
    assert line.status == "bad" and "Permission denied" in line.detail


@pytest.mark.parametrize(("speed", "status"), [(40.0, "ok"), (5.0, "warn"), (0.5, "bad")])
def test_slow_card(healthy: Around, speed: float, status: str) -> None:
    assert find(broken(healthy, write_speed=lambda folder: speed), "writing").status == status


@pytest.mark.parametrize(
    ("free", "total", "status"),
    [(50e9, 100e9, "ok"), (5e9, 100e9, "warn"), (0.9e9, 2e9, "warn"), (0.2e9, 1e9, "bad")],
)
def test_space(
    healthy: Around, free: float, total: float, status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("Usage", (), {"free": int(free), "total": int(total)})
    monkeypatch.setattr(condition.shutil, "disk_usage", lambda folder: usage)
    assert find(list(condition.check_disk(healthy)), "space").status == status


def test_measuring_the_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    assert write_speed_mb_s(tmp_path, 2 * 1024 * 1024) > 0.0
    with pytest.raises(OSError):
        write_speed_mb_s(tmp_path / "missing")
    assert list(tmp_path.iterdir()) == []


def test_wear_of_an_emmc_and_of_a_card(healthy: Around) -> None:
    block = healthy.root / "sys/block/mmcblk0"
    (block / "device").mkdir(parents=True)
    (block / "device/life_time").write_text("0x01 0x09\n")
    line = find(list(condition.check_disk(healthy)), "wear")
    assert line.status == "warn" and "80 to 90 %" in line.detail
    (block / "device/life_time").unlink()
    # 62521344 sectors are 32 GB; 400 GB a day × 365 = 146 TB a year; 300 × 32 GB = 9.6 TB last 0.07 years
    (block / "size").write_text("62521344\n")
    sectors = round(400e9 / 512)
    (block / "stat").write_text(f"  10 0 80 5 90 0 {sectors} 40 0 1 2\n")
    line = find(list(condition.check_disk(healthy)), "wear")
    assert line.status == "warn" and "400.0 GB a day" in line.detail and "about 0.1 years" in line.detail
    (block / "stat").write_text("  10 0 80 5 90 0 1953125 40 0 1 2\n")  # 1 GB a day: 26 years
    line = find(list(condition.check_disk(healthy)), "wear")
    assert line.status == "ok" and "over 20 years" in line.detail
    (block / "stat").write_text("garbage\n")
    assert not any(x.title == "wear" for x in condition.check_disk(healthy))


def test_clock(healthy: Around) -> None:
    never = find(list(condition.check_clock(healthy, wall_s=0.0)), "clock")
    assert never.status == "bad" and "1970" in never.detail
    (healthy.root / "run/systemd/timesync/synchronized").unlink()
    assert find(list(condition.check_clock(healthy, 1.8e9)), "clock").status == "warn"
    yes = dataclasses.replace(healthy, run=lambda command, timeout_s: "yes\n")
    assert find(list(condition.check_clock(yes, 1.8e9)), "clock").status == "ok"
    (healthy.root / "sys/class/rtc/rtc0").mkdir(parents=True)
    assert "own clock" in find(list(condition.check_clock(healthy, 1.8e9)), "clock").detail


@pytest.mark.parametrize(
    ("shown", "status"),
    [
        ("ActiveState=active\nSubState=running\nNRestarts=0\nStatusText=15 fps", "ok"),
        ("ActiveState=active\nSubState=running\nNRestarts=4", "warn"),
        ("ActiveState=failed\nSubState=failed\nResult=watchdog\nNRestarts=6", "bad"),
        ("ActiveState=inactive\nSubState=dead\nNRestarts=0", "warn"),
    ],
)
def test_service_state(healthy: Around, shown: str, status: str) -> None:
    write(healthy.root, **{"etc__systemd__system__edgecam-kiosk.service": ""})
    lines = list(condition.check_service(dataclasses.replace(healthy, live=True, run=lambda c, t: shown)))
    assert find(lines, "edgecam-kiosk").status == status
    silent = dataclasses.replace(healthy, live=True)
    assert "does not answer" in find(list(condition.check_service(silent)), "edgecam-kiosk").detail
    assert "does not run here" in find(list(condition.check_service(healthy)), "edgecam-kiosk").detail


# -- it never crashes


def test_a_check_that_raises_is_a_line(healthy: Around, monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(around: Around) -> list[Line]:
        raise RuntimeError("no such luck")
        yield

    monkeypatch.setitem(page._ALONE, "disk", explode)
    lines = examine(healthy)
    line = find(lines, "disk")
    assert line.status == "warn" and "no such luck" in line.detail
    assert find(lines, "clock").status == "ok"  # the rest of the page is there


def test_a_child_that_dies_by_sigill_hangs_or_babbles_is_a_result() -> None:
    probes = ChildProbes(
        {
            "sigill": "import os, signal; os.kill(os.getpid(), signal.SIGILL)",
            "hangs": "import time; time.sleep(600)",
            "babbles": "print('x' * 300000); print('not json')",
            "silent": "raise SystemExit(3)",
            "noisy": "print('a library says hello'); print('{\"version\": \"1\"}')",
            "list": "print('[1]')",
        },
        deadline_s=2.0,
    )
    try:
        assert probes.result("sigill").signal == "SIGILL"
        assert "status 3" in probes.result("silent").error
        assert probes.result("noisy").data == {"version": "1"}
        assert probes.result("babbles").error and probes.result("list").error
        assert probes.result("hangs").timed_out
        assert probes.result("hangs") is probes.result("hangs")
    finally:
        probes.close()


def test_closing_early_leaves_no_child() -> None:
    probes = ChildProbes({"hangs": "import time; time.sleep(600)"})
    child = probes._children["hangs"][0]
    probes.close()
    assert child.poll() is not None


def test_unknown_signal() -> None:
    assert interpret(-123, b"").signal == "signal 123"


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_scripts_are_python(name: str) -> None:
    compile(script(name), name, "exec")


def test_errors_in_a_child_are_one_line() -> None:
    SCRIPTS["explodes"] = "raise ValueError('first\\nsecond')"
    try:
        done = subprocess.run([sys.executable, "-c", script("explodes")], capture_output=True, timeout=60)
    finally:
        del SCRIPTS["explodes"]
    assert interpret(done.returncode, done.stdout).error == "ValueError: first"


def test_the_page_on_this_very_machine(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    status = cli_doctor.main(["--folder", str(tmp_path), "--json"])
    found = json.loads(capsys.readouterr().out)
    titles = {line["title"] for line in found["lines"]}
    assert {"board", "system", "64 bit", "python", "environment", "numpy", "onnxruntime", "screen"} <= titles
    assert {"models", "power", "throttling", "temperature", "space", "writing", "clock", "service"} <= titles
    assert found["v"] == 1
    assert status == (1 if any(line["status"] == "bad" for line in found["lines"]) else 0)
    assert not any(line["section"] == "doctor" for line in found["lines"])  # no check failed


def test_rendering(healthy: Around) -> None:
    lines = with_probe(healthy, av=Probe(error="ModuleNotFoundError: No module named 'av'"))
    plain = "\n".join(render(lines, colour=False))
    assert "\x1b" not in plain and "→ pip install av" in plain and "1 to put right, 0 to look at" in plain
    assert "\x1b[31m✗" in "\n".join(render(lines, colour=True))
    assert json.loads(as_json(lines))["verdict"] == "1 to put right, 0 to look at"
    assert "good, 1 to look at" in verdict([Line("a", "b", "warn", "c", "d")])


def test_cli_exit_codes(healthy: Around, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli_doctor.main([], healthy) == 0
    assert "all good" in capsys.readouterr().out
    assert cli_doctor.main([], dataclasses.replace(healthy, bits=32)) == 1
    with pytest.raises(SystemExit) as end:
        cli_doctor.main(["--help"])
    assert end.value.code == 0 and "red to put right" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("4.11.0.86", (4, 11, 0, 86)), ("2.0rc1", (2, 0)), ("", ()), ("dev", ()), ("1.21", (1, 21))],
)
def test_versions(text: str, numbers: tuple[int, ...]) -> None:
    assert version_tuple(text) == numbers


def test_distributions_in_the_order_of_the_path(tmp_path: Path) -> None:
    for folder, version in (("a", "2.0"), ("b", "1.0")):
        info = tmp_path / folder / f"thing-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: Thing_X\nVersion: {version}\n")
    broken_info = tmp_path / "a" / "half-1.0.dist-info"
    broken_info.mkdir()
    found = installed_distributions([str(tmp_path / "a"), str(tmp_path / "b")])
    assert [(d.name, d.version) for d in found if d.name == "thing-x"] == [
        ("thing-x", "2.0"),
        ("thing-x", "1.0"),
    ]
