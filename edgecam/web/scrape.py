"""``/api/metrics``: the figures that ``--metrics`` serves, behind the page's log-in."""

from __future__ import annotations

import threading
from collections.abc import Callable

from edgecam.core.errors import MissingExtraError
from edgecam.core.state import State
from edgecam.core.types import Result
from edgecam.outputs.metrics import MetricsOutput


class Scrape:
    """Begins to count at the first scrape, so that a page without Prometheus costs nothing. Any thread."""

    def __init__(self, state: Callable[[], State]) -> None:
        self._state = state
        self._lock = threading.Lock()
        self._metrics: MetricsOutput | None = None

    def observe(self, result: Result) -> None:
        """Count a result, if anybody has asked yet."""
        if self._metrics is not None:
            self._metrics.observe(result)

    def text(self) -> bytes | None:
        """The page for Prometheus; None without the package prometheus-client."""
        with self._lock:
            if self._metrics is None:
                try:
                    self._metrics = MetricsOutput(("127.0.0.1", 0), self._state)
                except MissingExtraError:
                    return None
        from prometheus_client import generate_latest

        return bytes(generate_latest(self._metrics.registry))
