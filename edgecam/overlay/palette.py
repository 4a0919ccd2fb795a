"""Colours per class that stay apart, for colour-blind eyes too."""

from __future__ import annotations

from functools import lru_cache

from edgecam.overlay.scene import Rgba

# The first seven are Okabe and Ito's (Color Universal Design, 2008). The others were chosen one by one as the
# colour farthest (CIE Lab) from all before it, for normal eyes and under Machado's (2009) matrices of
# protanopia, deuteranopia and tritanopia, among those light enough to be seen on a dark picture.
COLOURS: tuple[tuple[int, int, int], ...] = (
    (86, 180, 233), (230, 159, 0), (0, 158, 115), (240, 228, 66), (204, 121, 167), (213, 94, 0),
    (0, 114, 178), (51, 255, 153), (166, 244, 255), (172, 89, 255), (255, 0, 96), (255, 166, 188),
    (191, 191, 96), (128, 159, 255), (124, 191, 133), (159, 255, 128), (146, 195, 224), (153, 153, 54),
    (191, 124, 191), (128, 255, 191), (79, 224, 206), (38, 191, 153), (151, 224, 79), (140, 112, 224),
)  # fmt: skip

# What cameras mostly see takes the colours that are farthest apart, whatever its place in a model's labels
COMMON = ("person", "car", "dog", "cat", "bicycle", "bus", "truck", "bird", "motorcycle", "chair", "bottle")

WHITE: Rgba = (255, 255, 255, 255)
INK: Rgba = (16, 18, 24, 255)


@lru_cache(maxsize=16)
def class_colours(labels: tuple[str, ...]) -> tuple[Rgba, ...]:
    """One opaque colour per label; no two labels share one, and none is like that of a :data:`COMMON` one.

    Where there are more labels than :data:`COLOURS`, the later rounds take shades of those that no common
    label has: paler, then deeper.
    """
    order = [label for label in COMMON if label in labels]
    common = len(order)
    order += [label for label in dict.fromkeys(labels) if label not in COMMON]
    of = {label: (*_colour(i, common), 255) for i, label in enumerate(order)}
    return tuple(of[label] for label in labels)


def _colour(i: int, common: int) -> tuple[int, int, int]:
    """The colour of the ``i``-th label where the first ``common`` ones are to stay unlike all others."""
    if i < len(COLOURS):
        return COLOURS[i]
    free = COLOURS[common:] or COLOURS
    nth, i = divmod(i - len(COLOURS), len(free))
    # odd rounds towards white, even ones towards black, each round a step further
    step, towards = (nth // 2 + 1) / (nth // 2 + 2.6), 255 if nth % 2 == 0 else 0
    r, g, b = (round(v + (towards - v) * step) for v in free[i])
    return r, g, b


def luminance(colour: Rgba) -> float:
    """Relative luminance by WCAG 2, 0 to 1."""
    parts = [v / 255.0 for v in colour[:3]]
    r, g, b = (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


@lru_cache(maxsize=256)
def text_on(colour: Rgba) -> Rgba:
    """Ink or white, whichever contrasts more with ``colour``."""
    light = luminance(colour) + 0.05
    return INK if light / (luminance(INK) + 0.05) >= 1.05 / light else WHITE
