"""Recorded boards: small /sys and /proc trees and command outputs, with the figures of real boards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

# Raspberry Pi 5 Model B Rev 1.0, 2 GB, Bookworm, four busy cores
PMIC_BUSY = """\
 3V7_WL_SW_A current(0)=0.09368929A
   3V3_SYS_A current(1)=0.08783370A
   1V8_SYS_A current(2)=0.18054710A
  DDR_VDD2_A current(3)=0.22543980A
  DDR_VDDQ_A current(4)=0.06666720A
   1V1_SYS_A current(5)=0.17566740A
    0V8_SW_A current(6)=0.37670900A
  VDD_CORE_A current(7)=6.22421000A
   3V3_DAC_A current(17)=0.00006105A
   3V3_ADC_A current(18)=0.00036630A
   0V8_AON_A current(16)=0.00305250A
      HDMI_A current(22)=0.02417580A
 3V7_WL_SW_V volt(8)=3.69977600V
   3V3_SYS_V volt(9)=3.31003300V
   1V8_SYS_V volt(10)=1.80512600V
  DDR_VDD2_V volt(11)=1.10476100V
  DDR_VDDQ_V volt(12)=0.60146460V
   1V1_SYS_V volt(13)=1.11025500V
    0V8_SW_V volt(14)=0.80146440V
  VDD_CORE_V volt(15)=0.86173300V
   3V3_DAC_V volt(20)=3.31318300V
   3V3_ADC_V volt(21)=3.30677300V
   0V8_AON_V volt(19)=0.80029220V
      HDMI_V volt(23)=5.08664000V
     EXT5V_V volt(24)=5.09066000V
      BATT_V volt(25)=0.00000000V
"""


def write(root: Path, files: Mapping[str, object]) -> Path:
    """Write ``files`` (path below root → content, a newline added as the kernel does)."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{content}\n")
    return root


def pi(root: Path, model: str) -> Path:
    write(
        root,
        {
            "proc/stat": "cpu  1000 0 500 8000 500 0 0 0 0 0\ncpu0 250 0 125 2000 125 0 0 0 0 0",
            "sys/class/thermal/thermal_zone0/type": "cpu-thermal",
            "sys/class/thermal/thermal_zone0/temp": 51540,
        },
    )
    (root / "proc/device-tree").mkdir(parents=True)
    (root / "proc/device-tree/model").write_bytes(model.encode() + b"\0")  # the kernel ends it with NUL
    return root


def cpufreq(root: Path, cores: int, current_khz: int, low_khz: int, high_khz: int) -> Path:
    for core in range(cores):
        folder = f"sys/devices/system/cpu/cpu{core}/cpufreq"
        write(
            root,
            {
                f"{folder}/scaling_cur_freq": current_khz,
                f"{folder}/cpuinfo_min_freq": low_khz,
                f"{folder}/cpuinfo_max_freq": high_khz,
            },
        )
    return root


def ina3221_hwmon(root: Path, device: str, hwmon: int, rails: Sequence[tuple[str, int, int]]) -> Path:
    """JetPack 5 and 6: (label, mV, mA) for channels 1 to 3, and channel 7 as the kernel adds it."""
    base = f"sys/bus/i2c/devices/{device}"
    files: dict[str, object] = {f"{base}/name": "ina3221", f"{base}/hwmon/hwmon{hwmon}/name": "ina3221"}
    for i, (label, millivolts, milliamps) in enumerate(rails, 1):
        folder = f"{base}/hwmon/hwmon{hwmon}"
        files |= {
            f"{folder}/in{i}_label": label,
            f"{folder}/in{i}_input": millivolts,
            f"{folder}/curr{i}_input": milliamps,
            f"{folder}/in{i + 3}_input": 3,
        }
    files[f"{base}/hwmon/hwmon{hwmon}/in7_label"] = "sum of shunt voltages"
    files[f"{base}/hwmon/hwmon{hwmon}/in7_input"] = 9
    files[f"{base}/hwmon/hwmon{hwmon}/curr4_input"] = 9999
    return write(root, files)


def ina3221_iio(root: Path, device: str, number: int, rails: Sequence[tuple[str, int]]) -> Path:
    """JetPack 4: (label, milliwatts) for channels 0 to 2."""
    base = f"sys/bus/i2c/devices/{device}"
    files: dict[str, object] = {f"{base}/name": "ina3221x"}
    for i, (label, milliwatts) in enumerate(rails):
        files[f"{base}/iio:device{number}/rail_name_{i}"] = label
        files[f"{base}/iio:device{number}/in_power{i}_input"] = milliwatts
    return write(root, files)


def rapl(root: Path, zone: str, name: str, energy_uj: int, range_uj: int = 262143328850) -> Path:
    folder = f"sys/class/powercap/{zone}"
    return write(
        root,
        {f"{folder}/name": name, f"{folder}/energy_uj": energy_uj, f"{folder}/max_energy_range_uj": range_uj},
    )


class Clock:
    """A clock that stands still until told."""

    def __init__(self, ns: int = 0) -> None:
        self.ns = ns

    def __call__(self) -> int:
        return self.ns

    def advance(self, seconds: float) -> None:
        self.ns += round(seconds * 1e9)


class FakeRun:
    """Answers commands from a table; None for anything else."""

    def __init__(self, answers: Mapping[tuple[str, ...], str | None]) -> None:
        self.answers = dict(answers)
        self.calls = 0

    def __call__(self, command: Sequence[str], timeout_s: float) -> str | None:
        self.calls += 1
        return self.answers.get(tuple(command))
