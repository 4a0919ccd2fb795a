"""The shapes that the editor changes, on one camera's picture, with undo. No Qt here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from edgecam.core.areas import Point, ZoneUse
from edgecam.rules.drawing import table_of
from edgecam.rules.spec import Line, RuleSet, Zone

#: So many steps can be taken back.
MOST_STEPS = 100
#: Names for which people look first; each is offered once.
SUGGESTED = (
    "door",
    "gate",
    "yard",
    "drive",
    "garden",
    "street",
    "path",
    "stairs",
    "parking",
    "desk",
    "shelf",
)
#: What to do where one of several cameras is to be chosen first.
CHOOSE = "Touch the camera whose zones you want to draw"
USES: tuple[ZoneUse, ...] = ("zone", "motion", "mask")


@dataclass(frozen=True, slots=True)
class Shape:
    """A zone, or a line with two points.

    points: normalised corners. more: what else its table in the settings says (classes, loitering, camera …).
    """

    name: str
    points: tuple[Point, ...]
    line: bool = False
    use: ZoneUse = "zone"
    more: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, area: Zone | Line) -> Shape:
        """A zone or line as the settings have it."""
        more = {k: v for k, v in table_of(area).items() if k not in ("name", "points", "use")}
        line = isinstance(area, Line)
        return cls(area.name, area.points, line, "zone" if isinstance(area, Line) else area.use, more)

    def table(self) -> dict[str, Any]:
        """The shape as ``[[zone]]`` or ``[[line]]`` has it."""
        use = {} if self.line or self.use == "zone" else {"use": self.use}
        return {"name": self.name, "points": [list(p) for p in self.points], **use, **self.more}


def shapes_of(rules: RuleSet) -> tuple[Shape, ...]:
    """The zones, then the lines."""
    return (*(Shape.of(zone) for zone in rules.zones), *(Shape.of(line) for line in rules.lines))


class Draft:
    """The shapes, the one that is chosen, the one that is being drawn, and what was before.

    shapes: those that hold. chosen, corner: numbers of a shape and of a corner of it, or None. drawing: the
    corners of the one that is not finished; None while nothing is drawn. line: whether that is a line.
    owner: the camera that new shapes get; "" where there is only one.
    """

    def __init__(self, shapes: tuple[Shape, ...] = (), owner: str = "") -> None:
        self.shapes = shapes
        self.owner = owner
        self.chosen: int | None = None
        self.corner: int | None = None
        self.drawing: list[Point] | None = None
        self.line = False
        self._before: list[tuple[Shape, ...]] = []

    @property
    def shape(self) -> Shape | None:
        """The chosen one."""
        return None if self.chosen is None else self.shapes[self.chosen]

    @property
    def can_undo(self) -> bool:
        """Whether a step can be taken back."""
        return bool(self._before) or self.drawing is not None

    def choose(self, shape: int | None, corner: int | None = None) -> None:
        """Choose a shape and a corner of it, or nothing."""
        self.chosen, self.corner = shape, corner

    def begin(self, *, line: bool) -> None:
        """Begin to draw a zone or a line."""
        self.choose(None)
        self.drawing, self.line = [], line

    def put(self, shapes: tuple[Shape, ...]) -> None:
        """Replace the shapes, as a step that can be taken back."""
        self._before = [*self._before[-MOST_STEPS + 1 :], self.shapes]
        self._have(shapes)

    def back(self) -> bool:
        """Take the last step back; False if there was none."""
        if not self._before:
            return False
        self._have(self._before.pop())
        return True

    def renew(self, shapes: tuple[Shape, ...]) -> None:
        """Take over shapes that were changed elsewhere: earlier steps cannot be taken back any more."""
        if shapes != self.shapes:
            self._before = []
            name = None if self.shape is None else self.shape.name
            self._have(shapes)
            self.choose(next((i for i, s in enumerate(shapes) if s.name == name), None))

    def _have(self, shapes: tuple[Shape, ...]) -> None:
        self.shapes = shapes
        if self.chosen is not None and self.chosen >= len(shapes):
            self.choose(None)
        shape = self.shape
        if shape is None or (self.corner is not None and self.corner >= len(shape.points)):
            self.corner = None

    # -- steps: the shapes that would be

    def finished(self, taken: tuple[str, ...]) -> tuple[Shape, ...]:
        """The shapes with the drawn one, under the first free name. taken: names that others have."""
        used = {*taken, *(s.name for s in self.shapes)}
        stem = "line" if self.line else "zone"
        names = (stem if n == 1 else f"{stem}-{n}" for n in range(1, 1000))
        name = next(n for n in names if n not in used)
        more = {"camera": self.owner} if self.owner else {}
        return (*self.shapes, Shape(name, tuple(self.drawing or ()), self.line, more=more))

    def moved(self, corner: int, to: Point) -> tuple[Shape, ...]:
        """The shapes with a corner of the chosen one moved."""
        points = self._points()
        return self._with(points=(*points[:corner], to, *points[corner + 1 :]))

    def split(self, side: int, at: Point) -> tuple[Shape, ...]:
        """The shapes with one more corner, after number ``side``."""
        points = self._points()
        return self._with(points=(*points[: side + 1], at, *points[side + 1 :]))

    def without_corner(self) -> tuple[Shape, ...]:
        """The shapes without the chosen corner."""
        return self._with(points=tuple(p for i, p in enumerate(self._points()) if i != self.corner))

    def without_shape(self) -> tuple[Shape, ...]:
        """The shapes without the chosen one."""
        return tuple(s for i, s in enumerate(self.shapes) if i != self.chosen)

    def turned(self) -> tuple[Shape, ...]:
        """The shapes with the chosen line's direction reversed."""
        return self._with(points=self._points()[::-1])

    def used_otherwise(self) -> tuple[Shape, ...]:
        """The shapes with the next use of the chosen zone: objects, movement, nothing."""
        use = "zone" if self.shape is None else self.shape.use
        return self._with(use=USES[(USES.index(use) + 1) % len(USES)])

    def named(self, name: str) -> tuple[Shape, ...]:
        """The shapes with another name of the chosen one."""
        return self._with(name=name)

    def _points(self) -> tuple[Point, ...]:
        return () if self.shape is None else self.shape.points

    def _with(self, **changes: Any) -> tuple[Shape, ...]:
        return tuple(replace(s, **changes) if i == self.chosen else s for i, s in enumerate(self.shapes))


def hint_of(draft: Draft) -> str:
    """What to do next, as a sentence for whoever stands before the screen."""
    if draft.drawing is not None and draft.line:
        return "Touch where the line begins, then where it ends; what goes to its right hand counts as in"
    if draft.drawing is not None:
        return "Touch the corners of the zone; the first one again closes it"
    if draft.shape is not None:
        return "Drag its corners; drag a small dot for one more"
    if draft.shapes:
        return "Touch a zone or a line to change it, or draw another"
    return "Draw a zone, to be told what is in it, or a line, to count what crosses it"
