"""Decides, once and as data, what is drawn on a picture: :func:`compose`."""

from __future__ import annotations

import math

from edgecam.core.clock import wall_time
from edgecam.core.types import Result, Stats
from edgecam.overlay.areas import outlines_of, taken_by
from edgecam.overlay.boxes import boxes_of
from edgecam.overlay.chips import Run, lay_chip
from edgecam.overlay.hud import banner, classes_panel, flow, hud_chips, in_corner, simple_chips, tile_chip
from edgecam.overlay.label_placement import LabelMemory, LabelPlacement, Rect
from edgecam.overlay.scene import Box, Chip, Outline, Rgba, Scene, View
from edgecam.overlay.style import Style

# Text of 17 px on a 720p picture, but never under 11, where strokes fall below a pixel
TEXT_SHARE, TEXT_MIN_PX = 0.0236, 11
# On a tile at least this share of the size that the whole canvas would have: it is read from as far
TILE_TEXT = 0.6
RECORDING: Rgba = (255, 59, 48, 255)
WAITING = "waiting for the first picture"
#: Stands before the rates above several tiles, which are sums.
ALL = "all cameras"


def text_size_px(view: View, scale: float = 1.0) -> int:
    """Size of the overlay's text on a picture shown at ``view``, pixels.

    Follows the height of landscape and, more gently, the width of portrait pictures.
    """
    base = min(view.h, view.w * 0.75)
    return max(TEXT_MIN_PX, round(base * TEXT_SHARE * scale))


def compose(
    result: Result | None,
    stats: Stats,
    style: Style,
    canvas_wh: tuple[int, int],
    view: View | None = None,
    at_ns: int | None = None,
    stale: bool = False,
    title: str = "",
    over: Scene | None = None,
    memory: LabelMemory | None = None,
) -> Scene:
    """The overlay of one picture.

    result: what was seen, or None before the first one.
    canvas_wh: size of what is painted on, in its own (device) pixels.
    view: where in the canvas the picture stands; the whole canvas if None.
    at_ns: moment of the picture that is shown, if it is newer than ``result.frame``: boxes move on to it.
    stale: the picture is no longer current (the camera is lost): it is greyed, with ``stats.notice`` in its
        middle; else the notice stands at its foot.
    title: the camera's name, where the picture is one of several; ``stats`` are then its own, and what
        concerns them all is left to :func:`compose_shared`.
    over: what will stand on top of it all; labels keep out of its way.
    memory: where the labels stood in the picture before, and, afterwards, in this one.
    """
    view = view or View(0, 0, *canvas_wh)
    theme = style.colours
    size = text_size_px(view, style.scale)
    if title:
        size = max(size, round(TILE_TEXT * text_size_px(View(0, 0, *canvas_wh), style.scale)))
    margin = max(4, round(size * 0.7))
    room, clear = _cleared(result, style, view)
    inner = room.w - 2 * margin
    top = View(room.x, room.y, room.w, view.y + view.h - room.y)
    chips: list[Chip] = [] if title else _rim(result, stats, style, top, size)
    if style.stamp and inner > 0 and result is not None:
        stamp = lay_chip((Run(_stamp(result, style), theme.text),), size, theme.panel, inner)
        placed = in_corner(stamp, room, margin, right=False, top=False)
        if placed is not None:
            chips.append(placed)
            room = View(view.x, view.y, view.w, max(1, room.h - placed.h - margin // 2))
    if title and inner > 0 and style.level != "off":
        shown = dict(style.names).get(title, title)
        chip = tile_chip(shown, stats if style.hud else Stats(), theme, size, inner, style.level == "simple")
        name = in_corner(chip, room, margin, right=True, top=False)
        if name is not None:
            chips.append(name)
            room = View(view.x, view.y, view.w, max(1, room.h - name.h - margin // 2))
    if style.hud and inner > 0 and result is not None and result.classes:
        panel = classes_panel(result.classes, room, theme, size, margin, theme.accent)
        chips += [panel] if panel else []
    credit = [] if title else _credit(style, view, size)
    stale = stale or result is None
    notice = stats.notice or (WAITING if result is None else "")
    if style.level == "off" and not stale:
        notice = ""
    if credit:
        room = View(view.x, view.y, view.w, max(1, min(room.h, view.h - credit[0].h - margin // 2)))
    alert = banner(notice, view if stale else room, theme, size, margin, middle=stale) if notice else None
    boxes: list[Box | Chip] = []
    outlines: list[Outline | Chip] = []
    if result is not None and style.level != "off":
        if result.told is not None and style.level != "boxes":
            outlines = list(outlines_of(result.told.areas, style, view, size))
        above = [item for item in (over.items if over is not None else ()) if not isinstance(item, Outline)]
        taken = [(c.x, c.y, c.w, c.h) for c in [*chips, *credit, *above, *([alert] if alert else [])]]
        taken += taken_by(outlines)
        boxes = boxes_of(result, style, view, size, LabelPlacement(view, taken, clear), at_ns, memory)
    chips += [alert] if alert else []
    # the credit is owed: it comes last, so that nothing ever covers it
    return Scene(canvas_wh, view, (*outlines, *boxes, *chips, *credit), greyed=stale)


def _cleared(result: Result | None, style: Style, view: View) -> tuple[View, list[Rect]]:
    """What is left of ``view`` beside a part of the picture that stays clear (on its side with the most
    room: above it, below, left or right), and that part on the canvas."""
    share = None if result is None else dict(style.keep_clear).get(result.frame.source)
    if share is None:
        return view, []
    x, y = view.x + int(share[0] * view.w), view.y + int(share[1] * view.h)
    right = view.x + math.ceil((share[0] + share[2]) * view.w)
    low = view.y + math.ceil((share[1] + share[3]) * view.h)
    end_x, end_y = view.x + view.w, view.y + view.h
    sides = (
        View(view.x, view.y, view.w, max(1, y - view.y)),
        View(view.x, low, view.w, max(1, end_y - low)),
        View(view.x, view.y, max(1, x - view.x), view.h),
        View(right, view.y, max(1, end_x - right), view.h),
    )
    return max(sides, key=lambda side: side.w * side.h), [(x, y, right - x, low - y)]


def compose_shared(stats: Stats, style: Style, canvas_wh: tuple[int, int]) -> Scene:
    """What stands once over the pictures of several cameras: rates, watts, heat, credit, a common notice."""
    view = View(0, 0, *canvas_wh)
    size = text_size_px(view, style.scale)
    chips = [
        *_rim(None, stats, style, view, size, stats.notice, ALL),
        *_credit(style, view, size, right=False),
    ]
    return Scene(canvas_wh, view, tuple(chips))


#: The rim only changes with the statistics, four times a second: the last one, and what it was made of.
_kept: tuple[Stats, Style, tuple[object, ...], list[Chip]] | None = None


def _rim(
    result: Result | None,
    stats: Stats,
    style: Style,
    view: View,
    size: int,
    notice: str = "",
    whose: str = "",
) -> list[Chip]:
    """The chips of the top bar, in a list of the caller's own."""
    global _kept
    clock = _clock(result) if style.level == "simple" else ""
    rest = (None if result is None else result.frame.size_wh, view, size, notice, whose, clock)
    kept = _kept
    if kept is not None and kept[0] is stats and kept[1] is style and kept[2] == rest:
        return list(kept[3])
    chips = _make_rim(result, stats, style, view, size, notice, whose, clock)
    if stats.display_age is not None or stats.frame_age is not None:  # else the age shown is the result's own
        _kept = (stats, style, rest, chips)
    return list(chips)


def _make_rim(
    result: Result | None,
    stats: Stats,
    style: Style,
    view: View,
    size: int,
    notice: str,
    whose: str,
    clock: str,
) -> list[Chip]:
    theme, margin, gap = style.colours, max(4, round(size * 0.7)), max(2, round(size * 0.4))
    inner = view.w - 2 * margin
    if not style.hud or inner <= 0:
        return []
    if style.level == "simple":
        name = whose or ("" if result is None else shown_name(result, style))
        head = simple_chips(name, clock, stats, theme, size, inner)
    else:
        head = hud_chips(result, stats, theme, size, inner, whose)
    if notice:
        note = lay_chip((Run(notice, theme.text, True, dot=theme.warning),), size, theme.banner, inner)
        head = [note, *head] if note else head
    if style.recording:
        runs = [Run("REC", theme.text, True, dot=RECORDING)]
        runs += [Run(style.recording_note, theme.caption, gap=0.6)] if style.recording_note else []
        rec = lay_chip(tuple(runs), size, theme.panel, inner)
        head = [rec, *head] if rec else head
    return flow(head, view, margin, gap)


def shown_name(result: Result, style: Style) -> str:
    """What the camera of ``result`` is called on the screen."""
    source = result.frame.source
    return dict(style.names).get(source, source)


def _clock(result: Result | None) -> str:
    """The time of day of a camera's picture, ``14:03:27``; the place in a film, ``2:05``."""
    if result is None:
        return ""
    frame = result.frame
    if frame.media_ns is None:
        return wall_time(frame.captured_ns).astimezone().strftime("%H:%M:%S")
    seconds = max(0, frame.media_ns) // 1_000_000_000
    hours, minutes = seconds // 3600, seconds % 3600 // 60
    return f"{hours}:{minutes:02d}:{seconds % 60:02d}" if hours else f"{minutes}:{seconds % 60:02d}"


def _stamp(result: Result, style: Style) -> str:
    taken_at = wall_time(result.frame.captured_ns).astimezone()
    return f"{taken_at.strftime('%Y-%m-%d %H:%M:%S')}  {shown_name(result, style)}"


def _credit(style: Style, view: View, size: int, right: bool = True) -> list[Chip]:
    margin = max(4, round(size * 0.7))
    if not style.credit or view.w - 2 * margin <= 0:
        return []
    runs = [Run(style.credit, style.colours.caption)]
    size = max(TEXT_MIN_PX, round(size * 0.8))
    chip = lay_chip(tuple(runs), size, style.colours.panel, view.w - 2 * margin)
    line = in_corner(chip, view, margin, right, top=False)
    return [line] if line else []
