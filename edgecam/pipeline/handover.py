"""A place for one thing, from some threads to one other: what makes two steps run side by side."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

T = TypeVar("T")


class Handover(Generic[T]):
    """Passes things on in the order of their turns (0, 1, 2 …), whatever order they come in.

    ahead: so many things at most wait or are being dealt with; 1 has a giver wait until the last one is done.
    """

    def __init__(self, ahead: int = 1) -> None:
        self._changed = threading.Condition()
        self._ahead = ahead
        self._items: dict[int, T] = {}
        self._taken = 0
        self._done = 0
        self._closed = False

    def put(self, turn: int, item: T) -> bool:
        """Give ``item``, once few enough are before it; False if nobody takes any more."""
        with self._changed:
            while turn >= self._done + self._ahead and not self._closed:
                self._changed.wait()
            if self._closed:
                return False
            self._items[turn] = item
            self._changed.notify_all()
            return True

    def take(self) -> T | None:
        """Say that the last is done, and wait for the next; None once closed and the next is not there."""
        with self._changed:
            if self._done != self._taken:
                self._done = self._taken
                self._changed.notify_all()
            while self._taken not in self._items and not self._closed:
                self._changed.wait()
            item = self._items.pop(self._taken, None)
            self._taken += item is not None
            return item

    def close(self) -> None:
        """Nothing more comes, or nobody takes any more. Wakes all; what was put may still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
