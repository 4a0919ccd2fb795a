"""A board as two lines of physics, to close the governor's loop over."""

from __future__ import annotations

from dataclasses import dataclass, field

from edgecam.core.types import BoardHealth, PowerReading
from edgecam.telemetry.governor import Governor, Plan


@dataclass
class Board:
    """One heat capacity and one resistance to the air; power is idle plus energy per detection times rate.

    The sensor steps by ``sensor_step_c``, as a Pi's does.
    """

    ambient_c: float = 25.0
    resistance_c_w: float = 8.0
    time_constant_s: float = 90.0
    idle_w: float = 3.2
    full_j: float = 0.16
    fast_j: float = 0.08
    full_rate_hz: float = 30.0
    temperature_c: float = 50.0
    sensor_step_c: float = 0.487
    firmware_limit_c: float | None = None
    power_w: float = 0.0

    def run(self, plan: Plan, seconds: float) -> None:
        rate = (
            self.full_rate_hz if plan.detect_rate_hz is None else min(plan.detect_rate_hz, self.full_rate_hz)
        )
        self.power_w = self.idle_w + rate * (self.fast_j if plan.use_fast else self.full_j)
        settled_c = self.ambient_c + self.resistance_c_w * self.power_w
        self.temperature_c += (settled_c - self.temperature_c) * seconds / self.time_constant_s

    def health(self) -> BoardHealth:
        read_c = round(self.temperature_c / self.sensor_step_c) * self.sensor_step_c
        hot = self.firmware_limit_c is not None and self.temperature_c >= self.firmware_limit_c
        return BoardHealth(temperature_c=read_c, throttled_now=("soft temperature limit",) if hot else ())


@dataclass
class Trace:
    seconds: list[float] = field(default_factory=list)
    temperature_c: list[float] = field(default_factory=list)
    power_w: list[float] = field(default_factory=list)
    rate_hz: list[float] = field(default_factory=list)
    plans: list[Plan] = field(default_factory=list)

    def changes_after(self, second: float) -> int:
        pairs = zip(self.seconds[1:], self.plans[:-1], self.plans[1:], strict=True)
        return sum(before != after for t, before, after in pairs if t > second)


def close_loop(
    board: Board,
    governor: Governor,
    seconds: float,
    trace: Trace | None = None,
    ambient_c: float | None = None,
) -> Trace:
    """Run both for ``seconds``, one decision a second, continuing ``trace`` if given.

    ambient_c: the air warms or cools to it at 0.02 °C a second.
    """
    trace = trace or Trace()
    begin = trace.seconds[-1] + 1.0 if trace.seconds else 0.0
    plan = trace.plans[-1] if trace.plans else Plan()
    for i in range(round(seconds)):
        if ambient_c is not None:
            board.ambient_c += min(max(ambient_c - board.ambient_c, -0.02), 0.02)
        board.run(plan, 1.0)
        now = begin + i
        reading = PowerReading(board.power_w, "measured", "model", round(now * 1e9))
        plan = governor.decide(reading, board.health(), round(now * 1e9))
        trace.seconds.append(now)
        trace.temperature_c.append(board.temperature_c)
        trace.power_w.append(board.power_w)
        trace.rate_hz.append(board.full_rate_hz if plan.detect_rate_hz is None else plan.detect_rate_hz)
        trace.plans.append(plan)
    return trace
