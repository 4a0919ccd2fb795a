"""A progress bar for whatever takes longer than a moment."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

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
        self._title = title
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._drawn: tuple[float, str] = (0.0, "")

    def show(self, done: int, total: int, what: str = "") -> None:
        """Move the bar; ``done == total`` takes it away."""
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

    def _begin(self) -> Progress:
        # here, since it takes a tenth of a second to import, and who shows nothing need not wait
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        console = Console(stderr=True)
        return Progress(
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
