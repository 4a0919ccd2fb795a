from __future__ import annotations

import logging
import sys
import time
from pathlib import Path

import pytest
from boardtree import PMIC_BUSY, Clock, FakeRun, ina3221_hwmon, ina3221_iio, rapl, write
from hypothesis import given
from hypothesis import strategies as st

from edgecam.errors import ConfigError
from edgecam.telemetry import power_rapl
from edgecam.telemetry.commands import run_command
from edgecam.telemetry.power_battery import BatteryMeter
from edgecam.telemetry.power_command import CommandMeter, parse_watts
from edgecam.telemetry.power_hwmon import HwmonMeter
from edgecam.telemetry.power_ina3221 import Ina3221Meter
from edgecam.telemetry.power_pmic import COMMAND, PmicMeter, parse_rails
from edgecam.telemetry.power_rapl import RaplMeter

# -- Raspberry Pi 5

# amperes × volts of each of the twelve lines of the capture, by hand, to 0.1 mW
BY_HAND_W = {
    "3V7_WL_SW": 0.3466,
    "3V3_SYS": 0.2907,
    "1V8_SYS": 0.3259,
    "DDR_VDD2": 0.2491,
    "DDR_VDDQ": 0.0401,
    "1V1_SYS": 0.1950,
    "0V8_SW": 0.3019,
    "VDD_CORE": 5.3636,
    "3V3_DAC": 0.0002,
    "3V3_ADC": 0.0012,
    "0V8_AON": 0.0024,
    "HDMI": 0.1230,
}


def test_pmic_rails_are_paired_by_name() -> None:
    rails = parse_rails(PMIC_BUSY)
    assert rails.keys() == BY_HAND_W.keys()  # EXT5V and BATT have no current
    for name, watts in BY_HAND_W.items():
        assert rails[name] == pytest.approx(watts, abs=6e-5), name


def test_pmic_gives_wall_and_rails() -> None:
    clock = Clock(5_000)
    reading = PmicMeter(FakeRun({COMMAND: PMIC_BUSY}), clock).read()
    assert reading is not None
    # 7.2397 W of rails; 1.1451 × 7.2397 + 0.5879 = 8.878 W at the wall
    assert reading.power_w == pytest.approx(8.878, abs=0.001)
    assert (reading.kind, reading.source) == ("measured", "PMIC rails 7.2 W, wall by fit")
    assert reading.at_ns == 5_000


def test_pmic_on_firmware_that_says_voltage() -> None:
    assert parse_rails(PMIC_BUSY.replace(" volt(", " voltage(")) == parse_rails(PMIC_BUSY)


def without(name: str) -> str:
    return "\n".join(line for line in PMIC_BUSY.splitlines() if name not in line)


@pytest.mark.parametrize(
    "text",
    [None, "", "VCHI initialization failed\n", "error=1 error_msg=\"Command not registered\"",
     without("VDD_CORE"), PMIC_BUSY.replace("6.22421000A", "nanA"),
     PMIC_BUSY.replace("6.22421000A", "6.2.2A"),
     "\0\xff\n" * 50],
)  # fmt: skip
def test_pmic_garbage_is_no_reading(text: str | None) -> None:
    assert PmicMeter(FakeRun({COMMAND: text})).read() is None


def test_pmic_rail_that_vanishes_is_not_a_smaller_figure() -> None:
    run = FakeRun({COMMAND: PMIC_BUSY})
    meter = PmicMeter(run)
    assert meter.read() is not None
    run.answers[COMMAND] = without("HDMI")
    assert meter.read() is None
    run.answers[COMMAND] = PMIC_BUSY
    assert meter.read() is not None


def test_pmic_half_a_line_is_skipped() -> None:
    cut = PMIC_BUSY[: PMIC_BUSY.index("HDMI_V") + 9]
    assert "HDMI" not in parse_rails(cut) and "VDD_CORE" in parse_rails(cut)


# -- Jetson


def test_orin_nano_vdd_in_is_the_total(tmp_path: Path) -> None:
    ina3221_hwmon(
        tmp_path, "1-0040", 4, [("VDD_IN", 5072, 1176), ("VDD_CPU_GPU_CV", 5064, 264), ("VDD_SOC", 5064, 288)]
    )
    meter = Ina3221Meter.find(tmp_path, Clock(7))
    assert meter is not None
    reading = meter.read()
    assert reading is not None
    assert reading.power_w == pytest.approx(5.9647, abs=1e-4)  # 5.072 V × 1.176 A, nothing added
    assert (reading.source, reading.kind, reading.at_ns) == ("INA3221 VDD_IN", "measured", 7)


def test_agx_orin_sums_rails_over_both_chips_and_skips_nc(tmp_path: Path) -> None:
    ina3221_hwmon(
        tmp_path,
        "1-0040",
        1,
        [("VDD_GPU_SOC", 19864, 160), ("VDD_CPU_CV", 19888, 40), ("VIN_SYS_5V0", 5000, 712)],
    )
    ina3221_hwmon(tmp_path, "1-0041", 2, [("NC", 0, 500), ("VDDQ_VDD2_1V8AO", 5016, 96), ("NC", 5000, 400)])
    meter = Ina3221Meter.find(tmp_path)
    assert meter is not None
    reading = meter.read()
    assert reading is not None
    # 19.864×0.160 + 19.888×0.040 + 5.000×0.712 + 5.016×0.096 = 3.1782 + 0.7955 + 3.5600 + 0.4815
    assert reading.power_w == pytest.approx(8.0153, abs=1e-4)
    assert reading.source == "INA3221, sum of 4 rails"


def test_jetson_nano_jetpack4_iio(tmp_path: Path) -> None:
    ina3221_iio(tmp_path, "6-0040", 0, [("POM_5V_IN", 2430), ("POM_5V_GPU", 120), ("POM_5V_CPU", 560)])
    meter = Ina3221Meter.find(tmp_path)
    assert meter is not None
    reading = meter.read()
    assert reading is not None and reading.power_w == pytest.approx(2.43)
    assert reading.source == "INA3221 POM_5V_IN"


def test_agx_xavier_jetpack4_sums_six_rails(tmp_path: Path) -> None:
    ina3221_iio(tmp_path, "1-0040", 0, [("GPU", 310), ("CPU", 773), ("SOC", 1083)])
    ina3221_iio(tmp_path, "1-0041", 1, [("CV", 0), ("VDDRQ", 309), ("SYS5V", 2087)])
    meter = Ina3221Meter.find(tmp_path)
    assert meter is not None
    reading = meter.read()
    assert reading is not None and reading.power_w == pytest.approx(4.562)


def test_other_i2c_devices_are_not_jetson_meters(tmp_path: Path) -> None:
    write(
        tmp_path, {"sys/bus/i2c/devices/1-0048/name": "tmp102", "sys/bus/i2c/devices/i2c-1/name": "bcm2835"}
    )
    assert Ina3221Meter.find(tmp_path) is None
    assert Ina3221Meter.find(tmp_path / "nothing") is None


def test_ina3221_that_vanishes_or_stutters(tmp_path: Path) -> None:
    ina3221_hwmon(tmp_path, "1-0040", 3, [("A", 5000, 1000), ("B", 5000, 200), ("NC-1", 1, 1)])
    meter = Ina3221Meter.find(tmp_path)
    assert meter is not None
    first = meter.read()
    assert first is not None and first.power_w == pytest.approx(6.0)
    current = tmp_path / "sys/bus/i2c/devices/1-0040/hwmon/hwmon3/curr2_input"
    current.write_text("-ENODATA\n")
    assert meter.read() is None  # not 5.0 W
    current.unlink()
    assert meter.read() is None
    current.write_text("200\n")
    assert meter.read() is not None


# -- hwmon


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


# -- RAPL


def test_rapl_is_the_mean_between_readings_at_their_middle(tmp_path: Path) -> None:
    rapl(tmp_path, "intel-rapl:0", "package-0", 1_000_000)
    rapl(tmp_path, "intel-rapl:0:0", "core", 500_000)
    clock = Clock(0)
    meter = RaplMeter.find(tmp_path, clock)
    assert meter is not None
    clock.advance(2.0)
    rapl(tmp_path, "intel-rapl:0", "package-0", 25_000_000)
    reading = meter.read()
    assert reading is not None
    assert reading.power_w == pytest.approx(12.0)  # 24 J in 2 s
    assert reading.at_ns == 1_000_000_000
    assert reading.source == "RAPL, processor only"
    clock.advance(0.001)  # too soon for a new mean: the same reading, with the same time
    assert meter.read() is reading


def test_rapl_wraps(tmp_path: Path) -> None:
    limit = 65_532_610_987
    rapl(tmp_path, "intel-rapl:0", "package-0", limit - 4_000_000, limit)
    clock = Clock(0)
    meter = RaplMeter.find(tmp_path, clock)
    assert meter is not None
    clock.advance(1.0)
    rapl(tmp_path, "intel-rapl:0", "package-0", 3_000_000, limit)
    reading = meter.read()
    assert reading is not None and reading.power_w == pytest.approx(7.0)  # 4 J to the end and 3 J after it


def test_rapl_sums_sockets_and_prefers_the_platform(tmp_path: Path) -> None:
    for i in (0, 1):
        rapl(tmp_path, f"intel-rapl:{i}", f"package-{i}", 0)
    clock = Clock()
    meter = RaplMeter.find(tmp_path, clock)
    assert meter is not None
    clock.advance(1.0)
    rapl(tmp_path, "intel-rapl:0", "package-0", 10_000_000)
    rapl(tmp_path, "intel-rapl:1", "package-1", 5_000_000)
    reading = meter.read()
    assert reading is not None and reading.power_w == pytest.approx(15.0)
    rapl(tmp_path, "intel-rapl:2", "psys", 0)
    platform = RaplMeter.find(tmp_path, clock)
    assert platform is not None and platform.name == "RAPL psys"


def test_rapl_that_vanishes_starts_over(tmp_path: Path) -> None:
    rapl(tmp_path, "intel-rapl:0", "package-0", 0)
    clock = Clock()
    meter = RaplMeter.find(tmp_path, clock)
    assert meter is not None
    counter = tmp_path / "sys/class/powercap/intel-rapl:0/energy_uj"
    counter.write_text("what\n")
    clock.advance(1.0)
    assert meter.read() is None
    counter.write_text("900000000\n")
    clock.advance(1.0)
    assert meter.read() is None  # no interval yet; surely not 450 W
    counter.write_text("905000000\n")
    clock.advance(1.0)
    reading = meter.read()
    assert reading is not None and reading.power_w == pytest.approx(5.0)


def test_rapl_locked_says_how_to_unlock(tmp_path: Path) -> None:
    rapl(tmp_path, "intel-rapl:0", "package-0", 0)
    assert power_rapl.locked(tmp_path) is None
    counter = tmp_path / "sys/class/powercap/intel-rapl:0/energy_uj"
    counter.unlink()  # root reads whatever the mode, so a folder stands in for "no permission"
    counter.mkdir()
    assert RaplMeter.find(tmp_path) is None
    hint = power_rapl.locked(tmp_path)
    assert hint is not None and "sudo chmod a+r /sys/class/powercap/intel-rapl:0/energy_uj" in hint


# -- battery


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


# -- command


@pytest.mark.parametrize(
    ("text", "watts"),
    [
        ("5.43\n", 5.43),
        ("5.43 W", 5.43),
        ("power: 5430 mW", 5.43),
        ("5.1V 0.9A 4.59W\n", 4.59),
        ("0.0054 kW", 5.4),
        ("watts=6.25", 6.25),
        ("5400000 µW", 5.4),
        ("6 Watts", 6.0),
        ("", None),
        ("n/a", None),
        ("nan", None),
        ("-4 W", None),
        ("5.1 0.9", None),  # two bare numbers: which one?
        ("1e99 W", None),
        ("0x3f", None),
    ],
)
def test_what_a_command_printed(text: str, watts: float | None) -> None:
    got = parse_watts(text)
    assert got == (None if watts is None else pytest.approx(watts))


@given(st.text(max_size=200))
def test_any_text_is_watts_or_none(text: str) -> None:
    got = parse_watts(text)
    assert got is None or 0.0 <= got <= 10_000.0


def test_command_meter_runs_for_real_and_logs_changes_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    figure = tmp_path / "watts with space.txt"
    figure.write_text("4.2 W")
    meter = CommandMeter(f"cat '{figure}'")
    reading = meter.read()
    assert reading is not None and reading.power_w == 4.2 and reading.source == "command cat"
    with caplog.at_level(logging.INFO):
        figure.unlink()
        assert meter.read() is None and meter.read() is None
        figure.write_text("out of order")
        assert meter.read() is None
        figure.write_text("4.3")
        assert meter.read() is not None
    assert [r.levelname for r in caplog.records] == ["WARNING", "INFO"]


def test_missing_command_is_no_reading() -> None:
    assert CommandMeter("/no/such/plug --watts").read() is None


@pytest.mark.parametrize("command", ["", "   ", "plug 'open"])
def test_unreadable_command_line(command: str) -> None:
    with pytest.raises(ConfigError, match="power command"):
        CommandMeter(command)


def test_command_deadline_holds_even_if_a_grandchild_keeps_the_pipe() -> None:
    script = "import subprocess, sys; subprocess.Popen(['sleep', '60']); sys.stdout.flush()"
    begin = time.monotonic()
    assert run_command([sys.executable, "-c", script], 0.5) is None
    assert time.monotonic() - begin < 30  # a hang would be 60 s; not a timing claim


def test_command_with_binary_output() -> None:
    assert run_command(["printf", r"\377\376 5"], 5.0) is not None
