"""Keeps only every second, third … frame where the board is too slow to encode all of them, and says so.

Otherwise the queue before the recorder fills up and whole bursts are lost, which is worse to look at and
worse as evidence.
"""

from __future__ import annotations

import logging

log = logging.getLogger(__name__)

#: Share of the time between frames that recording one may take before the rate is lowered …
TOO_BUSY = 0.9
#: … and the share below which, as projected, the next higher rate is tried again.
IDLE_ENOUGH = 0.65
WINDOW_S = 2.0
#: Seconds in the queue from which on only one in so many frames is kept.
LATE = ((0.4, 4), (0.2, 2))
#: After lowering, wait this many windows before trying more again.
PATIENCE = 5
LOWEST = 8


class Pace:
    """Decides which frames of a live source are encoded. One thread."""

    def __init__(self) -> None:
        self.every = 1
        self.skipped = 0
        self._since_kept = 0
        self._start_ns: int | None = None
        self._busy_s = 0.0
        self._calm = 0

    def keep(self, waited_s: float = 0.0) -> bool:
        """Whether the next frame is to be encoded. ``waited_s``: how long it stood in the queue before us.

        A queue that has grown long is worked off by keeping every second or fourth frame: what stands in it
        when the program is killed is lost.
        """
        stride = self.every * next((n for limit_s, n in LATE if waited_s > limit_s), 1)
        self._since_kept += 1
        if self._since_kept < stride:
            self.skipped += 1
            return False
        self._since_kept = 0
        return True

    def spent(self, busy_s: float, at_ns: int) -> None:
        """Say that recording the frame captured at ``at_ns`` took ``busy_s`` seconds of wall time."""
        if self._start_ns is None or at_ns < self._start_ns:
            self._start_ns, self._busy_s = at_ns, 0.0
            return
        self._busy_s += busy_s
        elapsed_s = (at_ns - self._start_ns) / 1e9
        if elapsed_s < WINDOW_S:
            return
        share = self._busy_s / elapsed_s
        self._start_ns, self._busy_s = at_ns, 0.0
        if share > TOO_BUSY and self.every < LOWEST:
            self._calm = 0
            self._set(self.every + 1, share)
        elif self.every > 1 and share * self.every / (self.every - 1) < IDLE_ENOUGH:
            self._calm += 1
            if self._calm >= PATIENCE:
                self._calm = 0
                self._set(self.every - 1, share)
        else:
            self._calm = 0

    def _set(self, every: int, share: float) -> None:
        self.every = every
        if every == 1:
            log.warning("recording: every frame is kept again")
        else:
            log.warning(
                "recording: this board is too slow for every frame (%.0f %% of the time went into recording);"
                " the clip keeps one in %d from here",
                share * 100,
                every,
            )
