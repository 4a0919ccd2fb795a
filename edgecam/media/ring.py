"""Pre-roll: the last seconds as encoded packets, in memory. Costs about nothing and writes nothing."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator

from edgecam.media.packets import Moment

log = logging.getLogger(__name__)

#: A minute of 1080p at 8 Mbit/s. Beyond it, the pre-roll gets shorter, and the log says so once.
RING_BYTES = 64 * 2**20


class PacketRing:
    """The newest moments, from a key frame on, bounded in time and in bytes. One thread.

    It holds at least ``span_ticks`` and at most one key-frame interval more, once that much was recorded.
    """

    def __init__(self, span_ticks: int, max_bytes: int = RING_BYTES) -> None:
        self.span_ticks = span_ticks
        self.max_bytes = max_bytes
        self.nbytes = 0
        self._moments: deque[Moment] = deque()
        self._keys: deque[Moment] = deque()
        self._told = False

    def push(self, moment: Moment) -> None:
        """Append, and let go of what is too old."""
        if moment.key:
            self._keys.append(moment)
        elif not self._keys:
            return  # nothing can begin before a key frame
        self._moments.append(moment)
        self.nbytes += moment.nbytes
        while len(self._keys) > 1 and moment.pts - self._keys[1].pts >= self.span_ticks:
            self._drop_group()
        while len(self._keys) > 1 and self.nbytes > self.max_bytes:
            if not self._told:
                self._told = True
                log.warning("pre-roll is cut short: it may hold %.0f MB", self.max_bytes / 1e6)
            self._drop_group()

    def _drop_group(self) -> None:
        """Forget everything before the second key frame."""
        self._keys.popleft()
        first = self._keys[0]
        while self._moments[0] is not first:
            self.nbytes -= self._moments.popleft().nbytes

    def clear(self) -> None:
        """Forget everything."""
        self._moments.clear()
        self._keys.clear()
        self.nbytes = 0

    @property
    def first(self) -> Moment | None:
        """The oldest moment, a key frame."""
        return self._moments[0] if self._moments else None

    def after(self, number: int) -> Iterator[Moment]:
        """Moments later than ``number``, oldest first."""
        return (moment for moment in self._moments if moment.number > number)
