"""What a finger does to a draft while it is down: adds, takes and drags corners. No Qt here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgecam.core.areas import Point
from edgecam.ui.zones.draft import Draft, Shape
from edgecam.ui.zones.reach import PictureRect, middles, nearest, shape_at

#: What to do when a finger is lifted: nothing, end the drawing, or put the changed shapes into use.
After = Literal["nothing", "finish", "save"]
#: Below this share of the reach a finger has not moved.
STILL = 0.25
#: The dots on a chosen zone's sides are smaller than its corners.
MIDDLE = 0.8


@dataclass(slots=True)
class _Held:
    """A corner under a finger. was: where it stood, normalised; taken: where the finger came down."""

    corner: int
    was: Point
    taken: Point
    new: bool = False


class Touch:
    """One finger on one draft. rect: where the picture is; reach: how far a finger means a corner, pixels.

    shapes: after ``release`` said ``save``, those that are wanted.
    """

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._held: _Held | None = None
        self.moved = False
        self.shapes: tuple[Shape, ...] = draft.shapes

    @property
    def holding(self) -> bool:
        """Whether a corner is under the finger."""
        return self._held is not None

    def press(self, at: Point, rect: PictureRect, reach: float) -> None:
        """The finger comes down."""
        self.moved = False
        self.shapes = self._draft.shapes
        if self._draft.drawing is not None:
            self._draw(self._draft.drawing, at, rect, reach)
        else:
            self._grab(at, rect, reach)

    def move(self, at: Point, rect: PictureRect, reach: float) -> None:
        """It moves; a corner under it follows, and stays on the picture."""
        held, draft = self._held, self._draft
        if held is None:
            return
        dx, dy = at[0] - held.taken[0], at[1] - held.taken[1]
        self.moved = self.moved or abs(dx) + abs(dy) > STILL * reach
        x, y = rect.on_screen(held.was)
        to = rect.share((x + dx, y + dy))
        if draft.drawing is not None:
            draft.drawing[held.corner] = to
        else:
            draft.shapes = draft.moved(held.corner, to)

    def release(self) -> After:
        """It is lifted; see :data:`After`."""
        held, draft, self._held = self._held, self._draft, None
        if held is None:
            return "nothing"
        if draft.drawing is not None:
            closes = held.corner == 0 and not self.moved and len(draft.drawing) >= 3
            ends = draft.line and len(draft.drawing) == 2
            return "finish" if closes or ends else "nothing"
        wanted, draft.shapes = draft.shapes, self.shapes
        if draft.shape is not None and held.corner >= len(draft.shape.points):
            draft.corner = None
        if not (self.moved or held.new):
            return "nothing"
        self.shapes = wanted
        return "save"

    def _draw(self, drawing: list[Point], at: Point, rect: PictureRect, reach: float) -> None:
        near = nearest([rect.on_screen(p) for p in drawing], at, reach)
        if near is None:
            drawing.append(rect.share(at))
            near = len(drawing) - 1
        self._held = _Held(near, drawing[near], at)

    def _grab(self, at: Point, rect: PictureRect, reach: float) -> None:
        """A corner of the chosen shape, a new one on its side, or another shape."""
        draft = self._draft
        if draft.shape is not None and self._take(draft.shape, at, rect, reach):
            return
        if draft.shape is not None:
            between = middles(draft.shape)
            side = nearest([rect.on_screen(p) for p in between], at, reach * MIDDLE)
            if side is not None:
                draft.shapes = draft.split(side, between[side])
                draft.corner = side + 1
                self._held = _Held(side + 1, between[side], at, new=True)
                return
        draft.choose(shape_at(draft.shapes, rect, at, reach))
        if draft.shape is not None:
            self._take(draft.shape, at, rect, reach)

    def _take(self, shape: Shape, at: Point, rect: PictureRect, reach: float) -> bool:
        corner = nearest([rect.on_screen(p) for p in shape.points], at, reach)
        if corner is not None:
            self._draft.corner = corner
            self._held = _Held(corner, shape.points[corner], at)
        return corner is not None
