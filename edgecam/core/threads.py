"""Threads with one owner and one way to stop."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable
from pathlib import Path

from edgecam.core.errors import EdgecamError


class OwnedThread:
    """Runs ``target`` and keeps what it raised, for its owner to re-raise.

    Not a daemon: the owner stops it (by whatever ``target`` listens to) and joins it. cpu: where it stays;
    None leaves that to the kernel. daemon: the end of the program does not wait for it, for one that waits
    for somebody else's server.
    """

    def __init__(
        self,
        name: str,
        target: Callable[[], None],
        on_end: Callable[[], None] | None = None,
        cpu: int | None = None,
        *,
        daemon: bool = False,
    ) -> None:
        self.error: BaseException | None = None
        self._target = target
        self._on_end = on_end
        self._cpu = cpu
        self._thread = threading.Thread(target=self._run, name=name, daemon=daemon)

    def _run(self) -> None:
        # for `top -H` and debuggers; Python does this itself from 3.14 on. The kernel keeps 15 bytes.
        with contextlib.suppress(OSError):
            Path("/proc/thread-self/comm").write_text(self._thread.name)
        if self._cpu is not None:
            with contextlib.suppress(OSError):  # it was taken away from the process: anywhere will do
                os.sched_setaffinity(0, {self._cpu})
        try:
            self._target()
        except BaseException as error:
            self.error = error
        finally:
            if self._on_end is not None:
                self._on_end()

    def start(self) -> None:
        """Start it. Once only."""
        self._thread.start()

    def join(self, timeout_s: float) -> None:
        """Wait for it to end; raises an error if it does not."""
        if self._thread.ident is None:
            return
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            raise EdgecamError(f"thread '{self._thread.name}' did not stop within {timeout_s:g} s")

    @property
    def alive(self) -> bool:
        """Whether it is still running."""
        return self._thread.is_alive()
