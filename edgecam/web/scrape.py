"""``/api/metrics``: the figures that ``--metrics`` serves, behind the page's log-in."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from edgecam.core.errors import MissingExtraError
from edgecam.core.events import Event
from edgecam.core.state import State
from edgecam.core.types import Result
from edgecam.outputs.metrics import MetricsOutput


class Scrape:
    """Begins to count at the first scrape, so that a page without Prometheus costs nothing. Any thread.

    waiting: how many events wait for each output.
    """

    def __init__(self, state: Callable[[], State], waiting: Callable[[], Mapping[str, int]] = dict) -> None:
        self._state, self._waiting = state, waiting
        self._lock = threading.Lock()
        self._metrics: MetricsOutput | None = None

    def observe(self, result: Result) -> None:
        """Count a result, if anybody has asked yet."""
        if self._metrics is not None:
            self._metrics.observe(result)

    def write(self, event: Event) -> None:
        """Count an event, likewise."""
        if self._metrics is not None:
            self._metrics.write(event)

    def text(self) -> bytes | None:
        """The page for Prometheus; None without the package prometheus-client."""
        with self._lock:
            if self._metrics is None:
                try:
                    self._metrics = MetricsOutput(("127.0.0.1", 0), self._state, self._waiting)
                except MissingExtraError:
                    return None
        from prometheus_client import generate_latest

        return bytes(generate_latest(self._metrics.registry))
