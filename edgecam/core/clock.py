"""Time. One monotonic clock for everything that is measured; wall time only for names and people."""

from __future__ import annotations

import time
from datetime import datetime, timezone

now_ns = time.monotonic_ns


def wall_time(at_ns: int) -> datetime:
    """The UTC wall time of a monotonic instant, by the offset between the two clocks right now."""
    offset_ns = time.time_ns() - time.monotonic_ns()
    return datetime.fromtimestamp((at_ns + offset_ns) / 1e9, tz=timezone.utc)


def isoformat_ms(when: datetime) -> str:
    """``2026-11-20T10:00:00.123Z``."""
    return when.strftime("%Y-%m-%dT%H:%M:%S.") + f"{when.microsecond // 1000:03d}Z"


def from_ms(wall_ms: int) -> datetime:
    """Milliseconds since 1970 as UTC time, without rounding."""
    return datetime.fromtimestamp(wall_ms // 1000, tz=timezone.utc).replace(microsecond=wall_ms % 1000 * 1000)


def to_ms(text: str) -> int:
    """The milliseconds since 1970 of what :func:`isoformat_ms` wrote. Raises ValueError."""
    when = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return int(when.replace(microsecond=0).timestamp()) * 1000 + when.microsecond // 1000
