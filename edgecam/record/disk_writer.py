"""The thread that writes: a slow memory card holds this thread up, never the encoder."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable

from edgecam.core.errors import RecordError

log = logging.getLogger(__name__)

#: Bytes that may wait for a slow disk: more than a minute of 720p at 15 fps, where cards stall for seconds.
PENDING_BYTES = 32 * 2**20


class DiskThread:
    """Runs jobs in order. Owned by one recorder, which closes it.

    A job looks after its own OSErrors (a full disk is not a defect); anything else it raises is kept and
    raised again by the next :meth:`submit` or by :meth:`close`.
    """

    def __init__(self, name: str = "disk", pending_bytes: int = PENDING_BYTES) -> None:
        self.pending_limit = pending_bytes
        self._jobs: deque[tuple[Callable[[], None], int]] = deque()
        self._pending = 0
        self._busy = False
        self._ending = False
        self._error: BaseException | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name=name)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def submit(self, job: Callable[[], None], nbytes: int = 0) -> None:
        """Queue a job that holds ``nbytes`` of memory. Never waits; ask :meth:`wait_for_space` before."""
        with self._changed:
            self._raise()
            self._jobs.append((job, nbytes))
            self._pending += nbytes
            self._changed.notify_all()

    def wait_for_space(self, timeout_s: float) -> bool:
        """Whether the backlog is below its limit, at once or within ``timeout_s``."""
        with self._changed:
            return self._changed.wait_for(lambda: self._pending < self.pending_limit, timeout_s)

    def wait_idle(self, timeout_s: float) -> bool:
        """Whether every job was done within ``timeout_s``."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._jobs and not self._busy, timeout_s)

    def close(self, timeout_s: float) -> None:
        """Do what is queued, end the thread, and raise what a job died of.

        Raises RecordError if the disk does not take the rest within ``timeout_s``; what is on it stays
        playable, and the thread ends when the disk answers.
        """
        with self._changed:
            self._ending = True
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
            if self._thread.is_alive():
                with self._changed:
                    waiting = self._pending
                    self._jobs.clear()
                raise RecordError(
                    f"the disk did not take the last {waiting / 1e6:.1f} MB of the clip within {timeout_s:g}"
                    " s; the clip so far is playable and is finished at the next start"
                )
        with self._changed:
            self._raise()

    def _raise(self) -> None:
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._jobs) or self._ending)
                if not self._jobs:
                    return
                job, nbytes = self._jobs.popleft()
                self._busy = True
            try:
                job()
            except BaseException as error:
                log.debug("disk job failed", exc_info=error)
                with self._changed:
                    self._error = self._error or error
            finally:
                with self._changed:
                    self._pending -= nbytes
                    self._busy = False
                    self._changed.notify_all()
