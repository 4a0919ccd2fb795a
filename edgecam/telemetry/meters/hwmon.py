"""Any power sensor the kernel shows as hwmon: INA219 and INA226 boards, ACPI power meters, PMBus supplies."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from edgecam.core.clock import now_ns
from edgecam.core.types import PowerReading
from edgecam.host.sysfs import listing, read_number, read_text

_log = logging.getLogger(__name__)

#: Drivers whose power is that of one part, not of the board.
_PARTS = ("amdgpu", "nouveau", "radeon", "i915", "xe", "nvme", "k10temp", "coretemp", "zenpower", "ina3221")
#: Words in a label that mean "all of it".
_WHOLE = ("total", "supply", "input", "vin", "system")


class HwmonSensor(Struct, frozen=True):
    """One power figure: either ``power*`` in microwatts, or bus millivolts times milliamperes."""

    driver: str
    label: str
    power_uw: Path | None
    voltage_mv: Path | None = None
    current_ma: Path | None = None

    def watts(self) -> float | None:
        """Power now, or None if the sensor does not answer."""
        if self.power_uw is not None:
            microwatts = read_number(self.power_uw)
            return None if microwatts is None else microwatts / 1e6
        if self.voltage_mv is None or self.current_ma is None:
            return None
        millivolts, milliamps = read_number(self.voltage_mv), read_number(self.current_ma)
        return None if millivolts is None or milliamps is None else millivolts * milliamps / 1e6


def find_sensors(root: Path) -> list[HwmonSensor]:
    """Every hwmon power sensor that may be the board's supply, the likeliest first."""
    found: list[HwmonSensor] = []
    for folder in listing(root / "sys/class/hwmon", "hwmon*"):
        driver = read_text(folder / "name") or ""
        if not driver or driver in _PARTS:
            continue
        powers = [*listing(folder, "power*_input"), *listing(folder, "power*_average")]
        for path in powers:
            channel = path.name.partition("_")[0]
            label = read_text(folder / f"{channel}_label") or ""
            if not any(s.driver == driver and s.label == label and s.power_uw == path for s in found):
                found.append(HwmonSensor(driver, label, path))
        if not powers and driver.startswith("ina2"):
            # INA2xx: in0 is the shunt in mV, in1 the bus in mV, curr1 in mA (kernel: hwmon/ina2xx.rst)
            volts, amps = folder / "in1_input", folder / "curr1_input"
            if read_number(volts) is not None and read_number(amps) is not None:
                found.append(HwmonSensor(driver, "", None, volts, amps))
    return sorted(found, key=lambda s: not any(word in s.label.lower() for word in _WHOLE))


class HwmonMeter:
    """One hwmon sensor as the board's power. One thread.

    Of several sensors the one labelled as the supply is taken, else the first; the others may lie behind it,
    so summing them would count twice.
    """

    def __init__(self, sensors: list[HwmonSensor], clock: Callable[[], int] = now_ns) -> None:
        self._sensor = sensors[0]
        self.name = self._sensor.driver + (f" {self._sensor.label}" if self._sensor.label else "")
        self._clock = clock
        if len(sensors) > 1:
            _log.info(
                "%d power sensors; using %s (the first, or the one labelled as supply)",
                len(sensors),
                self.name,
            )

    @classmethod
    def find(cls, root: Path, clock: Callable[[], int] = now_ns) -> HwmonMeter | None:
        """The meter below ``root``, or None if no sensor answers."""
        sensors = [s for s in find_sensors(root) if s.watts() is not None]
        return cls(sensors, clock) if sensors else None

    def read(self) -> PowerReading | None:
        """Power now, or None if the sensor does not answer."""
        at_ns = self._clock()
        watts = self._sensor.watts()
        return None if watts is None else PowerReading(watts, "measured", self.name, at_ns)
