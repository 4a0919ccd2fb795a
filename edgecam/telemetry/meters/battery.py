"""A laptop's or battery board's own gauge: the whole machine's power, but only while discharging."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edgecam.core.clock import now_ns
from edgecam.core.types import PowerReading
from edgecam.host.sysfs import listing, read_number, read_text


def _batteries(root: Path) -> list[Path]:
    return [
        folder
        for folder in listing(root / "sys/class/power_supply", "*")
        # scope "Device" is a mouse's or a keyboard's battery (kernel: sysfs-class-power)
        if read_text(folder / "type") == "Battery" and read_text(folder / "scope") != "Device"
    ]


def _watts(folder: Path) -> float | None:
    power_uw = read_number(folder / "power_now")
    if power_uw is not None:
        return abs(power_uw) / 1e6
    microvolts, microamps = read_number(folder / "voltage_now"), read_number(folder / "current_now")
    if microvolts is None or microamps is None:
        return None
    return microvolts * abs(microamps) / 1e12  # some drivers count a discharge as negative


class BatteryMeter:
    """Sum of the batteries that discharge; None on mains. One thread."""

    name = "battery"

    def __init__(self, folders: list[Path], clock: Callable[[], int] = now_ns) -> None:
        self._folders = folders
        self._clock = clock

    @classmethod
    def find(cls, root: Path, clock: Callable[[], int] = now_ns) -> BatteryMeter | None:
        """The meter below ``root``, or None if there is no battery that gives power or current."""
        folders = [f for f in _batteries(root) if _watts(f) is not None]
        return cls(folders, clock) if folders else None

    def read(self) -> PowerReading | None:
        """Power drawn from the batteries, or None while none discharges."""
        at_ns = self._clock()
        watts = [
            w
            for f in self._folders
            if read_text(f / "status") == "Discharging"
            if (w := _watts(f)) is not None
        ]
        # a full gauge reports 0 for some seconds after the plug is pulled: that is "not known yet"
        total_w = sum(watts)
        return PowerReading(total_w, "measured", "battery", at_ns) if total_w > 0.0 else None
