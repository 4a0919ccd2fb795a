"""Jetson: the INA3221 monitors on the I²C bus, in both layouts that JetPack has had."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from edgecam.core.clock import now_ns
from edgecam.core.types import PowerReading
from edgecam.host.sysfs import listing, read_number, read_text

#: These rails are the board's whole input; with one of them nothing is summed.
TOTAL_RAILS = ("POM_5V_IN", "VDD_IN")


class Channel(Struct, frozen=True):
    """One rail. ``power_mw`` is the kernel's own product where it gives one; else volts times amperes."""

    label: str
    voltage_mv: Path | None
    current_ma: Path | None
    power_mw: Path | None

    def watts(self) -> float | None:
        """Power now, or None if the sensor does not answer."""
        if self.power_mw is not None:
            milliwatts = read_number(self.power_mw)
            return None if milliwatts is None else milliwatts / 1e3
        if self.voltage_mv is None or self.current_ma is None:
            return None
        millivolts, milliamps = read_number(self.voltage_mv), read_number(self.current_ma)
        return None if millivolts is None or milliamps is None else millivolts * milliamps / 1e6


def find_channels(root: Path) -> list[Channel]:
    """Every rail of every INA3221, found by what the device calls itself, never by bus or hwmon number."""
    channels: list[Channel] = []
    for name in listing(root / "sys/bus/i2c/devices", "*/name"):
        if "ina3221" not in (read_text(name) or ""):
            continue
        for folder in listing(name.parent / "hwmon", "hwmon*"):
            channels += _hwmon(folder)
        for folder in listing(name.parent, "iio:device*"):
            channels += _iio(folder)
    return [c for c in channels if _counts(c.label)]


def _hwmon(folder: Path) -> list[Channel]:
    # JetPack 5 and later. Only 1 to 3 are rails; 4 to 6 are the shunts, 7 is "sum of shunt voltages".
    found = []
    for i in (1, 2, 3):
        label = read_text(folder / f"in{i}_label")
        if label:
            found.append(Channel(label, folder / f"in{i}_input", folder / f"curr{i}_input", None))
    return found


def _iio(folder: Path) -> list[Channel]:
    # JetPack 4
    found = []
    for i in (0, 1, 2):
        label = read_text(folder / f"rail_name_{i}")
        if label:
            found.append(Channel(label, None, None, folder / f"in_power{i}_input"))
    return found


def _counts(label: str) -> bool:
    """Whether the label names a connected rail ("NC" is not connected)."""
    return "NC" not in label.replace("-", "_").upper().split("_") and "sum" not in label.lower()


class Ina3221Meter:
    """The board's input where a rail is that, else the sum of all rails. One thread."""

    name = "INA3221"

    def __init__(self, channels: list[Channel], clock: Callable[[], int] = now_ns) -> None:
        whole = [c for c in channels if c.label in TOTAL_RAILS]
        self.channels = channels
        self._counted = whole[:1] or channels
        self._source = f"INA3221 {whole[0].label}" if whole else f"INA3221, sum of {len(channels)} rails"
        self._clock = clock

    @classmethod
    def find(cls, root: Path, clock: Callable[[], int] = now_ns) -> Ina3221Meter | None:
        """The meter below ``root``, or None if there is no such chip."""
        channels = find_channels(root)
        return cls(channels, clock) if channels else None

    def read(self) -> PowerReading | None:
        """Total power, or None if any rail of the sum does not answer."""
        at_ns = self._clock()
        total_w = 0.0
        for channel in self._counted:
            watts = channel.watts()
            if watts is None:
                return None
            total_w += watts
        return PowerReading(total_w, "measured", self._source, at_ns)
