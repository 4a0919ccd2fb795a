"""Paints a scene into a picture with OpenCV: clips, snapshots, streams. One thread at a time."""

from __future__ import annotations

import cv2
import numpy as np

from edgecam.core.types import Image
from edgecam.overlay.scene import OUTLINE_RIM, Box, Chip, Outline, Rgba, Scene
from edgecam.overlay.sprites import Sprite, chip_sprite, corner_sprite

HALO: Rgba = (0, 0, 0, 120)
# A picture that is not current: no colour, and this much of its light
GREY_LIGHT = 0.55


def paint_cv(scene: Scene, image_bgr: Image, out: Image | None = None) -> Image:
    """The picture with the scene on it.

    image_bgr: (H, W, 3) uint8 BGR; scaled to ``scene.view`` if its size differs; never written to.
    out: (canvas height, canvas width, 3) uint8, C-contiguous, written and returned; a new array if None. It
        may be ``image_bgr`` itself, to paint in place.

    Raises ValueError if ``out`` has another shape.
    """
    width, height = scene.canvas_wh
    if out is None:
        out = np.empty((height, width, 3), np.uint8)
    elif out.shape != (height, width, 3) or out.dtype != np.uint8:
        raise ValueError(f"out is {out.shape} {out.dtype}, the scene needs {(height, width, 3)} uint8")
    _background(scene, image_bgr, out)
    for item in scene.items:
        if isinstance(item, Box):
            _box(item, out)
        elif isinstance(item, Outline):
            _outline(item, out)
        else:
            _chip(item, out)
    return out


def _background(scene: Scene, image: Image, out: Image) -> None:
    view = scene.view
    target = out[view.y : view.y + view.h, view.x : view.x + view.w]
    if (view.w, view.h) != scene.canvas_wh:
        out[: view.y], out[view.y + view.h :] = 0, 0
        out[:, : view.x], out[:, view.x + view.w :] = 0, 0
    if image.shape[:2] != (view.h, view.w):
        shrinks = image.shape[0] > view.h
        image = np.asarray(
            cv2.resize(
                image, (view.w, view.h), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
            ),
            np.uint8,
        )
    if scene.greyed:
        grey = cv2.convertScaleAbs(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), alpha=GREY_LIGHT)
        target[:] = grey[..., None]
    elif target is not image and not np.shares_memory(target, image):
        np.copyto(target, image)


def _blend(sprite: Sprite, out: Image, x: int, y: int) -> None:
    h, w = sprite.rest.shape[:2]
    y0, x0, y1, x1 = max(y, 0), max(x, 0), min(y + h, out.shape[0]), min(x + w, out.shape[1])
    if y1 <= y0 or x1 <= x0:
        return
    part = np.s_[y0 - y : y1 - y, x0 - x : x1 - x]
    roi = out[y0:y1, x0:x1]
    cv2.multiply(roi, sprite.rest[part], roi, 1 / 255)
    cv2.add(roi, sprite.light[part], roi)


def _outline(line: Outline, out: Image) -> None:
    points = [np.array(line.points, np.int32)]
    for width, colour in (
        (line.stroke_px + 2 * line.halo_px, OUTLINE_RIM),
        (line.stroke_px, line.colour),
    ):
        cv2.polylines(out, points, line.closed, (colour[2], colour[1], colour[0]), width, cv2.LINE_AA)


def _chip(chip: Chip, out: Image) -> None:
    _blend(chip_sprite((chip.w, chip.h), chip.radius, chip.fill, chip.marks), out, chip.x, chip.y)


def _fill(out: Image, x0: int, y0: int, x1: int, y1: int, colour: Rgba) -> None:
    x0, y0 = max(x0, 0), max(y0, 0)
    if x1 > x0 and y1 > y0:
        roi = out[y0:y1, x0:x1]
        if colour[3] == 255:
            cv2.rectangle(out, (x0, y0), (x1 - 1, y1 - 1), (colour[2], colour[1], colour[0]), cv2.FILLED)
        elif roi.size:  # the halo is black: blending with it is a multiplication
            cv2.convertScaleAbs(roi, roi, alpha=1 - colour[3] / 255)


def _box(box: Box, out: Image) -> None:
    x1, y1, x2, y2 = box.x, box.y, box.x + box.w, box.y + box.h
    stroke = max(1, min(box.stroke_px, box.w // 2, box.h // 2))
    radius = max(stroke, min(box.radius, box.w // 2, box.h // 2))
    halo, r = box.halo_px, radius
    # the dark rims on both sides of the stroke at once; the stroke covers what lies between
    for inset, width, colour in ((-halo, stroke + 2 * halo, HALO), (0, stroke, box.colour)):
        _fill(out, x1 + r, y1 + inset, x2 - r, y1 + inset + width, colour)
        _fill(out, x1 + r, y2 - inset - width, x2 - r, y2 - inset, colour)
        _fill(out, x1 + inset, y1 + r, x1 + inset + width, y2 - r, colour)
        _fill(out, x2 - inset - width, y1 + r, x2 - inset, y2 - r, colour)
    for fx, fy in ((False, False), (True, False), (False, True), (True, True)):
        sprite = corner_sprite(radius, stroke, halo, box.colour, HALO, fx, fy)
        _blend(sprite, out, x2 - radius if fx else x1 - halo, y2 - radius if fy else y1 - halo)
