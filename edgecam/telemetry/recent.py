"""Statistics for those who look many times a second."""

from __future__ import annotations

import threading

from edgecam.core.clock import now_ns
from edgecam.core.types import Stats
from edgecam.telemetry.collector import StatsCollector

#: An overlay shows rates and watts that are at most this old; fresher ones cannot be read anyway.
STATS_EVERY_NS = 250_000_000


class StatsCache:
    """The collector's snapshots, made anew at most every :data:`STATS_EVERY_NS`. Any thread."""

    def __init__(self, collector: StatsCollector) -> None:
        self._collector = collector
        self._lock = threading.Lock()
        self._kept: dict[str | None, tuple[int, Stats]] = {}

    def get(self, source: str | None = None) -> Stats:
        """Recent statistics, of all sources or of the one of that name."""
        now = now_ns()
        with self._lock:
            at_ns, stats = self._kept.get(source, (0, None))
            if stats is None or now - at_ns > STATS_EVERY_NS:
                stats = self._collector.snapshot(source)
                self._kept[source] = now, stats
            return stats
