"""One viewer of live pictures: the newest wins, and one that does not keep up costs nobody anything.

Belongs to the server's loop.
"""

from __future__ import annotations

import asyncio
from collections import deque

#: Messages that wait for one viewer. More would only be older.
WAITING = 3
#: Messages that a viewer who tells what it has shown may be behind.
UNSEEN = 40


class Viewer:
    """The slot that a channel fills and one connection empties."""

    def __init__(self, *, needs_key: bool) -> None:
        self.dropped = 0
        self.sent = 0
        self.closed = False
        self._video = needs_key
        self._wants_key = needs_key
        self._waiting: deque[bytes] = deque()
        self._ready = asyncio.Event()
        self._unseen: int | None = None

    @property
    def wants_key(self) -> bool:
        """Whether the next message must be a beginning, and there is room for it."""
        return self._wants_key and not self._behind() and not self.closed

    def _behind(self) -> bool:
        return len(self._waiting) >= WAITING or (self._unseen is not None and self._unseen >= UNSEEN)

    def offer(self, key: bool, message: bytes) -> None:
        """A new message for all viewers; taken, or dropped and counted."""
        if self.closed:
            return
        if self._behind():
            # what waits is older than what comes: a video begins again at a key frame, a picture stands alone
            self.dropped += len(self._waiting)
            self._waiting.clear()
            self._wants_key = self._video
        if (self._wants_key and not key) or self._behind():
            self.dropped += 1
            return
        self._wants_key = False
        self._waiting.append(message)
        self._ready.set()

    def seen(self) -> None:
        """Note that the viewer has shown all that was sent so far, or nearly."""
        self._unseen = 0

    def close(self) -> None:
        """End: nothing more comes."""
        self.closed = True
        self._ready.set()

    async def next(self) -> bytes | None:
        """The next message; None at the end. One caller."""
        while not self._waiting:
            if self.closed:
                return None
            self._ready.clear()
            await self._ready.wait()
        self.sent += 1
        if self._unseen is not None:
            self._unseen += 1
        return self._waiting.popleft()
