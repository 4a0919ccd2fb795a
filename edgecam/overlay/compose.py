"""Decides, once and as data, what is drawn on a picture: :func:`compose`."""

from __future__ import annotations

import math

import numpy as np

from edgecam.core.types import Result, Stats
from edgecam.overlay.chips import Run, chip_height, lay_chip
from edgecam.overlay.hud import banner, classes_panel, flow, hud_chips, in_corner, tile_chip
from edgecam.overlay.label_placement import LabelPlacement, Rect
from edgecam.overlay.palette import class_colours, text_on
from edgecam.overlay.scene import Box, Chip, Rgba, Scene, View
from edgecam.overlay.style import Style

# A box guessed farther ahead than this is more often wrong than late
PREDICT_LIMIT_S = 0.150
# Text of 17 px on a 720p picture, but never under 11, where strokes fall below a pixel
TEXT_SHARE, TEXT_MIN_PX = 0.0236, 11
# Scores of tracked objects are rounded down to one of so many steps
SCORE_STEPS = 20
# In a crowd more labels than this hide the picture; the best-scored get theirs
LABELS_MAX = 40
RECORDING: Rgba = (255, 59, 48, 255)
WAITING = "waiting for the first picture"
#: Whose the rates above several tiles are: their sums.
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
    """
    view = view or View(0, 0, *canvas_wh)
    theme = style.colours
    size = text_size_px(view, style.scale)
    margin = max(4, round(size * 0.7))
    inner = view.w - 2 * margin
    chips: list[Chip] = [] if title else _rim(result, stats, style, view, size)
    room, clear = _cleared(result, style, view)
    if title and inner > 0:
        chip = tile_chip(title, stats if style.hud else Stats(), theme, size, inner)
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
    if credit:
        room = View(view.x, view.y, view.w, max(1, min(room.h, view.h - credit[0].h - margin // 2)))
    alert = banner(notice, view if stale else room, theme, size, margin, middle=stale) if notice else None
    boxes: list[Box | Chip] = []
    if result is not None:
        above = over.items if over is not None else ()
        taken = [(c.x, c.y, c.w, c.h) for c in [*chips, *credit, *above, *([alert] if alert else [])]]
        boxes = _boxes(result, style, view, size, LabelPlacement(view, taken, clear), at_ns)
    chips += [alert] if alert else []
    # the credit is owed: it comes last, so that nothing ever covers it
    return Scene(canvas_wh, view, (*boxes, *chips, *credit), greyed=stale)


def _cleared(result: Result | None, style: Style, view: View) -> tuple[View, list[Rect]]:
    """What is left of ``view`` above a part of the picture that stays clear, and that part on the canvas."""
    share = None if result is None else dict(style.keep_clear).get(result.frame.source)
    if share is None:
        return view, []
    x, y = view.x + int(share[0] * view.w), view.y + int(share[1] * view.h)
    right = view.x + math.ceil((share[0] + share[2]) * view.w)
    low = view.y + math.ceil((share[1] + share[3]) * view.h)
    return View(view.x, view.y, view.w, max(1, y - view.y)), [(x, y, right - x, low - y)]


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
    rest = (None if result is None else result.frame.size_wh, view, size, notice, whose)
    kept = _kept
    if kept is not None and kept[0] is stats and kept[1] is style and kept[2] == rest:
        return list(kept[3])
    chips = _make_rim(result, stats, style, view, size, notice, whose)
    if stats.display_age is not None or stats.frame_age is not None:  # else the age shown is the result's own
        _kept = (stats, style, rest, chips)
    return list(chips)


def _make_rim(
    result: Result | None, stats: Stats, style: Style, view: View, size: int, notice: str, whose: str
) -> list[Chip]:
    theme, margin, gap = style.colours, max(4, round(size * 0.7)), max(2, round(size * 0.4))
    inner = view.w - 2 * margin
    if not style.hud or inner <= 0:
        return []
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


def _credit(style: Style, view: View, size: int, right: bool = True) -> list[Chip]:
    margin = max(4, round(size * 0.7))
    if not style.credit or view.w - 2 * margin <= 0:
        return []
    runs = [Run(style.credit, style.colours.caption)]
    size = max(TEXT_MIN_PX, round(size * 0.8))
    chip = lay_chip(tuple(runs), size, style.colours.panel, view.w - 2 * margin)
    line = in_corner(chip, view, margin, right, top=False)
    return [line] if line else []


def _boxes(
    result: Result, style: Style, view: View, size: int, placement: LabelPlacement, at_ns: int | None
) -> list[Box | Chip]:
    found = result.detections
    if len(found) == 0:
        return []
    dt_s = 0.0 if at_ns is None else min(PREDICT_LIMIT_S, (at_ns - result.frame.captured_ns) / 1e9)
    xyxy = found.predicted_xyxy(dt_s).astype(np.float64)
    width, height = result.frame.size_wh
    xyxy = xyxy * np.array([view.w / width, view.h / height] * 2) + np.array([view.x, view.y] * 2)
    low, high = np.array([view.x, view.y] * 2), np.array([view.x + view.w, view.y + view.h] * 2)
    if not np.isfinite(xyxy).all():
        xyxy = np.nan_to_num(xyxy, posinf=1e9, neginf=-1e9)
    corners = np.rint(np.clip(xyxy, low, high)).astype(int).tolist()
    colours = class_colours(found.labels)
    stroke = max(2, round(size * 0.16))
    halo = max(1, round(size * 0.055))
    scores = found.score.tolist()
    # longest known first, so that a label keeps its place while others come and go
    key = scores if found.track_id is None else (-found.track_id).tolist()
    labelled = set(sorted(range(len(scores)), key=lambda i: -scores[i])[:LABELS_MAX])
    boxes: list[Box | Chip] = []
    labels: list[Box | Chip] = []
    for i in sorted(range(len(scores)), key=lambda i: -key[i]):
        x1, y1, x2, y2 = corners[i]
        if x2 - x1 < 1 or y2 - y1 < 1:
            continue
        colour = colours[int(found.class_id[i])]
        boxes.append(Box(x1, y1, x2 - x1, y2 - y1, stroke * 2, stroke, halo, colour))
        if style.labels and i in labelled and chip_height(size) <= view.h:
            chip = lay_chip(tuple(_label(result, i, style, colour)), size, (*colour[:3], 235), view.w)
            if chip is not None:
                place = placement.put((x1, y1, x2 - x1, y2 - y1), (chip.w, chip.h))
                if place is not None:
                    labels.append(chip.at(*place))
    return boxes + labels


def _figure(score: float, tracked: bool) -> str:
    """A score as it is shown. In a film its second digit changes with each frame, which nobody can read."""
    return f"{int(score * SCORE_STEPS + 1e-6) / SCORE_STEPS if tracked else score:.2f}"


def _label(result: Result, i: int, style: Style, colour: Rgba) -> list[Run]:
    found, ink = result.detections, text_on(colour)
    soft = (*ink[:3], 205)
    runs = [Run(found.label(i), ink, bold=True)]
    if style.scores:
        runs.append(Run(_figure(float(found.score[i]), tracked=found.track_id is not None), ink, gap=0.4))
    if style.ids and found.track_id is not None:
        runs.append(Run(f"#{found.track_id[i]}", soft, gap=0.4))
    named = result.crop_classes[i] if style.crop_classes and i < len(result.crop_classes) else ()
    if named:
        runs += [Run("·", soft, gap=0.35), Run(named[0].label, ink, bold=True, gap=0.35)]
        if style.scores:
            runs.append(Run(f"{named[0].score:.2f}", ink, gap=0.4))
    return runs
