"""Keeps the board below a power and a temperature limit: detects less often, then with the fast model.

Pure control logic: no thread, no clock and no meter of its own. Painting is never slowed: between detections
the boxes are predicted.
"""

from __future__ import annotations

import math
from collections import deque

from msgspec import Struct

from edgecam.core.types import BoardHealth, PowerReading

#: Detection is lowered above ``limit - MARGIN_C`` and given back below ``limit - RELEASE_C``; between them
#: nothing moves. One step of the output changes the temperature by less than this band is wide.
MARGIN_C = 2.0
RELEASE_C = 5.0
#: The same for power, relative to the limit.
MARGIN_W = 0.02
RELEASE_W = 0.10

#: The temperature that counts is the one expected in this time at the present slope. A heat sink answers with
#: a time constant of half a minute to five; looking ahead is what damps the loop (the tests run that range).
LOOK_AHEAD_S = 60.0
#: Change of log(rate) per second and degree (per second and relative excess, for power).
GAIN_PER_C_S = 0.004
GAIN_PER_W_S = 0.2
#: Giving back is slower than taking away.
RELEASE_GAIN = 0.5
#: Never faster than this per second: a wild sensor must not stop detection at once.
MAX_STEP_PER_S = 0.15

SLOPE_WINDOW_NS = 30_000_000_000
POWER_WINDOW_NS = 3_000_000_000
#: The output follows the inner rate only when it is this far off, so that it does not flicker.
OUTPUT_STEP = 0.07
#: The full model comes back when it could run at this many times the lowest rate.
FAST_RELEASE = 1.6

#: A rate below this is a stream that stands still, not what the board can do.
SLOWEST_HZ = 0.2
#: Share of the noted full rate kept per second: half of it after six minutes.
FORGET = 0.998

_SLOWED_BY_FIRMWARE = frozenset({"throttled", "soft temperature limit"})


class Plan(Struct, frozen=True):
    """What to run with. ``detect_rate_hz`` None is "as often as frames come"; ``reason`` "" is no limit."""

    detect_rate_hz: float | None = None
    use_fast: bool = False
    reason: str = ""


class Governor:
    """Decides how often to detect, and with which model. One thread.

    max_watts, max_temp: limits, each None for none.
    full_rate_hz: how often detection runs when nothing holds it; see :meth:`note_full_rate`.
    min_rate_hz: the full model is not slowed below this; the fast one takes over there.
    has_fast: whether a fast variant is there.
    fast_cost: its energy per frame relative to the full model's (0.5 is half).
    """

    def __init__(
        self,
        max_watts: float | None = None,
        max_temp: float | None = None,
        *,
        full_rate_hz: float = 30.0,
        min_rate_hz: float = 2.0,
        has_fast: bool = True,
        fast_cost: float = 0.5,
    ) -> None:
        self.max_watts = max_watts
        self.max_temp = max_temp
        self._full_hz = full_rate_hz
        self._min_hz = self._asked_min_hz = min_rate_hz
        self._noted_hz: float | None = None
        self._has_fast = has_fast
        self._fast_cost = fast_cost
        self._rate_hz = full_rate_hz
        self._fast = False
        self._out = Plan()
        self._last_ns: int | None = None
        self._temperatures: deque[tuple[int, float]] = deque(maxlen=256)
        self._powers: deque[tuple[int, float]] = deque(maxlen=256)

    @property
    def plan(self) -> Plan:
        """The plan that was decided last."""
        return self._out

    def set_limits(self, max_watts: float | None, max_temp: float | None) -> None:
        """Change the limits. What was given up for one that is lifted is given back at once."""
        lifted = (max_watts is None and self.max_watts is not None) or (
            max_temp is None and self.max_temp is not None
        )
        self.max_watts, self.max_temp = max_watts, max_temp
        if lifted:
            self._rate_hz, self._fast, self._out = self._full_hz, False, Plan()

    def note_full_rate(self, rate_hz: float) -> None:
        """The detection rate measured while nothing limits it, about once a second; ignored at other times.

        It forgets slowly: a still picture behind the motion gate, or a camera that was away for a moment,
        does not mean that the board could do no more.
        """
        if self._out.detect_rate_hz is not None or self._fast or rate_hz <= SLOWEST_HZ:
            return
        full_hz = rate_hz if self._noted_hz is None else max(rate_hz, self._noted_hz * FORGET)
        # the share stays: a first small step down must not be undone every time this is called
        self._rate_hz *= full_hz / self._full_hz
        self._full_hz = self._noted_hz = full_hz
        # on a board that is slower than the lowest rate there must still be something to give up
        self._min_hz = min(self._asked_min_hz, full_hz / 2.0)

    def decide(self, reading: PowerReading | None, health: BoardHealth, now_ns: int) -> Plan:
        """The plan from now on. Call about once a second; the same plan object until something changes."""
        seconds = 0.0 if self._last_ns is None else min((now_ns - self._last_ns) / 1e9, 5.0)
        self._last_ns = now_ns
        urges = [self._temperature_urge(health, now_ns), self._power_urge(reading, now_ns)]
        known = [(urge, why) for urge, why in urges if urge is not None]
        if not known:
            return self._out  # no sensor, no limit: nothing to hold against
        # the strictest limit wins; giving back needs all of them to agree
        urge, why = min(known)
        step = max(-MAX_STEP_PER_S, min(urge, MAX_STEP_PER_S)) * seconds
        if step:
            self._move(math.exp(step))
        self._out = self._output(why)
        return self._out

    def _temperature_urge(self, health: BoardHealth, now_ns: int) -> tuple[float | None, str]:
        if self.max_temp is None:
            return None, ""
        why = f"to stay below {self.max_temp:.0f} °C"
        slowed = not _SLOWED_BY_FIRMWARE.isdisjoint(health.throttled_now)
        if health.temperature_c is None:
            return (
                (-GAIN_PER_C_S * RELEASE_C, "because the board throttles itself") if slowed else (None, why)
            )
        self._temperatures.append((now_ns, health.temperature_c))
        expected_c = health.temperature_c + LOOK_AHEAD_S * _slope(self._temperatures, now_ns)
        high, low = self.max_temp - MARGIN_C, self.max_temp - RELEASE_C
        if slowed:  # the firmware's own limit is lower than ours, or its sensor is hotter
            return -GAIN_PER_C_S * max(expected_c - high, RELEASE_C), "because the board throttles itself"
        return _band(expected_c, low, high, GAIN_PER_C_S), why

    def _power_urge(self, reading: PowerReading | None, now_ns: int) -> tuple[float | None, str]:
        if self.max_watts is None:
            return None, ""
        why = f"to stay below {self.max_watts:g} W"
        if reading is None:
            return None, why
        self._powers.append((now_ns, reading.power_w))
        recent = [w for at_ns, w in self._powers if at_ns > now_ns - POWER_WINDOW_NS]
        relative = sum(recent) / len(recent) / self.max_watts
        return _band(relative, 1.0 - RELEASE_W, 1.0 - MARGIN_W, GAIN_PER_W_S), why

    def _move(self, factor: float) -> None:
        rate = self._rate_hz * factor
        if not self._fast and rate < self._min_hz:
            if self._has_fast:
                # the same heat with the cheaper model, and room to go on lowering
                self._fast, rate = True, self._min_hz / self._fast_cost
            else:
                rate = self._min_hz
        elif self._fast:
            if rate * self._fast_cost >= self._min_hz * FAST_RELEASE:
                self._fast, rate = False, rate * self._fast_cost
            rate = max(rate, self._min_hz)
        self._rate_hz = min(rate, self._full_hz)

    def _output(self, why: str) -> Plan:
        free = not self._fast and self._rate_hz >= self._full_hz * (1.0 - OUTPUT_STEP / 2)
        if free:
            return self._out if self._out == Plan() else Plan()
        shown = self._out.detect_rate_hz
        same = shown is not None and abs(self._rate_hz / shown - 1.0) < OUTPUT_STEP
        if same and self._out.use_fast == self._fast:
            return self._out
        rate = _rounded(self._rate_hz)
        model = " with the fast model" if self._fast else ""
        return Plan(rate, self._fast, f"detecting at {rate:g} of {_rounded(self._full_hz):g} Hz{model} {why}")


def _band(value: float, low: float, high: float, gain: float) -> float:
    """Negative above the band, positive (and weaker) below it, zero inside."""
    if value > high:
        return -gain * (value - high)
    if value < low:
        return gain * RELEASE_GAIN * (low - value)
    return 0.0


def _slope(points: deque[tuple[int, float]], now_ns: int) -> float:
    """Least-squares slope of the last half minute, per second; 0 before five seconds of it are known.

    Sensors step by half a degree; a line through many readings is what makes their slope usable.
    """
    recent = [(t / 1e9, v) for t, v in points if t > now_ns - SLOPE_WINDOW_NS]
    if len(recent) < 5 or recent[-1][0] - recent[0][0] < 4.0:
        return 0.0
    mean_t = sum(t for t, _ in recent) / len(recent)
    mean_v = sum(v for _, v in recent) / len(recent)
    spread = sum((t - mean_t) ** 2 for t, _ in recent)
    return sum((t - mean_t) * (v - mean_v) for t, v in recent) / spread if spread > 0.0 else 0.0


def _rounded(rate_hz: float) -> float:
    """A figure for people: 14, 6.5, 1.8."""
    if rate_hz >= 10.0:
        return float(round(rate_hz))
    if rate_hz >= 3.0:
        return round(rate_hz * 2.0) / 2.0
    return round(rate_hz, 1)
