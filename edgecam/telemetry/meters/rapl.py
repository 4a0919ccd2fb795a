"""x86: the processor's energy counters (RAPL)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from edgecam.core.clock import now_ns
from edgecam.core.types import PowerReading
from edgecam.host.sysfs import listing, natural_root, read_number, read_text

#: The counter moves about every millisecond; a shorter interval would be mostly rounding.
MIN_INTERVAL_NS = 20_000_000


class Zone(Struct, frozen=True):
    """One counter: microjoules since some moment, starting over above ``range_uj``."""

    name: str
    energy_uj: Path
    range_uj: float


def find_zones(root: Path) -> list[Zone]:
    """``psys`` (the whole platform) alone where there is one, else every package."""
    zones = []
    for folder in listing(root / "sys/class/powercap", "intel-rapl:*"):
        name = read_text(folder / "name")
        limit = read_number(folder / "max_energy_range_uj")
        # sub-zones (core, uncore, dram) are intel-rapl:0:1; package energy already holds core and uncore
        if name and limit and folder.name.count(":") == 1:
            zones.append(Zone(name, folder / "energy_uj", limit))
    return [z for z in zones if z.name == "psys"] or [z for z in zones if z.name.startswith("package")]


def locked(root: Path) -> str | None:
    """How to unlock counters that only root may read (so since Linux 5.10); None if all is well."""
    zones = find_zones(root)
    if not zones or read_number(zones[0].energy_uj) is not None:
        return None
    path = natural_root(zones[0].energy_uj, root)
    return f"RAPL is there but only root may read it: sudo chmod a+r {path} (until the next boot)"


class RaplMeter:
    """Mean power between two readings. One thread.

    It is the processor package (or, as ``psys``, the platform), not the wall; ``source`` says which. The
    reading's time is the middle of its interval, where a mean belongs, so that trapezoids stay right.
    """

    def __init__(self, zones: list[Zone], clock: Callable[[], int] = now_ns) -> None:
        self._zones = zones
        self.name = "RAPL psys" if zones[0].name == "psys" else "RAPL, processor only"
        self._clock = clock
        self._last = self._counters()
        self._reading: PowerReading | None = None

    @classmethod
    def find(cls, root: Path, clock: Callable[[], int] = now_ns) -> RaplMeter | None:
        """The meter below ``root``, or None if there are no readable counters."""
        zones = [z for z in find_zones(root) if read_number(z.energy_uj) is not None]
        return cls(zones, clock) if zones else None

    def _counters(self) -> tuple[int, list[float]] | None:
        at_ns = self._clock()
        values = [read_number(zone.energy_uj) for zone in self._zones]
        known = [v for v in values if v is not None]
        return (at_ns, known) if len(known) == len(values) else None

    def read(self) -> PowerReading | None:
        """Mean power since the last reading; None at first, and after the counters went away."""
        now = self._counters()
        last = self._last
        if now is None or last is None:
            self._last, self._reading = now, None
            return None
        span_ns = now[0] - last[0]
        if span_ns < MIN_INTERVAL_NS:
            return self._reading
        joules = 0.0
        for zone, before, after in zip(self._zones, last[1], now[1], strict=True):
            used_uj = after - before
            if (
                used_uj < 0
            ):  # wrapped; it takes a minute or more at full power, so once at most between readings
                used_uj += zone.range_uj
            joules += used_uj / 1e6
        self._last = now
        middle_ns = (last[0] + now[0]) // 2
        self._reading = PowerReading(joules * 1e9 / span_ns, "measured", self.name, middle_ns)
        return self._reading
