"""Finds a place for every label: inside the picture, not on another one, and where it stood before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from edgecam.overlay.scene import View

Rect = tuple[int, int, int, int]  # x, y, w, h

#: A label stays where it was while no more of it than this is covered.
STAY_SHARE = 0.25
#: A label of which more than this would be covered, by another or by what is written over it, is left out.
CROWDED_SHARE = 0.4
#: Numbers of positions beside something else begin here.
_BESIDE = 100
#: So many labels are remembered; the oldest go first.
_REMEMBERED = 256


class LabelMemory:
    """Where each object's label stood in the last picture, so that it does not jump. One thread."""

    def __init__(self) -> None:
        self._slots: dict[tuple[str, int], int] = {}

    def get(self, source: str, track_id: int) -> int | None:
        """The slot of this object's label, or None if it had none."""
        return self._slots.get((source, track_id))

    def put(self, source: str, track_id: int, slot: int) -> None:
        """Remember it."""
        self._slots.pop((source, track_id), None)
        self._slots[source, track_id] = slot
        while len(self._slots) > _REMEMBERED:
            del self._slots[next(iter(self._slots))]


class LabelPlacement:
    """Rectangles taken so far, and the search for a free one.

    taken: better not covered. clear: never covered.
    """

    def __init__(self, view: View, taken: Iterable[Rect] = (), clear: Iterable[Rect] = ()) -> None:
        self._view = view
        self._taken = [(x, y, x + w, y + h) for x, y, w, h in taken]
        self._fixed = len(self._taken)
        self._clear = [(x, y, x + w, y + h) for x, y, w, h in clear]

    def outside(self, corners: list[int], line: int) -> list[int]:
        """(x1, y1, x2, y2) of a box, cut so that none of its lines, ``line`` px thick, runs through what must
        stay clear; it keeps as much as it can."""
        for left, top, right, low in self._clear:
            x1, y1, x2, y2 = corners
            if x1 - line < right and left < x2 + line and y1 - line < low and top < y2 + line:
                cuts = (
                    [x1, y1, x2, min(y2, top - line)],
                    [x1, max(y1, low + line), x2, y2],
                    [x1, y1, min(x2, left - line), y2],
                    [max(x1, right + line), y1, x2, y2],
                )
                corners = max(cuts, key=lambda c: max(0, c[2] - c[0]) * max(0, c[3] - c[1]))
        return corners

    def put(self, box: Rect, wh: tuple[int, int], before: int | None = None) -> tuple[int, int, int] | None:
        """Takes the best position for a label of size ``wh`` at ``box``: its corner (x, y), and its number.

        Above the box if free, else inside it, beneath it, at its right, or beside what is in the way; else
        where it overlaps least. before: the number of its position in the last picture, which it keeps while
        that is nearly free. None where each position would cover what must stay clear, or could not be read.
        The label must fit into the view.
        """
        area = wh[0] * wh[1]
        best: tuple[int, int, int] | None = None
        least = -1
        for slot, position in chain(self._ordered(box, wh, before), self._beside(box, wh)):
            if self._clear and self._overlap(position, wh, self._clear):
                continue
            overlap = self._overlap(position, wh, self._taken)
            stays = slot == before and overlap <= STAY_SHARE * area
            if least < 0 or overlap < least or stays:
                best, least = (*position, slot), overlap
            if overlap == 0 or stays:
                break
        if best is None or least > CROWDED_SHARE * area:
            return None
        self._taken.append((best[0], best[1], best[0] + wh[0], best[1] + wh[1]))
        return best

    def _ordered(
        self, box: Rect, wh: tuple[int, int], before: int | None
    ) -> Iterator[tuple[int, tuple[int, int]]]:
        """Numbered positions, the one before first."""
        positions = dict(self._positions(box, wh))
        if before is not None and before in positions:
            yield before, positions[before]
        yield from ((slot, position) for slot, position in positions.items() if slot != before)

    def _positions(self, box: Rect, wh: tuple[int, int]) -> Iterator[tuple[int, tuple[int, int]]]:
        x, y, w, h = box
        lw, lh = wh
        corners = (
            (x, y - lh),
            (x, y),
            (x, y + h),
            (x, y + h - lh),
            (x + w - lw, y - lh),
            (x + w - lw, y),
            (x + w - lw, y + h),
        )
        for slot, (px, py) in enumerate(corners):
            yield slot, self._clamped(px, py, wh)
        left, top = self._clamped(x, y, wh)
        last = self._view.y + self._view.h - lh
        for step in range(1, 9):
            for slot, down in ((5 + 2 * step, step), (6 + 2 * step, -step)):
                if self._view.y <= top + down * lh <= last:
                    yield slot, (left, top + down * lh)

    def _beside(self, box: Rect, wh: tuple[int, int]) -> Iterator[tuple[int, tuple[int, int]]]:
        """Positions within the box's height, and still at it, that end where something else begins."""
        x, y, w, h = box
        slot = _BESIDE
        for left, top, right, low in self._taken[: self._fixed]:
            for down in (y, y + h - wh[1]):
                for across in (left - wh[0], right):
                    slot += 1
                    position = self._clamped(across, down, wh)
                    if top < down + wh[1] and down < low and position[0] < x + w and x < position[0] + wh[0]:
                        yield slot, position

    def _clamped(self, x: int, y: int, wh: tuple[int, int]) -> tuple[int, int]:
        view = self._view
        return (
            max(view.x, min(x, view.x + view.w - wh[0])),
            max(view.y, min(y, view.y + view.h - wh[1])),
        )

    @staticmethod
    def _overlap(position: tuple[int, int], wh: tuple[int, int], others: Iterable[Rect]) -> int:
        x, y = position
        right, low = x + wh[0], y + wh[1]
        area = 0
        for x1, y1, x2, y2 in others:
            if x1 < right and x < x2 and y1 < low and y < y2:
                area += (min(x2, right) - max(x1, x)) * (min(y2, low) - max(y1, y))
        return area
