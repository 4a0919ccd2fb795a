from __future__ import annotations

from pathlib import Path

import pytest
from boardtree import write

from edgecam.telemetry.meters.battery import BatteryMeter
from edgecam.telemetry.meters.hwmon import HwmonMeter


def test_ina219_board_in_microwatts(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "sys/class/hwmon/hwmon0/name": "cpu_thermal",
            "sys/class/hwmon/hwmon10/name": "ina219",
            "sys/class/hwmon/hwmon10/power1_input": 5420000,
        },
    )
    meter = HwmonMeter.find(tmp_path)
    assert meter is not None
    reading = meter.read()
    assert reading is not None and reading.power_w == pytest.approx(5.42) and reading.source == "ina219"


def test_ina226_without_power_uses_bus_volts_times_amperes(tmp_path: Path) -> None:
    folder = "sys/class/hwmon/hwmon1"
    write(
        tmp_path,
        {
            f"{folder}/name": "ina226",
            f"{folder}/in0_input": 8,
            f"{folder}/in1_input": 5112,
            f"{folder}/curr1_input": 812,
        },
    )
    meter = HwmonMeter.find(tmp_path)
    assert meter is not None
    reading = meter.read()
    assert reading is not None and reading.power_w == pytest.approx(4.15094)  # 5.112 × 0.812
    (tmp_path / folder / "curr1_input").unlink()
    assert meter.read() is None


def test_graphics_card_is_not_the_board(tmp_path: Path) -> None:
    write(
        tmp_path, {"sys/class/hwmon/hwmon2/name": "amdgpu", "sys/class/hwmon/hwmon2/power1_average": 9000000}
    )
    assert HwmonMeter.find(tmp_path) is None


def test_of_several_sensors_the_supply_is_taken_not_the_sum(tmp_path: Path) -> None:
    base = "sys/class/hwmon/hwmon"
    write(
        tmp_path,
        {
            f"{base}3/name": "ina226", f"{base}3/power1_label": "camera", f"{base}3/power1_input": 1000000,
            f"{base}4/name": "ina226", f"{base}4/power1_label": "Total", f"{base}4/power1_input": 6000000,
        },
    )  # fmt: skip
    meter = HwmonMeter.find(tmp_path)
    assert meter is not None
    reading = meter.read()
    assert reading is not None and reading.power_w == 6.0 and reading.source == "ina226 Total"


def battery(root: Path, name: str, **values: object) -> None:
    write(root, {f"sys/class/power_supply/{name}/{key}": value for key, value in values.items()})


def test_battery_power_only_while_discharging(tmp_path: Path) -> None:
    battery(tmp_path, "AC", type="Mains", online=0)
    battery(tmp_path, "BAT0", type="Battery", status="Discharging", power_now=8250000)
    meter = BatteryMeter.find(tmp_path)
    assert meter is not None
    reading = meter.read()
    assert reading is not None and reading.power_w == pytest.approx(8.25)
    battery(tmp_path, "BAT0", status="Charging")
    assert meter.read() is None


def test_battery_by_volts_and_amperes_negative_when_discharging(tmp_path: Path) -> None:
    battery(tmp_path, "BAT1", type="Battery", status="Discharging", voltage_now=11400000, current_now=-750000)
    battery(tmp_path, "hid-mouse", type="Battery", scope="Device", status="Discharging", power_now=99000000)
    meter = BatteryMeter.find(tmp_path)
    assert meter is not None
    reading = meter.read()
    assert reading is not None and reading.power_w == pytest.approx(
        8.55
    )  # 11.4 × 0.75; the mouse is left out


def test_battery_that_does_not_know_yet(tmp_path: Path) -> None:
    battery(tmp_path, "BAT0", type="Battery", status="Discharging", power_now=0)
    meter = BatteryMeter.find(tmp_path)
    assert meter is not None and meter.read() is None
