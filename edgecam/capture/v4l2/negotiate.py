"""Which of a camera's modes to take. Pure decisions, no device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# What can be turned into BGR here, cheapest first; per 720p frame about 0.5 ms for packed YUV, 3 ms for a
# JPEG.
DECODABLE = ("YUYV", "UYVY", "NV12", "BGR3", "RGB3", "GREY", "MJPG", "JPEG")
DEFAULT_SIZE_WH = (1280, 720)
DEFAULT_RATE_HZ = 30.0
# Cameras name 29.97 or 30.0003 for 30.
_RATE_SLACK = 0.97


@dataclass(frozen=True, slots=True)
class Mode:
    """A pixel format at a size, with the rates it can run at (highest first; empty: the driver
    does not tell).
    """

    fourcc: str
    size_wh: tuple[int, int]
    rates_hz: tuple[float, ...] = ()

    @property
    def best_hz(self) -> float:
        """The highest rate; infinity where the driver does not tell."""
        return max(self.rates_hz, default=float("inf"))

    def rate_for(self, wanted_hz: float) -> float:
        """The lowest rate that reaches ``wanted_hz``, or else the highest."""
        enough = [rate for rate in self.rates_hz if rate >= wanted_hz * _RATE_SLACK]
        return min(enough) if enough else (max(self.rates_hz) if self.rates_hz else wanted_hz)


@dataclass(frozen=True, slots=True)
class Choice:
    """The mode to ask for, and why it is less than what was wanted (empty if it is not)."""

    mode: Mode
    rate_hz: float
    why: str


def choose(
    modes: Sequence[Mode], size_wh: tuple[int, int] | None = None, rate_hz: float | None = None
) -> Choice | None:
    """The best mode, or None if no format of the camera can be decoded.

    A size that was asked for weighs most: exactly it, else the smallest that covers it, else the largest.
    Without one, the largest up to 1280x720 that reaches the rate. Among formats of that size the cheapest
    one to decode that reaches the rate is taken: so MJPG only where YUYV is too slow, as on most USB cameras
    at 720p.
    """
    usable = [mode for mode in modes if mode.fourcc in DECODABLE]
    if not usable:
        return None
    wanted_hz = rate_hz or DEFAULT_RATE_HZ
    width, height = size_wh or DEFAULT_SIZE_WH

    def reaches(mode: Mode) -> bool:
        return mode.best_hz >= wanted_hz * _RATE_SLACK

    def size_order(mode: Mode) -> tuple[int, int]:
        w, h = mode.size_wh
        if w >= width and h >= height and size_wh is not None:
            return 0, w * h
        if w <= width and h <= height:
            return (1 if size_wh is not None else 0), -w * h
        return 2, abs(w * h - width * height)

    def order(mode: Mode) -> tuple[object, ...]:
        slow = not reaches(mode)
        speed = -min(mode.best_hz, wanted_hz)
        cost = DECODABLE.index(mode.fourcc)
        if size_wh is None:
            return slow, *size_order(mode), speed, cost
        return *size_order(mode), slow, speed, cost

    best = min(usable, key=order)
    granted_hz = best.rate_for(wanted_hz)
    return Choice(best, granted_hz, _why(usable, best, size_wh, rate_hz, granted_hz))


def _why(
    usable: Sequence[Mode],
    best: Mode,
    size_wh: tuple[int, int] | None,
    rate_hz: float | None,
    granted_hz: float,
) -> str:
    reasons = []
    if size_wh is not None and best.size_wh != size_wh:
        reasons.append(f"the camera has no {size_wh[0]}x{size_wh[1]}")
    wanted_hz = rate_hz or DEFAULT_RATE_HZ
    if granted_hz < wanted_hz * _RATE_SLACK and (rate_hz is not None or granted_hz < DEFAULT_RATE_HZ):
        w, h = best.size_wh
        reason = f"{w}x{h} gives at most {granted_hz:g} fps"
        faster = [m for m in usable if m.best_hz >= wanted_hz * _RATE_SLACK and m.rates_hz]
        if faster:
            other = max(faster, key=lambda m: m.size_wh[0] * m.size_wh[1])
            reason += f"; {other.size_wh[0]}x{other.size_wh[1]} would reach {other.rate_for(wanted_hz):g}"
        reasons.append(reason)
    return ", and ".join(reasons)


def reduction(granted_wh: tuple[int, int], wanted_wh: tuple[int, int] | None) -> int:
    """1, 2, 4 or 8: by how much a JPEG can be shrunk while decoding and still cover the wanted size."""
    if wanted_wh is None:
        return 1
    for factor in (8, 4, 2):
        if granted_wh[0] // factor >= wanted_wh[0] and granted_wh[1] // factor >= wanted_wh[1]:
            return factor
    return 1
