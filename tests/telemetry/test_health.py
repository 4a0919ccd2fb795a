from __future__ import annotations

from pathlib import Path

import pytest
from boardtree import FakeRun, cpufreq, pi, write

from edgecam.host.cpu_load import CpuFrequency, CpuUsage
from edgecam.telemetry.health import decode_throttled, firmware_limit_c, open_health_meter, parse_throttled

PI4 = "Raspberry Pi 4 Model B Rev 1.4"
ASK = ("vcgencmd", "get_throttled")


def test_pi5_with_fan(tmp_path: Path) -> None:
    pi(tmp_path, "Raspberry Pi 5 Model B Rev 1.0")
    cpufreq(tmp_path, 4, 2_400_000, 1_500_000, 2_400_000)
    write(
        tmp_path,
        {
            "sys/class/hwmon/hwmon2/name": "pwmfan",
            "sys/class/hwmon/hwmon2/fan1_input": 3054,
            "sys/class/hwmon/hwmon2/pwm1": 115,
            "sys/devices/platform/soc@107c000000/soc:firmware/get_throttled": "e0008",
        },
    )
    run = FakeRun({})
    health = open_health_meter(tmp_path, run).read()
    assert health.temperature_c == pytest.approx(51.54)
    assert health.frequency_mhz == pytest.approx(2400.0)
    assert health.fan_rpm == 3054
    assert health.throttled_now == ("soft temperature limit",)
    assert health.throttled_since_boot == ("frequency capped", "throttled", "soft temperature limit")
    assert run.calls == 0  # the file is enough


def test_pi4_asks_the_firmware(tmp_path: Path) -> None:
    run = FakeRun({ASK: "throttled=0x50005\n"})
    meter = open_health_meter(pi(tmp_path, PI4), run)
    health = meter.read()
    assert health.throttled_now == ("under-voltage", "throttled")
    assert health.throttled_since_boot == ("under-voltage", "throttled")
    run.answers[ASK] = "VCHI initialization failed"
    assert meter.read().throttled_now == ()


def test_throttled_file_in_the_older_place(tmp_path: Path) -> None:
    pi(tmp_path, PI4)
    file = "sys/devices/platform/soc/soc:firmware/get_throttled"
    meter = open_health_meter(write(tmp_path, {file: "0"}), FakeRun({ASK: "throttled=0xf"}))
    assert meter.read().throttled_now == ()
    write(tmp_path, {file: "10001"})
    health = meter.read()
    assert health.throttled_now == health.throttled_since_boot == ("under-voltage",)
    write(tmp_path, {file: "garbage"})
    assert meter.read().throttled_now == ()


@pytest.mark.parametrize(
    ("text", "bits"),
    [
        ("throttled=0x50005\n", 0x50005),
        ("0", 0),
        ("20002", 0x20002),
        ("", None),
        (None, None),
        ("error", None),
    ],
)
def test_parse_throttled(text: str | None, bits: int | None) -> None:
    assert parse_throttled(text) == bits


def test_every_throttled_bit() -> None:
    words = ("under-voltage", "frequency capped", "throttled", "soft temperature limit")
    for i, word in enumerate(words):
        assert decode_throttled(1 << i) == ((word,), ())
        assert decode_throttled(1 << (16 + i)) == ((), (word,))
    assert decode_throttled(0xF000F) == (words, words)


def test_mainline_pi_reports_a_weak_supply_by_hwmon(tmp_path: Path) -> None:
    write(
        pi(tmp_path, PI4),
        {"sys/class/hwmon/hwmon1/name": "rpi_volt", "sys/class/hwmon/hwmon1/in0_lcrit_alarm": 1},
    )
    assert open_health_meter(tmp_path, FakeRun({})).read().throttled_now == ("under-voltage",)


def zone(root: Path, number: int, kind: str, milli_c: object) -> None:
    write(
        root,
        {f"sys/class/thermal/thermal_zone{number}/{k}": v for k, v in (("type", kind), ("temp", milli_c))},
    )


def test_jetson_zones_and_over_current(tmp_path: Path) -> None:
    zone(tmp_path, 0, "CPU-therm", 47500)
    zone(tmp_path, 1, "GPU-therm", 49000)
    zone(tmp_path, 5, "PMIC-Die", 100000)
    oc = "sys/class/hwmon/hwmon6"
    write(tmp_path, {f"{oc}/name": "soctherm_oc", f"{oc}/oc1_event_cnt": 0, f"{oc}/oc3_event_cnt": 2})
    meter = open_health_meter(tmp_path)
    health = meter.read()
    assert health.temperature_c == 47.5
    assert health.throttled_now == () and health.throttled_since_boot == ("over-current throttling",)
    write(tmp_path, {f"{oc}/oc3_event_cnt": 3})
    assert meter.read().throttled_now == ("over-current throttling",)
    assert meter.read().throttled_now == ()


def test_unknown_zones_give_the_hottest_plausible(tmp_path: Path) -> None:
    zone(tmp_path, 0, "acpitz", 27800)
    zone(tmp_path, 1, "iwlwifi_1", 41000)
    zone(tmp_path, 2, "PMIC-Die", 100000)
    zone(tmp_path, 3, "gpu", -256000)
    zone(tmp_path, 10, "odd", "EINVAL")
    meter = open_health_meter(tmp_path)
    assert meter.read().temperature_c == 41.0
    zone(tmp_path, 0, "acpitz", 83000)  # heated while running
    assert meter.read().temperature_c == 83.0


def test_pc_without_zones_uses_coretemp(tmp_path: Path) -> None:
    folder = "sys/class/hwmon/hwmon3"
    write(tmp_path, {f"{folder}/name": "k10temp", f"{folder}/temp1_input": 55250})
    write(tmp_path, {"proc/cpuinfo": "processor : 0\ncpu MHz\t\t: 2500.0\nprocessor : 1\ncpu MHz : 3500.0"})
    health = open_health_meter(tmp_path).read()
    assert health.temperature_c == 55.25 and health.frequency_mhz == 3000.0


def test_a_board_that_tells_nothing(tmp_path: Path) -> None:
    health = open_health_meter(tmp_path).read()
    assert health.temperature_c is None and health.fan_rpm is None and health.cpu_percent is None
    assert health.frequency_mhz is None and health.throttled_now == ()


def test_zone_that_vanishes(tmp_path: Path) -> None:
    pi(tmp_path, PI4)
    meter = open_health_meter(tmp_path, FakeRun({}))
    assert meter.read().temperature_c is not None
    (tmp_path / "sys/class/thermal/thermal_zone0/temp").unlink()
    assert meter.read().temperature_c is None


def test_cpu_percent_by_hand(tmp_path: Path) -> None:
    pi(tmp_path, PI4)
    usage = CpuUsage(tmp_path)
    assert usage.share() is None
    # 60 user, 20 nice, 20 system, steal 10, guest 60 (is in user); 80 idle, 10 iowait: 110 of 200 busy
    write(tmp_path, {"proc/stat": "cpu  1060 20 520 8080 510 0 0 10 60 0"})
    assert usage.share() == pytest.approx(110 / 200)
    assert usage.share() == pytest.approx(110 / 200)  # asked again at once: the same, not 0/0
    write(tmp_path, {"proc/stat": "cpu  1 2 3"})
    assert usage.share() is None
    write(tmp_path, {"proc/stat": "cpu  5 5 5 5 5 5 5 5 5 5"})
    assert usage.share() is None


def test_frequency_is_the_mean_of_the_cores_that_tell(tmp_path: Path) -> None:
    cpufreq(tmp_path, 4, 1_500_000, 600_000, 1_800_000)
    frequency = CpuFrequency(tmp_path)
    write(tmp_path, {"sys/devices/system/cpu/cpu3/cpufreq/scaling_cur_freq": 600_000})
    assert frequency.current_mhz() == pytest.approx((3 * 1500 + 600) / 4)
    assert frequency.range_mhz() == (600.0, 1800.0)


def test_firmware_limit(tmp_path: Path) -> None:
    assert firmware_limit_c(pi(tmp_path / "pi", PI4)) == 80.0
    trip = "sys/class/thermal/thermal_zone0/trip_point_"
    pc = write(
        tmp_path / "pc",
        {
            f"{trip}0_type": "critical", f"{trip}0_temp": 105000,
            f"{trip}1_type": "passive", f"{trip}1_temp": 95000,
            f"{trip}2_type": "passive", f"{trip}2_temp": 0,
        },
    )  # fmt: skip
    assert firmware_limit_c(pc) == 95.0
    assert firmware_limit_c(tmp_path / "none") is None
