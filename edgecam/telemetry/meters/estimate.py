"""No meter: power estimated from load and frequency between two anchors of the board. Always says so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edgecam.core.clock import now_ns
from edgecam.core.types import PowerReading
from edgecam.host.boards import Board
from edgecam.host.cpu_load import CpuFrequency, CpuUsage
from edgecam.telemetry.calibration import Calibration

#: Core voltage at the lowest frequency relative to that at the highest. An assumption: boards do not
#: publish it, and sysfs does not tell. At a half load between the extremes it moves the figure by some 5 %.
VOLTAGE_RATIO = 0.85

#: What is left after a user calibrated both anchors on this very board: cameras, USB and screen still vary.
CALIBRATED_ERROR = 0.10


def dynamic_share(frequency: float, lowest: float, highest: float) -> float:
    """f × V² relative to the highest frequency, with V rising linearly from ``VOLTAGE_RATIO`` to 1."""
    if highest <= 0.0:
        return 1.0
    f = min(max(frequency, lowest), highest)
    rise = (f - lowest) / (highest - lowest) if highest > lowest else 1.0
    volts = VOLTAGE_RATIO + (1.0 - VOLTAGE_RATIO) * rise
    return f / highest * volts * volts


class EstimatedPowerMeter:
    """idle + (full − idle) × utilisation × f × V² (relative). One thread.

    ``read`` gives the mean since the last reading, at the middle of that interval; None until it has one.
    """

    def __init__(
        self,
        root: Path,
        board: Board,
        calibration: Calibration | None = None,
        clock: Callable[[], int] = now_ns,
    ) -> None:
        self.board = board
        self.calibration = calibration
        self._usage = CpuUsage(root)
        self._frequency = CpuFrequency(root)
        self._range = self._frequency.range_mhz()
        self._clock = clock
        self._last_ns = clock()
        if calibration is None:
            self.idle_w, self.full_w = board.anchors.idle_w, board.anchors.full_w
            self.error = board.anchors.error
            self.name = f"estimate for {board.name}"
        else:
            self.idle_w, self.full_w = calibration.idle_w, calibration.full_w
            self.error = CALIBRATED_ERROR
            self.name = f"calibrated estimate for {board.name}"

    def read(self) -> PowerReading | None:
        """Estimated mean power since the last reading."""
        share = self._usage.share()
        now = self._clock()
        if share is None:
            return None
        frequency = self._frequency.current_mhz() if self._range else None
        dynamic = 1.0
        if frequency is not None and self._range is not None:
            dynamic = dynamic_share(frequency, *self._range)
        power_w = self.idle_w + (self.full_w - self.idle_w) * share * dynamic
        middle_ns, self._last_ns = (self._last_ns + now) // 2, now
        return PowerReading(power_w, "estimated", self.name, middle_ns, self.error)
