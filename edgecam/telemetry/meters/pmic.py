"""Raspberry Pi 5: the power-management chip's own currents and voltages, by ``vcgencmd pmic_read_adc``."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from edgecam.core.clock import now_ns
from edgecam.core.types import PowerReading
from edgecam.host.commands import DEFAULT_TIMEOUT_S, Run

COMMAND = ("vcgencmd", "pmic_read_adc")

#: The rails miss what hangs on 5 V directly. Straight line fitted with a USB-C meter at the supply by one
#: person (FIELD-NOTES 6): 1.1451 × rails + 0.5879 W.
WALL_SLOPE = 1.1451
WALL_OFFSET_W = 0.5879

# " VDD_CORE_A current(7)=6.22421000A" and " VDD_CORE_V volt(15)=0.86173300V" ("voltage(15)" on some firmware)
_LINE = re.compile(r"^\s*(\w+)_([AV])\s+(?:current|volt|voltage)\(\d+\)=([-+0-9.eE]+)[AV]\s*$")


def parse_rails(text: str) -> dict[str, float]:
    """Watts by rail, for each rail that has both a current and a voltage.

    The numbers in brackets differ between a rail's two lines, so they are paired by name. EXT5V and BATT have
    no current and fall out. Lines that do not fit are skipped.
    """
    amps: dict[str, float] = {}
    volts: dict[str, float] = {}
    for line in text.splitlines():
        match = _LINE.match(line)
        if match is None:
            continue
        try:
            value = float(match[3])
        except ValueError:
            continue
        if math.isfinite(value):
            (amps if match[2] == "A" else volts)[match[1]] = value
    return {name: amps[name] * volts[name] for name in amps if name in volts}


def wall_w(rails_w: float) -> float:
    """Power at the supply for a given sum of the rails, by the published fit."""
    return WALL_SLOPE * rails_w + WALL_OFFSET_W


class PmicMeter:
    """Measured rails, and from them the power at the wall. One thread; a child process per reading."""

    name = "Pi 5 PMIC"

    def __init__(self, run: Run, clock: Callable[[], int] = now_ns) -> None:
        self._run = run
        self._clock = clock
        self._count: int | None = None

    def rails(self) -> dict[str, float] | None:
        """Watts by rail, or None if the firmware did not answer or a rail of the first answer is missing.

        A sum with a rail missing would be a believable wrong figure, so it is not given.
        """
        text = self._run(COMMAND, DEFAULT_TIMEOUT_S)
        rails = parse_rails(text) if text else {}
        if not rails or "VDD_CORE" not in rails:
            return None
        if self._count is None:
            self._count = len(rails)
        return rails if len(rails) >= self._count else None

    def read(self) -> PowerReading | None:
        """Power at the wall; the rails' sum stands in ``source``."""
        begin_ns = self._clock()
        rails = self.rails()
        if rails is None:
            return None
        at_ns = (begin_ns + self._clock()) // 2
        total_w = sum(rails.values())
        return PowerReading(wall_w(total_w), "measured", f"PMIC rails {total_w:.1f} W, wall by fit", at_ns)
