"""What to do while the disk refuses: say it once, try again now and then, say when it is over."""

from __future__ import annotations

import errno
import logging
import threading
import time

from edgecam.host.disk import disk_space
from edgecam.media.encoder import TICKS_PER_S
from edgecam.record.clip import Clip
from edgecam.record.options import Target

log = logging.getLogger(__name__)

#: How often a refusing disk is tried again.
RETRY_S = 1.0
#: Space that must be free before recording resumes, so that it does not stumble at once: seconds of video
#: at 720p, and enough for the end of the file before.
NEEDED_BYTES = 2 * 2**20
#: This much recorded after a failure means that the failure is over.
SETTLED_TICKS = TICKS_PER_S


class DiskFault:
    """The recorder's view of its disk. One thread, but for ``message`` and the count of what is lost."""

    def __init__(self, target: Target) -> None:
        self.message = ""
        self._lost: dict[str, int] = {}
        self._counting = threading.Lock()
        self._target = target
        self._retry_s = 0.0
        self._lost_before = 0
        self._good_since: int | None = None

    @property
    def lost(self) -> int:
        """Frames that could not be recorded so far."""
        with self._counting:
            return sum(self._lost.values())

    def lose(self, frames: int, why: str) -> None:
        """Count frames that could not be recorded, by reason."""
        with self._counting:
            self._lost[why] = self._lost.get(why, 0) + frames

    def reasons(self) -> dict[str, int]:
        """Frames lost, by reason."""
        with self._counting:
            return dict(self._lost)

    def failed(self, error: OSError) -> None:
        """Writing failed. Says so, unless that is known already."""
        self.refuse(_explain(error, self._target))

    def refuse(self, message: str) -> None:
        """Do not record until there is space again; ``message`` says why."""
        self._retry_s = time.monotonic() + RETRY_S
        self._good_since = None
        if not self.message:
            self._lost_before = self.lost
            log.error("recording stopped: %s; it resumes by itself, and what was written is kept", message)
        self.message = message

    def due(self) -> bool:
        """Whether it is time to try again; asking starts the next wait."""
        now_s = time.monotonic()
        if now_s < self._retry_s:
            return False
        self._retry_s = now_s + RETRY_S
        return True

    def may_begin(self) -> bool:
        """Whether a clip may be begun: no fault, or it is time to try again and there is space."""
        return not self.message or (self.due() and self._has_space())

    def _has_space(self) -> bool:
        try:
            if self._target.device != self._target.folder.stat().st_dev:
                return False
            disk = disk_space(self._target.folder)
            self._target.probe()
        except OSError:
            return False
        return disk.free >= min(NEEDED_BYTES, disk.size // 8)

    def settle(self, clip: Clip | None) -> None:
        """Say that it is over once clips have grown for a while."""
        if not self.message or clip is None or clip.failed is not None:
            return
        if self._good_since is None:
            self._good_since = clip.first.pts
        if clip.last.pts - self._good_since >= SETTLED_TICKS:
            self.message = ""
            log.warning("recording again; %d frames were lost meanwhile", self.lost - self._lost_before)


def _explain(error: OSError, target: Target) -> str:
    folder = target.folder
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk of '{folder}' is full"
    if error.errno in (errno.ENOENT, errno.ENODEV):
        return f"the folder '{folder}' has gone (was its disk removed?)"
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return f"'{folder}' can no longer be written: {error.strerror}"
    return f"the disk of '{folder}' reports: {error.strerror or error}"
