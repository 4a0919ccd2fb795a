"""Cameras, models, supply, heat, disk, clock and service as `edgecam doctor` sees them."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest
from doctor_board import broken, find, with_probe, write

from edgecam.host.disk import DiskSpace, disk_space
from edgecam.service.doctor import condition
from edgecam.service.doctor.core import (
    Around,
    write_speed_mb_s,
)
from edgecam.service.doctor.page import examine
from edgecam.service.doctor.probe import Probe


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
    good = {"path": "/m/a.onnx", "name": "a", "state": "good", "words": ""}
    bad = {"path": "/m/b.onnx", "name": "b", "state": "damaged", "words": "the weights are not the card's"}
    lines = with_probe(healthy, models=Probe({"models": [good, bad]}))
    assert find(lines, "b").status == "bad" and "1 verified" in find(lines, "models").detail
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
    gone = broken(healthy, folder=Path("/no/such"), disk_space=disk_space)
    assert find(gone, "space").status == "bad"

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
def test_space(healthy: Around, free: float, total: float, status: str) -> None:
    lines = broken(healthy, disk_space=lambda folder: DiskSpace(int(free), int(total)))
    assert find(lines, "space").status == status


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
