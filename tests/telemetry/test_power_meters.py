from __future__ import annotations

from pathlib import Path

import pytest
from boardtree import PMIC_BUSY, Clock, FakeRun, rapl

from edgecam.telemetry.meters import rapl as power_rapl
from edgecam.telemetry.meters.pmic import COMMAND, PmicMeter, parse_rails
from edgecam.telemetry.meters.rapl import RaplMeter

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
