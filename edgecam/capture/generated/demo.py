"""``demo:``: real photographs under a moving camera, without camera or network.

The photographs come with edgecam and are in the public domain or CC0; each one's credit is drawn into the
picture. Options, as in ``demo:?size=1280x720&rate=30&frames=300&live=1``: see
:mod:`edgecam.capture.generated.synthetic` for their meaning.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import cv2
import numpy as np

from edgecam.capture.files.pictures import read_image
from edgecam.capture.generated.source import GeneratedSource
from edgecam.capture.options import SourceOptions
from edgecam.capture.uri import Query, query_of
from edgecam.core.errors import SourceOpenError
from edgecam.core.types import Image
from edgecam.host.installation import mend

_KNOWN = ("size", "rate", "frames", "live")
# all four within twenty seconds, the length of `scripts/demo`
SCENE_S = 5.0
FADE_S = 0.8
# The canvas in parts of the frame: enough that whole-pixel steps of the camera are not seen.
CANVAS_SCALE = 1.5


@dataclass(frozen=True, slots=True)
class Photo:
    """A photograph, its credit, and the camera's way over it: (x, y, width) of the view's centre, in parts of
    the canvas, at the scene's start and end.
    """

    file: str
    credit: str
    start: tuple[float, float, float]
    end: tuple[float, float, float]


#: Where they lie; CREDITS.md there says where each comes from.
PHOTOGRAPHS = Path(__file__).with_name("photographs")


PHOTOS = (
    Photo(
        "astronaut.jpg", "Eileen Collins. Photo: NASA, public domain", (0.50, 0.52, 0.98), (0.50, 0.44, 0.70)
    ),
    Photo("chelsea.jpg", "Chelsea. Photo: Stefan van der Walt, CC0", (0.54, 0.48, 0.96), (0.48, 0.46, 0.78)),
    Photo(
        "grace_hopper.jpg",
        "Grace M. Hopper. Photo: James S. Davis, U.S. Navy, public domain",
        (0.50, 0.50, 0.96),
        (0.51, 0.38, 0.74),
    ),
    Photo("camera.jpg", "Photo: Lav Varshney, CC0", (0.56, 0.52, 0.80), (0.46, 0.50, 0.98)),
)


@dataclass(frozen=True, slots=True)
class _Scene:
    """``sharp``: the photograph as it is. ``ground``: its blurred, small picture in the frame's shape."""

    sharp: Image
    ground: Image
    credit: Image
    photo: Photo


class DemoSource(GeneratedSource):
    """Pans and zooms over each photograph for five seconds, then fades to the next, for ever.

    ``epoch`` rises with every frame of a fade: what was tracked in one photograph is not in the next, a
    mixture of the two is neither, and a cat's name must not stay on the woman who follows.

    Frame n is the same picture on every run. Cost at 720p on one core: about 2 ms, twice that while fading,
    and 10 ms more when a scene begins. Only the two canvases that are seen are kept (6 MB each at 720p).
    Raises SourceOpenError if the photographs are gone.
    """

    def __init__(
        self,
        size_wh: tuple[int, int] = (1280, 720),
        rate_hz: float = 30.0,
        *,
        frames: int = 0,
        live: bool = False,
        paced: bool = False,
    ) -> None:
        super().__init__("demo:", size_wh, rate_hz, frames=frames, live=live, paced=paced)
        self._scenes = _scenes(PHOTOGRAPHS, PHOTOS, size_wh)
        canvas_wh = round(size_wh[0] * CANVAS_SCALE), round(size_wh[1] * CANVAS_SCALE)
        # the present scene's and the one before's (or the one after's, when frames are skipped)
        self._canvases = [np.empty((canvas_wh[1], canvas_wh[0], 3), np.uint8) for _ in range(2)]
        self._painted: list[int | None] = [None, None]
        shown = f"{size_wh[0]}x{size_wh[1]} at {rate_hz:g} fps"
        self._description = f"demo: {shown}, {len(self._scenes)} public-domain photographs"
        sizes = [scene.credit.shape for scene in self._scenes]
        width, height = max(s[1] for s in sizes) / size_wh[0], max(s[0] for s in sizes) / size_wh[1]
        #: (x, y, width, height) in shares of the picture: where the credits stand, which nothing may cover.
        self.keep_clear = (0.0, 1.0 - height, width, height)

    @classmethod
    def from_uri(cls, uri: str, options: SourceOptions) -> DemoSource:
        """From the options in the address, then those of the command line. Raises ConfigError."""
        query = Query("demo", query_of(uri), _KNOWN)
        return cls(
            query.size("size", options.size_wh or (1280, 720)),
            query.number("rate", options.rate_hz or 30.0, 0.1, 1000),
            frames=query.integer("frames", 0, 0, 1 << 24),
            live=query.flag("live"),
            paced=options.paced,
        )

    def _draw(self, index: int) -> Image:
        at_s = index / self._rate_hz
        number, within_s = divmod(at_s, SCENE_S)
        # a scene goes on moving while the next one fades in over it
        image = self._view(int(number), within_s)
        fading = round(min(within_s, FADE_S) * self._rate_hz) if number >= 1 else 0
        self.epoch = int(number) * (round(FADE_S * self._rate_hz) + 1) + fading
        if within_s < FADE_S and number >= 1:
            share = within_s / FADE_S
            under = self._view(int(number) - 1, SCENE_S + within_s)
            image = cast(Image, cv2.addWeighted(image, share, under, 1.0 - share, 0.0))
        return image

    def _canvas(self, number: int) -> Image:
        """The canvas of scene ``number``, painted if need be. Two neighbouring scenes have a canvas each."""
        slot = number % 2
        if self._painted[slot] != number:
            _paint(self._scenes[number % len(self._scenes)], self._canvases[slot])
            self._painted[slot] = number
        return self._canvases[slot]

    def _view(self, number: int, within_s: float) -> Image:
        """What the camera sees ``within_s`` seconds into scene ``number``, with the photograph's credit."""
        scene = self._scenes[number % len(self._scenes)]
        canvas, photo = self._canvas(number), scene.photo
        share = within_s / (SCENE_S + FADE_S)
        eased = 0.5 - 0.5 * math.cos(math.pi * share)
        x, y, part = (a + (b - a) * eased for a, b in zip(photo.start, photo.end, strict=True))
        height, width = canvas.shape[:2]
        view_w, view_h = width * part, height * part
        left = min(max(x * width - view_w / 2, 0.0), width - view_w)
        top = min(max(y * height - view_h / 2, 0.0), height - view_h)
        # whole pixels of the canvas, which is larger than the frame: off by a third of the frame's pixel at
        # most, and five times as fast as cv2.warpAffine (1.1 against 5.3 ms at 720p, one core, OpenCV 5.0)
        x1, y1 = round(left), round(top)
        part_seen = canvas[y1 : y1 + round(view_h), x1 : x1 + round(view_w)]
        image = cast(Image, cv2.resize(part_seen, self._size_wh, interpolation=cv2.INTER_LINEAR))
        height, width = scene.credit.shape[:2]
        corner = image[-height:, :width]
        np.copyto(corner, cv2.addWeighted(corner, 0.35, scene.credit, 1.0, 0.0))
        return image


def _scenes(folder: Path, photos: Sequence[Photo], size_wh: tuple[int, int]) -> tuple[_Scene, ...]:
    found: list[tuple[Photo, Image]] = []
    for photo in photos:
        with contextlib.suppress(OSError, ValueError):
            found.append((photo, read_image(folder / photo.file)))
    scenes = tuple(
        _Scene(image, _ground(image, size_wh), _credit(photo.credit, size_wh), photo)
        for photo, image in found
    )
    if not scenes:
        raise SourceOpenError(f"demo: none of its photographs is in {folder}; install edgecam anew: {mend()}")
    return scenes


def _ground(photo: Image, size_wh: tuple[int, int]) -> Image:
    """The photograph's middle in the frame's shape: small, blurred and dark, to be enlarged."""
    photo_h, photo_w = photo.shape[:2]
    scale = CANVAS_SCALE / 12
    fill = max(size_wh[0] / photo_w, size_wh[1] / photo_h) * scale
    small = cv2.resize(
        photo, (max(2, round(photo_w * fill)), max(2, round(photo_h * fill))), interpolation=cv2.INTER_AREA
    )
    small = cv2.GaussianBlur(small, (0, 0), 4)
    small_h, small_w = small.shape[:2]
    width, height = max(2, round(size_wh[0] * scale)), max(2, round(size_wh[1] * scale))
    top, left = max(0, small_h - height) // 2, max(0, small_w - width) // 2
    middle = small[top : top + height, left : left + width]
    return cast(Image, cv2.convertScaleAbs(middle, alpha=0.45))


def _paint(scene: _Scene, canvas: Image) -> None:
    """The photograph whole, before the enlargement of its ground. In place: nothing large is allocated."""
    height, width = canvas.shape[:2]
    cv2.resize(scene.ground, (width, height), dst=canvas, interpolation=cv2.INTER_CUBIC)
    photo_h, photo_w = scene.sharp.shape[:2]
    fit = min(width / photo_w, height / photo_h)
    fit_w, fit_h = round(photo_w * fit), round(photo_h * fit)
    top, left = (height - fit_h) // 2, (width - fit_w) // 2
    place = canvas[top : top + fit_h, left : left + fit_w]
    cv2.resize(scene.sharp, (fit_w, fit_h), dst=place, interpolation=cv2.INTER_CUBIC)


def _credit(text: str, size_wh: tuple[int, int]) -> Image:
    """The credit in light letters on black, to be laid over the picture's lower left corner."""
    scale = max(0.35, size_wh[1] / 1440)
    (text_w, text_h), below = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    pad = text_h // 2 + 1
    patch = np.zeros(
        (min(text_h + below + 2 * pad, size_wh[1]), min(text_w + 2 * pad, size_wh[0]), 3), np.uint8
    )
    cv2.putText(patch, text, (pad, pad + text_h), cv2.FONT_HERSHEY_SIMPLEX, scale, (220,) * 3, 1, cv2.LINE_AA)
    return patch
