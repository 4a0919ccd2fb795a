from __future__ import annotations

from pathlib import Path

import pytest
from boardtree import Clock, ina3221_hwmon, ina3221_iio, write

from edgecam.telemetry.meters.ina3221 import Ina3221Meter


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
