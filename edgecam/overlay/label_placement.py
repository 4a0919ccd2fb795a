"""Finds a place for every label: inside the picture, and not on another one."""

from __future__ import annotations

from collections.abc import Iterable

from edgecam.overlay.scene import View

Rect = tuple[int, int, int, int]  # x, y, w, h


class LabelPlacement:
    """Rectangles taken so far, and the search for a free one.

    taken: better not covered. clear: never covered.
    """

    def __init__(self, view: View, taken: Iterable[Rect] = (), clear: Iterable[Rect] = ()) -> None:
        self._view = view
        self._taken = [(x, y, x + w, y + h) for x, y, w, h in taken]
        self._clear = [(x, y, x + w, y + h) for x, y, w, h in clear]

    def put(self, box: Rect, wh: tuple[int, int]) -> tuple[int, int] | None:
        """Takes the best place for a label of size ``wh`` at ``box``; returns its corner.

        Above the box if free, else inside it, beneath it, at its right; else where it overlaps least. None
        where each place would cover what must stay clear. The label must fit into the view.
        """
        x, y, w, h = box
        lw, lh = wh
        places = [
            self._clamped(px, py, wh)
            for px, py in (
                (x, y - lh),
                (x, y),
                (x, y + h),
                (x, y + h - lh),
                (x + w - lw, y - lh),
                (x + w - lw, y),
                (x + w - lw, y + h),
            )
        ]
        best, least = places[0], -1
        for place in self._with_slides(places, lh):
            if self._clear and self._overlap(place, wh, self._clear):
                continue
            overlap = self._overlap(place, wh, self._taken)
            if least < 0 or overlap < least:
                best, least = place, overlap
            if overlap == 0:
                break
        if least < 0:
            return None
        self._taken.append((best[0], best[1], best[0] + lw, best[1] + lh))
        return best

    def _with_slides(self, places: list[tuple[int, int]], lh: int) -> Iterable[tuple[int, int]]:
        yield from places
        x, y = places[1]
        last = self._view.y + self._view.h - lh
        for step in range(1, 9):
            for down in (step, -step):
                if self._view.y <= y + down * lh <= last:
                    yield x, y + down * lh

    def _clamped(self, x: int, y: int, wh: tuple[int, int]) -> tuple[int, int]:
        view = self._view
        return (
            max(view.x, min(x, view.x + view.w - wh[0])),
            max(view.y, min(y, view.y + view.h - wh[1])),
        )

    @staticmethod
    def _overlap(place: tuple[int, int], wh: tuple[int, int], others: Iterable[Rect]) -> int:
        x, y = place
        right, low = x + wh[0], y + wh[1]
        area = 0
        for x1, y1, x2, y2 in others:
            if x1 < right and x < x2 and y1 < low and y < y2:
                area += (min(x2, right) - max(x1, x)) * (min(y2, low) - max(y1, y))
        return area
