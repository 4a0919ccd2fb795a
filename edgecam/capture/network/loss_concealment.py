"""After damage, pictures are held back until one is whole again: no smear of old and new is shown as new."""

from __future__ import annotations

import logging

from av.video.frame import VideoFrame

from edgecam.core.clock import now_ns

log = logging.getLogger(__name__)

# A camera whose key pictures are further apart than this is shown all the same, for silence would count as
# its loss. Cameras send one every one or two seconds by default.
HOLD_BACK_S = 2.0


class LossConcealment:
    """Judges a stream's pictures, before and after decoding. One thread.

    Damage is told once per stream. longest_s: a stream that is silent for so long counts as lost.
    """

    def __init__(self, name: str, longest_s: float) -> None:
        self._name = name
        self._hold_back_ns = int(min(HOLD_BACK_S, longest_s / 2) * 1e9)
        self._broken_since_ns: int | None = None
        self._flagged_since_ns: int | None = None
        self._told = False

    def broken(self, why: str = "") -> None:
        """Something is missing or wrong from here on. why: for people; empty if it needs no telling."""
        if self._broken_since_ns is None:
            self._broken_since_ns = now_ns()
        if why and not self._told:
            self._told = True
            log.warning("%s: %s; waiting for the next key picture", self._name, why)

    def clean(self) -> None:
        """A picture came out of the decoder as it went in."""
        self._flagged_since_ns = None

    def admits(self, key: bool) -> bool:
        """Whether to decode this picture: not before a key picture has repaired the damage."""
        if self._broken_since_ns is None:
            return True
        if not key and now_ns() - self._broken_since_ns < self._hold_back_ns:
            return False
        self._broken_since_ns = None
        return True

    def is_clean(self, frame: VideoFrame) -> bool:
        """Whether to show a decoded picture: not if the decoder had to invent parts of it.

        A camera whose every picture is flagged is believed after a while: then the flag means nothing there.
        """
        if not frame.is_corrupt:
            self.clean()
            return True
        now = now_ns()
        if self._flagged_since_ns is None:
            self._flagged_since_ns = now
        if now - self._flagged_since_ns >= self._hold_back_ns:
            return True
        self.broken("damaged data")
        return False
