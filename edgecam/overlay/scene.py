"""What is drawn on a picture, as plain data in canvas pixels. Painters only follow it.

Colours are (red, green, blue, alpha), 0 to 255, not premultiplied. Lengths are pixels of the canvas, y down.
"""

from __future__ import annotations

from msgspec import Struct

Rgba = tuple[int, int, int, int]
#: Of an outline.
OUTLINE_RIM: Rgba = (14, 17, 23, 255)


class View(Struct, frozen=True):
    """Where in the canvas the picture stands. It is scaled to fill this rectangle exactly."""

    x: int
    y: int
    w: int
    h: int

    @classmethod
    def letterbox(cls, picture_wh: tuple[int, int], canvas_wh: tuple[int, int]) -> View:
        """The largest rectangle of the picture's shape in the middle of the canvas."""
        pw, ph = picture_wh
        cw, ch = canvas_wh
        ratio = min(cw / pw, ch / ph)
        w, h = max(1, min(cw, round(pw * ratio))), max(1, min(ch, round(ph * ratio)))
        return cls((cw - w) // 2, (ch - h) // 2, w, h)

    def fitted(self, picture_wh: tuple[int, int]) -> View:
        """The largest rectangle of the picture's shape in the middle of this one."""
        inner = View.letterbox(picture_wh, (self.w, self.h))
        return View(self.x + inner.x, self.y + inner.y, inner.w, inner.h)


class Text(Struct, frozen=True):
    """A run of text of the overlay's own font. ``x`` is its left end, ``baseline`` its foot."""

    x: float
    baseline: float
    text: str
    size_px: int
    bold: bool
    colour: Rgba


class Panel(Struct, frozen=True):
    """A filled rectangle with round corners; a dot when the radius is half its side."""

    x: float
    y: float
    w: float
    h: float
    radius: float
    fill: Rgba


class Chip(Struct, frozen=True):
    """A panel with marks on it, placed relative to its corner. Equal chips look equal: cache them."""

    x: int
    y: int
    w: int
    h: int
    radius: int
    fill: Rgba
    marks: tuple[Text | Panel, ...] = ()

    def at(self, x: int, y: int) -> Chip:
        """The same chip at another position."""
        return Chip(x, y, self.w, self.h, self.radius, self.fill, self.marks)


class Box(Struct, frozen=True):
    """The outline of an object: ``stroke_px`` wide, inside the rectangle.

    A dark halo, ``halo_px`` wide on both sides, keeps it apart from any background.
    """

    x: int
    y: int
    w: int
    h: int
    radius: int
    stroke_px: int
    halo_px: int
    colour: Rgba


class Outline(Struct, frozen=True):
    """A line through ``points`` (canvas pixels), ``stroke_px`` wide, with a dark rim of ``halo_px``.

    closed: from the last point back to the first.
    """

    points: tuple[tuple[int, int], ...]
    closed: bool
    stroke_px: int
    halo_px: int
    colour: Rgba


class Scene(Struct, frozen=True):
    """One overlay, back to front. ``greyed``: the picture beneath is not current, and must look so."""

    canvas_wh: tuple[int, int]
    view: View
    items: tuple[Box | Chip | Outline, ...] = ()
    greyed: bool = False
