"""Pre-roll: the last seconds as encoded packets, in memory. Costs hardly anything and writes nothing."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator

from edgecam.media.packets import PacketGroup

log = logging.getLogger(__name__)

#: A minute of 1080p at 8 Mbit/s. Beyond it, the pre-roll gets shorter, and the log says so once.
RING_BYTES = 64 * 2**20


class PacketRing:
    """The newest packet groups, from a key frame on, bounded in time and in bytes. One thread.

    It holds at least ``span_ticks`` and at most one key-frame interval more, once that much was recorded.
    """

    def __init__(self, span_ticks: int, max_bytes: int = RING_BYTES) -> None:
        self.span_ticks = span_ticks
        self.max_bytes = max_bytes
        self.nbytes = 0
        self._groups: deque[PacketGroup] = deque()
        self._keys: deque[PacketGroup] = deque()
        self._told = False

    def push(self, group: PacketGroup) -> None:
        """Append, and let go of what is too old."""
        if group.key:
            self._keys.append(group)
        elif not self._keys:
            return  # nothing can begin before a key frame
        self._groups.append(group)
        self.nbytes += group.nbytes
        while len(self._keys) > 1 and group.pts - self._keys[1].pts >= self.span_ticks:
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
        while self._groups[0] is not first:
            self.nbytes -= self._groups.popleft().nbytes

    def clear(self) -> None:
        """Forget everything."""
        self._groups.clear()
        self._keys.clear()
        self.nbytes = 0

    @property
    def first(self) -> PacketGroup | None:
        """The oldest group, a key frame."""
        return self._groups[0] if self._groups else None

    def after(self, number: int) -> Iterator[PacketGroup]:
        """Groups later than ``number``, oldest first."""
        return (group for group in self._groups if group.number > number)
