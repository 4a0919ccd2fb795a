"""Rasterises chips, text and box corners for the OpenCV painter, and keeps them: they come back often."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from edgecam.overlay.font import face, text_width
from edgecam.overlay.scene import Panel, Rgba, Text

Mask = NDArray[np.float32]
# Outlines are filled at four times the size and averaged down: 16 levels per axis pair, plus OpenCV's own
OVERSAMPLE = 4
# Horizontal places of a glyph within its pixel; a quarter pixel is below what the eye resolves in text
PHASES = 4
_SHIFT = 4  # fractional bits that cv2.fillPoly takes


class Sprite(Struct, frozen=True, eq=False):
    """What to blend: ``picture * rest / 255 + light``, (h, w, 3) uint8 both.

    light: the colour times its opacity. rest: 255 times what shows through, the same in each channel, so that
    OpenCV's vectorised arithmetic takes it as it is: half (60x20) to a fifth (400x160) of the time that
    blending by float weights takes.
    """

    light: NDArray[np.uint8]
    rest: NDArray[np.uint8]

    @property
    def size_bytes(self) -> int:
        """Memory of its pixels."""
        return self.light.nbytes + self.rest.nbytes


ChipKey = tuple[tuple[int, int], int, Rgba, tuple[Text | Panel, ...]]


@lru_cache(maxsize=4096)
def _glyph(character: str, size_px: int, bold: bool, phase: int) -> tuple[Mask, int, int]:
    """Coverage of one character, and its left and top relative to the pen on the baseline, pixels."""
    chosen = face(bold)
    contours = chosen.contours(character)
    if not contours:
        return np.zeros((0, 0), np.float32), 0, 0
    scale = size_px / chosen.units_per_em
    shapes = [np.column_stack((c[:, 0] * scale + phase / PHASES, c[:, 1] * -scale)) for c in contours]
    low = np.floor(np.min([s.min(axis=0) for s in shapes], axis=0)).astype(int)
    high = np.ceil(np.max([s.max(axis=0) for s in shapes], axis=0)).astype(int) + 1
    w, h = (high - low).tolist()
    large = np.zeros((h * OVERSAMPLE, w * OVERSAMPLE), np.uint8)
    # cv2 puts pixel centres on whole numbers, so a shape moves by half a (large) pixel
    fixed: list[Any] = [
        np.rint(((s - low) * OVERSAMPLE - 0.5) * (1 << _SHIFT)).astype(np.int32) for s in shapes
    ]
    cv2.fillPoly(large, fixed, (255,), cv2.LINE_AA, _SHIFT)
    small = cv2.resize(large, (w, h), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32) / np.float32(255), int(low[0]), int(low[1])


def _text_mask(mark: Text, wh: tuple[int, int]) -> Mask:
    w, h = wh
    mask = np.zeros((h, w), np.float32)
    chosen = face(mark.bold)
    x, baseline = mark.x, round(mark.baseline)
    for character in mark.text:
        pen = int(np.floor(x))
        glyph, left, top = _glyph(character, mark.size_px, mark.bold, int((x - pen) * PHASES))
        gy, gx = baseline + top, pen + left
        y0, x0, y1, x1 = max(gy, 0), max(gx, 0), min(gy + glyph.shape[0], h), min(gx + glyph.shape[1], w)
        if y1 > y0 and x1 > x0:
            target = mask[y0:y1, x0:x1]
            np.maximum(target, glyph[y0 - gy : y1 - gy, x0 - gx : x1 - gx], out=target)
        x += chosen.advances[chosen.index[character]] * mark.size_px
    return mask


def _panel_mask(panel: Panel, wh: tuple[int, int]) -> Mask:
    return _rounded((panel.x, panel.y, panel.w, panel.h), panel.radius, wh)


@lru_cache(maxsize=16)  # of a 4K picture's widest chips 4 MB, of a 720p one's a tenth
def _rounded(xywh: tuple[float, float, float, float], radius: float, canvas_wh: tuple[int, int]) -> Mask:
    """Coverage of a rounded rectangle, from its signed distance. Not to be written to."""
    x, y, width, height = xywh
    w, h = canvas_wh
    radius = min(radius, width / 2, height / 2)
    dx = np.abs(np.arange(w, dtype=np.float32) + 0.5 - (x + width / 2)) - (width / 2 - radius)
    dy = np.abs(np.arange(h, dtype=np.float32) + 0.5 - (y + height / 2)) - (height / 2 - radius)
    outside = np.hypot(np.maximum(dx, 0)[None, :], np.maximum(dy, 0)[:, None])
    distance = outside + np.minimum(np.maximum(dx[None, :], dy[:, None]), 0) - radius
    mask: Mask = np.clip(0.5 - distance, 0, 1).astype(np.float32)
    return mask


def _over(colour: NDArray[np.float32], alpha: Mask, mask: Mask, rgba: Rgba) -> None:
    """Put one more layer on top of premultiplied ``colour`` (3, h, w) and ``alpha`` (h, w), in place."""
    layer = mask * np.float32(rgba[3] / 255)
    rest = 1 - layer
    colour *= rest
    for channel, level in zip(colour, rgba[2::-1], strict=True):
        channel += layer * np.float32(level)
    alpha *= rest
    alpha += layer


def chip_sprite(wh: tuple[int, int], radius: int, fill: Rgba, marks: tuple[Text | Panel, ...]) -> Sprite:
    """A chip, ready to blend. A new one takes a few tenths of a millisecond; it is kept after that."""
    return _chips.get((wh, radius, fill, marks))


def _make_chip(key: ChipKey) -> Sprite:
    (w, h), radius, fill, marks = key
    colour, alpha = np.zeros((3, h, w), np.float32), np.zeros((h, w), np.float32)
    _over(colour, alpha, _panel_mask(Panel(0, 0, w, h, radius, fill), (w, h)), fill)
    for mark in marks:
        # only where the mark is: glyphs may reach a little beyond their advance
        reach = mark.size_px // 4 if isinstance(mark, Text) else 1
        width = text_width(mark.text, mark.size_px, mark.bold) if isinstance(mark, Text) else mark.w
        x0, x1 = max(0, int(mark.x) - reach), min(w, int(mark.x + width) + reach + 1)
        if x1 <= x0:
            continue
        moved = replace(mark, x=mark.x - x0)
        size = (x1 - x0, h)
        mask = _text_mask(moved, size) if isinstance(moved, Text) else _panel_mask(moved, size)
        _over(colour[..., x0:x1], alpha[:, x0:x1], mask, mark.colour if isinstance(mark, Text) else mark.fill)
    return _sprite(colour, alpha)


#: A picture has some tens of chips. The figures on them change for ever, so whatever is allowed here fills
#: up: with 16 MB the program grew for an hour. A wide chip on a 4K picture is a megabyte.
KEPT_BYTES, KEPT_AT_LEAST = 2 << 20, 24


class _Kept:
    """The sprites used last, up to a number of bytes, but always some."""

    def __init__(self, make: Callable[[ChipKey], Sprite], limit_bytes: int) -> None:
        self._make, self._limit = make, limit_bytes
        self._sprites: OrderedDict[ChipKey, Sprite] = OrderedDict()
        self.size_bytes = 0

    def get(self, key: ChipKey) -> Sprite:
        sprite = self._sprites.get(key)
        if sprite is not None:
            self._sprites.move_to_end(key)
            return sprite
        sprite = self._sprites[key] = self._make(key)
        self.size_bytes += sprite.size_bytes
        while self.size_bytes > self._limit and len(self._sprites) > KEPT_AT_LEAST:
            self.size_bytes -= self._sprites.popitem(last=False)[1].size_bytes
        return sprite


_chips = _Kept(_make_chip, KEPT_BYTES)


@lru_cache(maxsize=256)
def corner_sprite(
    radius: int, stroke_px: int, halo_px: int, colour: Rgba, halo: Rgba, right: bool, low: bool
) -> Sprite:
    """A corner of a box, from ``halo_px`` outside its rectangle to ``radius`` inside it."""
    side = radius + halo_px
    # a rounded rectangle so large that only its first corner is on the sprite
    big = 4 * side + 64
    canvas = (side, side)

    def ring(inset: float, width: float) -> Mask:
        at, r = halo_px + inset, radius - inset
        outer = _panel_mask(Panel(at, at, big, big, max(0.0, r), halo), canvas)
        inner = _panel_mask(Panel(at + width, at + width, big, big, max(0.0, r - width), halo), canvas)
        between: Mask = np.clip(outer - inner, 0, 1)
        return between

    c, a = np.zeros((3, side, side), np.float32), np.zeros((side, side), np.float32)
    _over(c, a, ring(-halo_px, stroke_px + 2 * halo_px), halo)
    _over(c, a, ring(0, stroke_px), colour)
    step_x, step_y = -1 if right else 1, -1 if low else 1
    return _sprite(c[:, ::step_y, ::step_x], a[::step_y, ::step_x])


def _sprite(colour: NDArray[np.float32], alpha: Mask) -> Sprite:
    light = np.rint(colour).astype(np.uint8, order="C")
    rest = np.rint(255 * (1 - alpha)).astype(np.uint8, order="C")
    return Sprite(np.asarray(cv2.merge(list(light))), np.asarray(cv2.merge([rest] * 3)))
