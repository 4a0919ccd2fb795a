"""Sizes, durations and amounts of bytes as people write them: ``1280x720``, ``5m``, ``150ms``, ``20GB``."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgecam.core.types import PowerReading

_DURATION_S = {"ms": 1e-3, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
    "tib": 2**40,
}
#: The longest duration (a century) and the largest amount of bytes (a little more than any disk's).
LONGEST_S, MOST_BYTES = 3.2e9, 2.0**60
#: Characters of a number in text; what is longer is none.
LONGEST_NUMBER = 64
_NUMBER_UNIT = re.compile(r"\s*([0-9]*\.?[0-9]+)\s*([a-zA-Z]*)\s*")


def _number_unit(text: str) -> re.Match[str] | None:
    """A number, of short text only: the time to find that it is none grows with the square of its digits."""
    return _NUMBER_UNIT.fullmatch(text) if len(text) <= LONGEST_NUMBER else None


class Size(tuple[int, int]):
    """(width, height) in pixels, written ``1280x720``."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: object) -> Size:
        """Raises ValueError with what is wrong."""
        match = re.fullmatch(r"\s*(\d{1,9})\s*[xX×]\s*(\d{1,9})\s*", str(text)[:LONGEST_NUMBER])
        if not match or not (16 <= int(match[1]) <= 16384 and 16 <= int(match[2]) <= 16384):
            raise ValueError(f"'{text}' is not a size; write WIDTHxHEIGHT in pixels, such as 1280x720")
        return cls((int(match[1]), int(match[2])))

    def __str__(self) -> str:
        return f"{self[0]}x{self[1]}"


class Seconds(float):
    """A duration, written ``5m``, ``1.5``, ``150ms``; seconds without a unit."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: object) -> Seconds:
        """Raises ValueError with what is wrong."""
        match = _number_unit(str(text))
        scale = _DURATION_S.get((match[2] or "s").lower()) if match else None
        if match is None or scale is None:
            raise ValueError(f"'{text}' is not a duration; write 10, 10s, 150ms, 5m, 2h or 7d")
        seconds = number_within(match[1], 0, LONGEST_S / scale)
        if seconds is None:
            raise ValueError(f"'{text}' is longer than edgecam reckons with; write a shorter one")
        return cls(seconds * scale)


class Bytes(int):
    """An amount of bytes, written ``20GB`` or ``512MiB``."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: object) -> Bytes:
        """Raises ValueError with what is wrong."""
        match = _number_unit(str(text))
        scale = _BYTES.get((match[2] or "b").lower()) if match else None
        if match is None or scale is None:
            raise ValueError(f"'{text}' is not an amount of bytes; write 500MB, 20GB or 1GiB")
        amount = number_within(match[1], 0, MOST_BYTES / scale)
        if amount is None:
            raise ValueError(f"'{text}' is more than any disk has; write a smaller amount")
        return cls(round(amount * scale))


def days_text(days: float) -> str:
    """``12 days``, ``2.5 days``, ``9 hours``: how long there is space for."""
    if days >= 10:
        return f"{days:.0f} days"
    return f"{days:.1f} days" if days >= 1 else f"{days * 24:.0f} hours"


def number_within(value: object, low: float, high: float) -> float | None:
    """``value``, a number or its text, as a float in [low, high]; None if it is none. For data from outside.

    NaN, infinity, booleans and numbers too large for a float are none.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    if isinstance(value, str) and len(value) > LONGEST_NUMBER:
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and low <= number <= high else None


def whole_within(value: object, low: int, high: int) -> int | None:
    """``value``, an int or plain digits, as an int in [low, high]; else None. For data from outside."""
    if isinstance(value, str):
        text = value.strip()
        if not (text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER):
            return None
        value = int(text)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if low <= value <= high else None


def estimate_sign(kind: str | None) -> str:
    """What stands before watts and joules of that kind: ``≈ `` for ``estimated``, else nothing."""
    return "≈ " if kind == "estimated" else ""


def power_text(power: PowerReading) -> str:
    """``5.4 W measured (INA3221)`` or ``≈ 6.1 W ±25 % estimated``: never a figure without its kind."""
    if power.kind == "measured":
        return f"{power.power_w:.1f} W measured ({power.source})"
    error = "" if power.error is None else f" ±{power.error * 100:.0f} %"
    return f"{estimate_sign(power.kind)}{power.power_w:.1f} W{error} estimated"
