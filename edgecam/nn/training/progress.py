"""One line on the terminal that says how far a long job is; a line every few seconds where there is none."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TextIO

#: Called with what is being done, how many are done, and of how many.
Progress = Callable[[str, int, int], None]


def silent(_what: str, _done: int, _of: int) -> None:
    """Shows nothing."""


#: Between two updates of the line, and between two lines where the output is no terminal.
LINE_S, LOG_S = 0.2, 10.0


class ProgressLine:
    """Called with (what, done, of); shows share, rate and the time left. Use as a context manager."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._live = self._stream.isatty()
        self._what = ""
        self._started = self._shown = 0.0
        self._first = 0

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(self, *_: object) -> None:
        if self._live and self._what:
            self._stream.write("\n")
            self._stream.flush()

    def __call__(self, what: str, done: int, of: int) -> None:
        """Show that ``done`` of ``of`` are done; cheap when called often."""
        now = time.monotonic()
        kind = what.split(",", 1)[0]
        if kind != self._what:
            if self._live and self._what:
                self._stream.write("\n")
            self._what, self._started, self._first, self._shown = kind, now, done, 0.0
        if done < of and now - self._shown < (LINE_S if self._live else LOG_S):
            return
        self._shown = now
        elapsed, steps = now - self._started, done - self._first
        left = f", {_span(elapsed / steps * (of - done))} left" if steps and done < of else ""
        text = f"{what}: {done}/{of} ({100 * done // max(of, 1)} %){left}"
        self._stream.write(f"\r\x1b[K{text}" if self._live else f"{text}\n")
        self._stream.flush()


def _span(seconds: float) -> str:
    whole = int(seconds)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 60} min {whole % 60} s" if whole >= 60 else f"{whole} s"
