"""One try to open a camera again, which may hang."""

from __future__ import annotations

import threading
from collections.abc import Callable

from edgecam.core.ports import Source

# Closing a dead USB camera waits for its control transfers, which the kernel gives up after five seconds.
_CLOSE_S = 10.0


class Attempt:
    """One try to open, on a thread of its own: opening a dead camera can hang.

    The thread belongs to the attempt. If the attempt is given up, whatever the thread still opens it closes.
    """

    def __init__(self, opener: Callable[[], Source], name: str, after: threading.Thread | None) -> None:
        self._opener = opener
        self._after = after
        self._lock = threading.Lock()
        self._given_up = False
        self.done = threading.Event()
        self.source: Source | None = None
        self.error: Exception | None = None
        self.thread = threading.Thread(target=self._run, name=f"reopen {name}", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            if self._after is not None:
                self._after.join(_CLOSE_S)  # the device must be free first
            source = self._opener()
        except Exception as error:  # handed to the owner, which judges it
            self.error = error
        else:
            with self._lock:
                if not self._given_up:
                    self.source = source
            if self.source is None:
                source.close()
        finally:
            self.done.set()

    def give_up(self) -> None:
        """The owner gives the attempt up: a source that it opened, or still opens, is closed."""
        with self._lock:
            self._given_up = True
            source, self.source = self.source, None
        if source is not None:
            source.close()
