"""Zones and lines on the picture: outlines, names, and how many are in them or went across."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edgecam.core.areas import Areas, LineState, Point, ZoneState
from edgecam.overlay.chips import Run, lay_chip
from edgecam.overlay.scene import Chip, Outline, Rgba, View
from edgecam.overlay.style import Style

#: Length of the mark on a line that shows which way is in, in text sizes.
MARK = 1.1


def outlines_of(areas: Areas, style: Style, view: View, size: int) -> Iterator[Outline | Chip]:
    """What is drawn beneath the boxes, for areas of the picture that is shown at ``view``.

    size: of the text, pixels.
    """
    if style.areas == "off":
        return
    stroke, halo = max(1, round(size * 0.1)), max(1, round(size * 0.055))
    for zone in areas.zones:
        colour = _colour(zone, style)
        points = [_on(view, p) for p in zone.points]
        yield Outline(tuple(points), True, stroke, halo, colour)
        if style.areas == "full":
            top = min(points, key=sum)  # the corner nearest to the picture's own
            yield from _named(zone.name, _zone_text(zone), colour, top, view, size, style)
    for line in areas.lines:
        colour = style.colours.accent
        (ax, ay), (bx, by) = ends = [_on(view, p) for p in line.points]
        yield Outline(tuple(ends), False, stroke * 2, halo, colour)
        middle = ((ax + bx) // 2, (ay + by) // 2)
        long = max(1.0, ((bx - ax) ** 2 + (by - ay) ** 2) ** 0.5)
        reach = MARK * size / long
        inwards = (round(middle[0] - (by - ay) * reach), round(middle[1] + (bx - ax) * reach))
        yield Outline((middle, inwards), False, stroke * 2, halo, colour)
        if style.areas == "full":
            yield from _named(line.name, _line_text(line), colour, ends[0], view, size, style)


def _colour(zone: ZoneState, style: Style) -> Rgba:
    if zone.use == "mask":
        return (150, 156, 165, 255)
    return style.colours.warning if zone.active else style.colours.accent


def _zone_text(zone: ZoneState) -> str:
    if zone.use == "mask":
        return "mask"
    if len(zone.counts) == 1:
        label, count = zone.counts[0]
        return f"{count} {label}"
    return str(zone.count) if zone.count else ""


def _line_text(line: LineState) -> str:
    return f"in {line.counted_in}  out {line.counted_out}"


def _named(
    name: str, text: str, colour: Rgba, at: tuple[int, int], view: View, size: int, style: Style
) -> Iterator[Chip]:
    theme = style.colours
    runs = [Run(name, theme.text, True, dot=colour)]
    runs += [Run(text, theme.text, gap=0.6)] if text else []
    chip = lay_chip(tuple(runs), size, theme.panel, view.w)
    if chip is not None:
        x = min(max(view.x, at[0]), view.x + view.w - chip.w)
        y = min(max(view.y, at[1]), view.y + view.h - chip.h)
        yield chip.at(x, y)


def _on(view: View, point: Point) -> tuple[int, int]:
    """A point of the picture on the canvas, inside the view."""
    x = min(view.x + view.w - 1, view.x + round(point[0] * view.w))
    y = min(view.y + view.h - 1, view.y + round(point[1] * view.h))
    return x, y


def taken_by(items: Sequence[Outline | Chip]) -> list[tuple[int, int, int, int]]:
    """The rectangles that the chips among ``items`` cover."""
    return [(item.x, item.y, item.w, item.h) for item in items if isinstance(item, Chip)]
