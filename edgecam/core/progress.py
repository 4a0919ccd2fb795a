"""How far a long job is, on the terminal: a bar for seconds, and lines for minutes and hours."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

from edgecam.core.text import escape

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

#: Drawn again at most so often, unless something else is done now.
EVERY_S = 0.1
#: Told how much is done, of how much (0: not known), and what is done now.
ShowProgress = Callable[[int, int, str], None]


class ProgressBar:
    """A bar on a terminal (standard error); nothing elsewhere. One thread.

    It stands from the first :meth:`show` until all is done, and again if it goes on with something else; for
    ``contextlib.closing``. It is drawn when it is moved, at most every :data:`EVERY_S`, and by no thread,
    which would disturb what is measured.
    """

    def __init__(self, title: str) -> None:
        self._title = escape(title, 200)
        self._bar: RichProgress | None = None
        self._task: TaskID | None = None
        self._drawn: tuple[float, str] = (0.0, "")

    def show(self, done: int, total: int, what: str = "") -> None:
        """Move the bar; ``done == total`` takes it away."""
        what = escape(what, 200)
        if total and done >= total:
            self.close()
            return
        if self._bar is None:
            self._bar = self._begin()
            self._task = self._bar.add_task("", total=None)
            self._bar.start()
        assert self._task is not None
        self._bar.update(self._task, completed=done, total=total or None, description=what)
        at_s = time.monotonic()
        if what != self._drawn[1] or at_s - self._drawn[0] >= EVERY_S:
            self._bar.refresh()
            self._drawn = (at_s, what)

    def _begin(self) -> RichProgress:
        # here, since it takes a tenth of a second to import, and who shows nothing need not wait
        from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        from edgecam.core.console import console as make_console

        console = make_console(stderr=True)
        return RichProgress(
            TextColumn(self._title, markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.description}", markup=False),
            console=console,
            disable=not console.is_terminal,
            transient=True,
            auto_refresh=False,
        )

    def close(self) -> None:
        """Take the bar away. Idempotent."""
        bar, self._bar = self._bar, None
        if bar is not None:
            bar.stop()


def counting(console: Console) -> RichProgress:
    """A bar for tasks done out of all, with the time left; its task's description stands behind."""
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    what = TextColumn("{task.description}", markup=False)
    return RichProgress(
        BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), what, console=console, transient=True
    )


def downloading() -> RichProgress:
    """A bar for a download, on standard output: bytes, their rate and the time left."""
    from rich.progress import BarColumn, DownloadColumn, TimeRemainingColumn, TransferSpeedColumn
    from rich.progress import Progress as RichProgress

    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    return RichProgress("{task.description}", *columns, transient=True)


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
