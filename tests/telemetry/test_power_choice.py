from __future__ import annotations

import logging
from pathlib import Path

import pytest
from boardtree import PMIC_BUSY, Clock, FakeRun, cpufreq, ina3221_hwmon, pi, rapl, write

from edgecam.core.errors import ConfigError
from edgecam.core.types import PowerReading
from edgecam.core.units import power_text
from edgecam.host.boards import detect_board
from edgecam.telemetry import calibration
from edgecam.telemetry.calibration import Calibration
from edgecam.telemetry.meters.choose import MeterChain, find_meters, open_power_meter
from edgecam.telemetry.meters.estimate import EstimatedPowerMeter, dynamic_share
from edgecam.telemetry.meters.pmic import COMMAND

PI4 = "Raspberry Pi 4 Model B Rev 1.4"
PI5 = "Raspberry Pi 5 Model B Rev 1.0"


def stat(root: Path, busy: int, idle: int) -> None:
    write(root, {"proc/stat": f"cpu  {1000 + busy} 0 500 {8000 + idle} 500 0 0 0 0 0"})


@pytest.mark.parametrize(
    ("model", "family"),
    [
        (PI5, "pi5"),
        ("Raspberry Pi Compute Module 5 Rev 1.0", "pi5"),
        (PI4, "pi4"),
        ("Raspberry Pi 3 Model B Plus Rev 1.3", "pi3"),
        ("Raspberry Pi Zero 2 W Rev 1.0", "pizero2"),
        ("NVIDIA Jetson Nano Developer Kit", "jetson-nano"),
        ("NVIDIA Jetson Orin Nano Developer Kit", "jetson-orin"),
        ("NVIDIA Orin NX Developer Kit", "jetson-orin"),
        ("Radxa ROCK 5B", "unknown"),
    ],
)
def test_boards_by_device_tree(tmp_path: Path, model: str, family: str) -> None:
    board = detect_board(pi(tmp_path, model))
    assert (board.name, board.family) == (model, family)
    assert 0 < board.anchors.idle_w < board.anchors.full_w
    assert board.is_raspberry_pi == family.startswith("pi")


def test_x86_and_nameless_boards(tmp_path: Path) -> None:
    assert detect_board(tmp_path, "x86_64").name == "x86 computer"
    write(tmp_path, {"sys/class/dmi/id/product_name": "NUC8i3"})
    assert detect_board(tmp_path, "x86_64").name == "NUC8i3"
    assert detect_board(tmp_path, "riscv64").family == "unknown"


def test_estimate_idle_full_and_half_by_hand(tmp_path: Path) -> None:
    pi(tmp_path, PI4)
    cpufreq(tmp_path, 4, 1_500_000, 600_000, 1_500_000)
    clock = Clock()
    meter = EstimatedPowerMeter(tmp_path, detect_board(tmp_path), clock=clock)
    assert meter.read() is None  # no interval yet
    clock.advance(1.0)
    stat(tmp_path, 0, 400)
    idle = meter.read()
    assert idle is not None and idle.power_w == pytest.approx(3.06)  # 0.6 A × 5.1 V
    clock.advance(2.0)
    stat(tmp_path, 400, 400)
    full = meter.read()
    assert full is not None and full.power_w == pytest.approx(6.2475)  # 1.225 A × 5.1 V
    assert (full.kind, full.error) == ("estimated", 0.25)
    assert full.at_ns == 2_000_000_000  # the middle of 1 s … 3 s
    assert power_text(full) == "≈ 6.2 W ±25 % estimated"
    # half busy at the lowest step: f 0.4, V 0.85 → 0.4 × 0.7225 = 0.289; 3.06 + 3.1875 × 0.5 × 0.289
    cpufreq(tmp_path, 4, 600_000, 600_000, 1_500_000)
    stat(tmp_path, 600, 600)
    half = meter.read()
    assert half is not None and half.power_w == pytest.approx(3.06 + 3.1875 * 0.5 * 0.289)


def test_dynamic_share_is_monotonic_and_bounded() -> None:
    shares = [dynamic_share(f, 600, 1800) for f in (100, 600, 900, 1500, 1800, 3000)]
    assert shares == sorted(shares)
    assert shares[0] == shares[1] and shares[-1] == 1.0
    assert dynamic_share(1000, 0, 0) == 1.0 and dynamic_share(1000, 1000, 1000) == 1.0


def test_estimate_without_proc_stat_is_no_reading(tmp_path: Path) -> None:
    meter = EstimatedPowerMeter(tmp_path, detect_board(tmp_path, "x86_64"))
    assert meter.read() is None
    stat(tmp_path, 0, 0)
    assert meter.read() is None
    write(tmp_path, {"proc/stat": "cpu  garbage"})
    assert meter.read() is None


def test_calibration_round_trip_and_use(tmp_path: Path) -> None:
    pi(tmp_path, PI4)
    calibration.save(Calibration(PI4, 2.8, 6.6), calibration.system_file(tmp_path))
    found = find_meters(tmp_path)
    (meter,) = found.meters
    assert isinstance(meter, EstimatedPowerMeter)
    assert (meter.idle_w, meter.full_w, meter.error) == (2.8, 6.6, 0.10)
    assert meter.name == f"calibrated estimate for {PI4}" and found.hint == ""


def test_calibration_of_another_board_is_not_used(tmp_path: Path) -> None:
    pi(tmp_path, PI4)
    calibration.save(Calibration('My "board" \\ 2', 2.8, 6.6), calibration.system_file(tmp_path))
    assert calibration.load(calibration.system_file(tmp_path)).board == 'My "board" \\ 2'
    (meter,) = find_meters(tmp_path).meters
    assert isinstance(meter, EstimatedPowerMeter) and meter.calibration is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "idle_w = 1",
        "not toml [",
        'board="x"\nidle_w = 9\nfull_w = 3',
        'board="x"\nidle_w = "a"\nfull_w = 3',
    ],
)
def test_a_broken_calibration_is_named_and_does_not_stop_the_camera(tmp_path: Path, text: str) -> None:
    pi(tmp_path, PI4)
    path = calibration.system_file(tmp_path)
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"power\.toml"):
        calibration.load(path)
    found = find_meters(tmp_path)
    assert len(found.meters) == 1 and "power.toml" in found.hint


@pytest.mark.parametrize(("idle", "full"), [(5, 4), (0, 4), (-1, 4), (4, 4), (1, 5000), (float("nan"), 4)])
def test_impossible_calibrations(idle: float, full: float) -> None:
    with pytest.raises(ConfigError, match="cannot both be right"):
        Calibration("b", idle, full)


def test_calibration_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="--file"):
        calibration.save(Calibration("b", 1, 2), tmp_path / "file" / "power.toml")


def test_pi5_uses_the_pmic(tmp_path: Path) -> None:
    run = FakeRun({COMMAND: PMIC_BUSY})
    meter = open_power_meter(pi(tmp_path, PI5), run=run)
    assert meter.name == "Pi 5 PMIC"
    reading = meter.read()
    assert reading is not None and reading.kind == "measured"


def test_pi5_without_vcgencmd_estimates_and_says_what_to_do(tmp_path: Path) -> None:
    found = find_meters(pi(tmp_path, PI5), run=FakeRun({}))
    assert [m.name for m in found.meters] == [f"estimate for {PI5}"]
    assert "usermod -aG video" in found.hint


def test_pi4_never_asks_for_a_pmic(tmp_path: Path) -> None:
    run = FakeRun({COMMAND: PMIC_BUSY})
    assert [m.name for m in find_meters(pi(tmp_path, PI4), run=run).meters] == [f"estimate for {PI4}"]
    assert run.calls == 0


def test_order_of_trust(tmp_path: Path) -> None:
    pi(tmp_path, "NVIDIA Jetson Orin Nano Developer Kit")
    ina3221_hwmon(tmp_path, "1-0040", 4, [("VDD_IN", 5000, 1000)])
    write(tmp_path, {"sys/class/hwmon/hwmon9/name": "ina219", "sys/class/hwmon/hwmon9/power1_input": 1})
    rapl(tmp_path, "intel-rapl:0", "package-0", 0)
    battery = "sys/class/power_supply/BAT0"
    write(tmp_path, {f"{battery}/type": "Battery", f"{battery}/status": "Full", f"{battery}/power_now": 0})
    found = find_meters(tmp_path, "plug", FakeRun({("plug",): "7 W"}))
    assert [m.name for m in found.meters] == [
        "command plug",
        "INA3221",
        "ina219",
        "battery",
        "RAPL, processor only",
        "estimate for NVIDIA Jetson Orin Nano Developer Kit",
    ]
    reading = MeterChain(found.meters).read()
    assert reading is not None and reading.power_w == 7.0


class Switchable:
    def __init__(self, name: str) -> None:
        self.name = name
        self.alive = True

    def read(self) -> PowerReading | None:
        return PowerReading(1.0, "measured", self.name, 0) if self.alive else None


def test_a_vanishing_meter_hands_over_and_back(caplog: pytest.LogCaptureFixture) -> None:
    first, second = Switchable("first"), Switchable("second")
    chain = MeterChain([first, second])
    assert chain.name == "first"

    def source() -> str | None:
        reading = chain.read()
        return reading.source if reading else None

    with caplog.at_level(logging.INFO):
        assert source() == "first"
        first.alive = False
        assert [source(), source()] == ["second", "second"] and chain.name == "second"
        second.alive = False
        assert source() is None
        first.alive = True
        assert source() == "first"
    assert len(caplog.records) == 2  # there and back, not once per reading
    assert MeterChain([]).name == "none" and MeterChain([]).read() is None


def test_format_measured() -> None:
    assert power_text(PowerReading(5.44, "measured", "INA3221", 0)) == "5.4 W measured (INA3221)"
    assert power_text(PowerReading(5.44, "estimated", "x", 0)) == "≈ 5.4 W estimated"


def test_this_machine_has_some_meter() -> None:
    found = find_meters()
    assert found.meters and found.meters[-1].name.endswith(found.board.name)
