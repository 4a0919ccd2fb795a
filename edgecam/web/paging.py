"""One page of a list, newest first: it never ends between rows that began at the same time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")

#: A page is lengthened to so many rows at most, for rows that began at the same time.
MOST = 5000


def whole_page(
    newest: Callable[[int], Sequence[T]], limit: int, start: Callable[[T], float]
) -> tuple[list[T], float | None]:
    """The ``limit`` newest rows and those that began with the last of them; and before which time the next
    page goes on, None at the end. newest: so many rows, newest first; start: when a row began.
    """
    asked = limit + 1
    found = newest(asked)
    while len(found) == asked < MOST and start(found[-1]) == start(found[limit - 1]):
        asked = min(2 * asked, MOST)
        found = newest(asked)
    if len(found) <= limit:
        return list(found), None
    last = start(found[limit - 1])
    page = [row for row in found if start(row) >= last]
    return page, last if len(page) < len(found) or len(found) >= MOST else None
