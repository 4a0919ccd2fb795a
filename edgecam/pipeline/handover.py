"""A place for one thing, from one thread to another: what makes two steps run side by side."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

T = TypeVar("T")


class Handover(Generic[T]):
    """Passes things on in order, one at a time: the next is taken in once the last has been dealt with.

    So the giver is at most one thing ahead of the taker.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._item: T | None = None
        self._busy = False
        self._closed = False

    def put(self, item: T) -> bool:
        """Wait until the taker is free, then give it ``item``; False if nobody takes any more."""
        with self._changed:
            while self._busy and not self._closed:
                self._changed.wait()
            if self._closed:
                return False
            self._item, self._busy = item, True
            self._changed.notify_all()
            return True

    def take(self) -> T | None:
        """Say that the last thing is done, and wait for the next; None once closed and empty."""
        with self._changed:
            if self._item is None and self._busy:
                self._busy = False
                self._changed.notify_all()
            while self._item is None and not self._closed:
                self._changed.wait()
            item, self._item = self._item, None
            return item

    def close(self) -> None:
        """Nothing more comes, or nobody takes any more. Wakes both sides; what was put may still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
