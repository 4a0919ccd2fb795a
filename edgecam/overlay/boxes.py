"""Boxes and their labels."""

from __future__ import annotations

import math

import numpy as np

from edgecam.core.types import Detections, Result
from edgecam.overlay.chips import Run, chip_height, lay_chip
from edgecam.overlay.label_placement import LabelMemory, LabelPlacement
from edgecam.overlay.palette import class_colours, text_on
from edgecam.overlay.scene import Box, Chip, Rgba, View
from edgecam.overlay.style import Style

# A box guessed farther ahead than this is more often wrong than late
PREDICT_LIMIT_S = 0.150
# Scores of tracked objects are rounded down to one of so many steps
SCORE_STEPS = 20
# In a crowd more labels than this hide the picture: so many at most and at least, and this share of its area,
# a label being some seven times as wide as high
LABELS_MAX, LABELS_MIN, LABELS_SHARE = 40, 2, 0.3


def boxes_of(
    result: Result,
    style: Style,
    view: View,
    size: int,
    placement: LabelPlacement,
    at_ns: int | None,
    memory: LabelMemory | None,
) -> list[Box | Chip]:
    """The boxes of ``result`` on the canvas, and over all of them the labels. Arguments as of ``compose``."""
    found = result.detections
    dt_s = 0.0 if at_ns is None else min(PREDICT_LIMIT_S, (at_ns - result.frame.captured_ns) / 1e9)
    halo = max(1, round(size * 0.055))
    faint: list[Box | Chip] = []
    if style.tentative and len(result.tentative):
        faint = _faint(result, view, dt_s, halo)
    if len(found) == 0:
        return faint
    corners = _corners(found, result, view, dt_s)
    colours, source = class_colours(found.labels), result.frame.source
    stroke = max(2, round(size * 0.16))
    scores = found.score.tolist()
    # longest known first, so that a label keeps its place while others come and go
    key = scores if found.track_id is None else (-found.track_id).tolist()
    labelled = _labelled(scores, corners, view, size)
    boxes: list[Box | Chip] = []
    labels: list[Box | Chip] = []
    for i in sorted(range(len(scores)), key=lambda i: -key[i]):
        x1, y1, x2, y2 = placement.outside(corners[i], stroke + halo)
        if x2 - x1 < 1 or y2 - y1 < 1:
            continue
        colour = colours[int(found.class_id[i])]
        boxes.append(Box(x1, y1, x2 - x1, y2 - y1, stroke * 2, stroke, halo, colour))
        if style.labels and i in labelled and chip_height(size) <= view.h:
            chip = lay_chip(tuple(_label(result, i, style, colour)), size, (*colour[:3], 235), view.w)
            if chip is not None:
                track = None if found.track_id is None else int(found.track_id[i])
                before = None if memory is None or track is None else memory.get(source, track)
                position = placement.put((x1, y1, x2 - x1, y2 - y1), (chip.w, chip.h), before)
                if position is not None:
                    labels.append(chip.at(*position[:2]))
                    if memory is not None and track is not None:
                        memory.put(source, track, position[2])
    return faint + boxes + labels


def _corners(found: Detections, result: Result, view: View, dt_s: float) -> list[list[int]]:
    """``found`` (N) as x1, y1, x2, y2 in whole pixels of the canvas, inside ``view``."""
    xyxy = found.predicted_xyxy(dt_s).astype(np.float64)
    width, height = result.frame.size_wh
    xyxy = xyxy * np.array([view.w / width, view.h / height] * 2) + np.array([view.x, view.y] * 2)
    low, high = np.array([view.x, view.y] * 2), np.array([view.x + view.w, view.y + view.h] * 2)
    if not np.isfinite(xyxy).all():
        xyxy = np.nan_to_num(xyxy, posinf=1e9, neginf=-1e9)
    corners: list[list[int]] = np.rint(np.clip(xyxy, low, high)).astype(int).tolist()
    return corners


def _faint(result: Result, view: View, dt_s: float, halo: int) -> list[Box | Chip]:
    """Tentative detections: hairlines without a label."""
    found = result.tentative
    colours = class_colours(found.labels)
    return [
        Box(x1, y1, x2 - x1, y2 - y1, 2, 1, halo, (*colours[class_id][:3], 150))
        for (x1, y1, x2, y2), class_id in zip(
            _corners(found, result, view, dt_s), found.class_id.tolist(), strict=True
        )
        if x2 - x1 >= 1 and y2 - y1 >= 1
    ]


def _labelled(scores: list[float], corners: list[list[int]], view: View, size: int) -> set[int]:
    """Which boxes get a label: all of a few; of a crowd the sure and large ones, as room allows."""
    row = chip_height(size)
    most = max(LABELS_MIN, min(LABELS_MAX, int(LABELS_SHARE * view.w * view.h / (7 * row * row))))
    if len(scores) <= most:
        return set(range(len(scores)))

    def weight(i: int) -> float:
        x1, y1, x2, y2 = corners[i]
        return scores[i] * math.sqrt(max(0, x2 - x1) * max(0, y2 - y1))

    return set(sorted(range(len(scores)), key=weight, reverse=True)[:most])


def _figure(score: float, tracked: bool, percent: bool) -> str:
    """A score as text, in steps while it is tracked: the second digit changes with each frame, unreadably."""
    shown = int(score * SCORE_STEPS + 1e-6) / SCORE_STEPS if tracked else score
    return f"{shown * 100:.0f} %" if percent else f"{shown:.2f}"


def _label(result: Result, i: int, style: Style, colour: Rgba) -> list[Run]:
    found, ink = result.detections, text_on(colour)
    soft = (*ink[:3], 205)
    full, label = style.level == "full", found.label(i)
    runs = [Run(label, ink, bold=True)]
    named = result.crop_classes[i] if style.crop_classes and i < len(result.crop_classes) else ()
    if named and named[0].label == label:
        named = ()
    if named and not full:
        runs += [Run("·", soft, gap=0.35), Run(named[0].label, ink, bold=True, gap=0.35)]
    if style.scores:
        tracked = found.track_id is not None
        runs.append(Run(_figure(float(found.score[i]), tracked, percent=not full), ink, gap=0.4))
    if style.ids and full and found.track_id is not None:
        runs.append(Run(f"#{found.track_id[i]}", soft, gap=0.4))
    if named and full:
        runs += [Run("·", soft, gap=0.35), Run(named[0].label, ink, bold=True, gap=0.35)]
        if style.scores:
            runs.append(Run(f"{named[0].score:.2f}", ink, gap=0.4))
    return runs
