"""Days and hours at which a rule holds: ``mon-fri``, ``22:00-06:00``, in the board's own time zone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timezone

from edgecam.core.errors import ConfigError, suggest

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS = re.compile(r"(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})")
_DAY_MINUTES = 24 * 60


class Schedule:
    """Minutes of the week at which something holds. Empty ``days`` or ``hours``: always.

    Hours over midnight belong to the day on which they begin. Raises ConfigError, beginning with ``what``.
    """

    def __init__(self, days: Sequence[str], hours: Sequence[str], what: str) -> None:
        self.always = not days and not hours
        self._days = frozenset(range(7)) if not days else frozenset(_days(days, what))
        self._spans = [_span(text, what) for text in hours] or [(0, _DAY_MINUTES)]
        self._minute = -1
        self._answer = True

    def holds(self, wall_ms: int) -> bool:
        """Whether it holds at a wall time (milliseconds since 1970, UTC)."""
        if self.always:
            return True
        minute = wall_ms // 60_000
        if minute != self._minute:
            self._minute = minute
            local = datetime.fromtimestamp(minute * 60, timezone.utc).astimezone()
            at, day = local.hour * 60 + local.minute, local.weekday()
            self._answer = any(
                (start <= at < end and day in self._days)
                or (end > _DAY_MINUTES and at < end - _DAY_MINUTES and (day - 1) % 7 in self._days)
                for start, end in self._spans
            )
        return self._answer


def _days(words: Sequence[str], what: str) -> list[int]:
    found: list[int] = []
    for word in words:
        first, _, last = word.strip().lower().partition("-")
        for name in (first, last or first):
            if name not in DAYS:
                raise ConfigError(
                    f"{what}: '{name}' is no day{suggest(name, DAYS) or '; write mon, tue … or mon-fri'}"
                )
        start, end = DAYS.index(first), DAYS.index(last or first)
        found += [day % 7 for day in range(start, end + 1 if end >= start else end + 8)]
    return found


def _span(text: str, what: str) -> tuple[int, int]:
    match = _HOURS.fullmatch(text.strip())
    if match is None:
        raise ConfigError(f"{what}: '{text}' is not a span of hours; write 08:00-18:00 or 22:00-06:00")
    h1, m1, h2, m2 = (int(group) for group in match.groups())
    start, end = h1 * 60 + m1, h2 * 60 + m2
    if not (start <= _DAY_MINUTES and end <= _DAY_MINUTES and m1 < 60 and m2 < 60) or start == end:
        raise ConfigError(f"{what}: '{text}' is not a span of hours; write 08:00-18:00 or 22:00-06:00")
    return start, end if end > start else end + _DAY_MINUTES
