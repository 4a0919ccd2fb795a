"""Power, heat and rates over the last hours, for the plots: a ring of one sample every ten seconds."""

from __future__ import annotations

import threading
import time
from array import array

from edgecam.core.state import State

EVERY_S = 10.0
#: Twelve hours: 4320 rows of seven floats, 120 kB.
ROWS = 4320
NAMES = ("time", "power_w", "temperature_c", "cpu_percent", "inference_fps", "frame_age_ms", "free_bytes")
_NONE = float("nan")


class History:
    """Samples of the whole board. Any thread.

    Their ages are kept by a clock that nobody sets, so that they stay in order when the board's clock is set.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._columns = [array("d") for _ in NAMES]
        self._at = 0
        self._due_s = 0.0

    def add(self, state: State, at_s: float | None = None) -> None:
        """Take a sample if one is due. at_s: by ``time.monotonic``, now if left out."""
        at_s = time.monotonic() if at_s is None else at_s
        if at_s < self._due_s:
            return
        stats = state.stats
        free = [r.free_bytes for r in state.recorders if r.free_bytes is not None]
        row = (
            at_s,
            stats.power.power_w if stats.power else _NONE,
            _or_nan(stats.health.temperature_c),
            _or_nan(stats.health.cpu_percent),
            stats.inference_fps,
            stats.frame_age.p50_ms if stats.frame_age else _NONE,
            float(min(free)) if free else _NONE,
        )
        with self._lock:
            self._due_s = at_s + EVERY_S
            for column, value in zip(self._columns, row, strict=True):
                if len(column) < ROWS:
                    column.append(value)
                else:
                    column[self._at] = value
            self._at = (self._at + 1) % ROWS

    def rows(self, last_s: float, most: int = 720) -> dict[str, list[float | None]]:
        """Columns by name of the last seconds, oldest first, thinned to ``most`` rows; None where nothing was
        measured. Times are in seconds since 1970, by the clock as it is now.
        """
        with self._lock:
            count = len(self._columns[0])
            start = self._at if count == ROWS else 0
            order = [(start + i) % count for i in range(count)] if count else []
            columns = [[column[i] for i in order] for column in self._columns]
        now_s = time.monotonic()
        first = next((i for i, at in enumerate(columns[0]) if at >= now_s - last_s), len(columns[0]))
        columns[0] = [at + time.time() - now_s for at in columns[0]]
        step = max(1, -(-(len(columns[0]) - first) // most))
        return {
            name: [None if value != value else round(value, 2) for value in column[first::step]]
            for name, column in zip(NAMES, columns, strict=True)
        }


def _or_nan(value: float | None) -> float:
    return _NONE if value is None else value
