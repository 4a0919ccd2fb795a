"""The newest lines of the log, for the page."""

from __future__ import annotations

import logging
import threading
from collections import deque
from dataclasses import dataclass

from edgecam.core.text import escape

LINES = 500
CHARS = 600


@dataclass(frozen=True, slots=True)
class Logged:
    """One record, as text."""

    created: float
    levelname: str
    name: str
    text: str


class LogRing(logging.Handler):
    """Keeps what the program logs, bounded in lines and in their length. Any thread."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._ring: deque[Logged] = deque(maxlen=LINES)
        self._guard = threading.Lock()

    def emit(self, record: logging.LogRecord) -> None:
        """Take one record."""
        try:
            text = escape(record.getMessage())[:CHARS]
        except Exception:
            self.handleError(record)
            return
        with self._guard:
            self._ring.append(Logged(record.created, record.levelname, record.name, text))

    def newest(self, count: int) -> list[Logged]:
        """The last ones, oldest first."""
        with self._guard:
            return list(self._ring)[-count:]

    def attach(self) -> None:
        """Begin to listen to the program's own loggers."""
        logging.getLogger("edgecam").addHandler(self)

    def detach(self) -> None:
        """Stop listening."""
        logging.getLogger("edgecam").removeHandler(self)
