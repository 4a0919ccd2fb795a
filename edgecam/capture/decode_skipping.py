"""Which pictures need no decoding, because a newer one will be there before anybody is free to look."""

from __future__ import annotations

from collections import deque

from edgecam.core.clock import now_ns
from edgecam.core.ports import BusyFor

#: So many gaps between pictures, and decodings, are remembered; their median is what the next is expected to
#: take. The longest would be safe, but skip hardly anything where pictures come unevenly
#: (docs/appendix/performance-log.md).
RECENT = 8


class DecodeSkipping:
    """Of one live source, for the one thread that decodes its pictures; the owner may set ``busy_for``.

    A camera that is faster than the network has most of its pictures replaced by newer ones: decoding those
    would take time from the network for nothing. One is passed over if the next will most likely have come,
    and have been decoded, before the network is free.

    busy_for: see :data:`edgecam.core.ports.BusyFor`; None decodes everything. count: pictures passed over.
    """

    def __init__(self) -> None:
        self.busy_for: BusyFor | None = None
        self.count = 0
        self._came_ns: int | None = None
        self._gaps: deque[int] = deque(maxlen=RECENT)
        self._decodings: deque[int] = deque(maxlen=RECENT)

    def passes_over(self, came_ns: int) -> bool:
        """Whether to leave the picture that came at ``came_ns`` undecoded, which is counted then.

        To be asked once for every picture, at once.
        """
        last, self._came_ns = self._came_ns, came_ns
        if last is not None:
            self._gaps.append(came_ns - last)
        busy_for = self.busy_for
        if busy_for is None or len(self._gaps) < RECENT or len(self._decodings) < RECENT:
            return False
        if not busy_for(_median(self._gaps) + _median(self._decodings)):
            return False
        self.count += 1
        return True

    def decoded(self, since_ns: int) -> None:
        """A picture was decoded, from ``since_ns`` until now."""
        self._decodings.append(now_ns() - since_ns)


def _median(times_ns: deque[int]) -> int:
    """The lower median of a full window. (The statistics module takes a while to import.)"""
    return sorted(times_ns)[RECENT // 2 - 1]
