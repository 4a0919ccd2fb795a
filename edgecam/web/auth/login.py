"""How often a password may be tried."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

#: Wrong tries that cost nothing; then each doubles the wait, up to the longest. Seconds.
FREE_TRIES = 5
FIRST_WAIT_S = 2.0
LONGEST_WAIT_S = 300.0
#: Wrong tries of all addresses together within a minute, beyond which everybody waits.
ALL_PER_MINUTE = 60
#: Addresses remembered; a forgotten one had waited longest.
ADDRESSES = 1000


class Attempts:
    """Counts wrong passwords by address. Any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._wrong: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._minute: list[float] = []

    def wait_s(self, address: str) -> float:
        """Seconds until that address may try again; 0 for now."""
        now = self._clock()
        with self._lock:
            self._minute = [at for at in self._minute if now - at < 60.0]
            if len(self._minute) >= ALL_PER_MINUTE:
                return 60.0 - (now - self._minute[0])
            count, at = self._wrong.get(address, (0, 0.0))
            if count < FREE_TRIES:
                return 0.0
            wait = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** (count - FREE_TRIES))
            return max(0.0, at + wait - now)

    def wrong(self, address: str) -> None:
        """Count a wrong password."""
        now = self._clock()
        with self._lock:
            count, _ = self._wrong.pop(address, (0, 0.0))
            self._wrong[address] = (count + 1, now)
            self._minute.append(now)
            while len(self._wrong) > ADDRESSES:
                self._wrong.popitem(last=False)

    def right(self, address: str) -> None:
        """Forget the wrong ones of an address, after the right one."""
        with self._lock:
            self._wrong.pop(address, None)
