"""A paper stage: cut-out photographs move before photographed ground, so that films may be shown and copied.

Everything is drawn from ``material/`` (credits in its CREDITS.md). A film is a function from a time to a
picture; :func:`film` writes it as H.264.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
MATERIAL = Path(__file__).with_name("material")
WIDTH, HEIGHT, RATE_HZ = 1280, 720, 15


def photograph(name: str) -> Picture:
    """One of the photographs, BGR."""
    found = cv2.imread(str(MATERIAL / name), cv2.IMREAD_COLOR)
    assert found is not None, name
    return np.asarray(found, np.uint8)


@cache
def _cut_out(name: str, height: int, mirrored: bool) -> NDArray[np.float32]:
    """(H, W, 4) float: a figure with its alpha, scaled to ``height`` px."""
    figure = cv2.imread(str(MATERIAL / name), cv2.IMREAD_UNCHANGED)
    assert figure is not None and figure.shape[2] == 4, name
    scale = height / figure.shape[0]
    smaller = scale < 1
    figure = cv2.resize(
        figure, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    )
    return np.ascontiguousarray(figure[:, ::-1] if mirrored else figure, np.float32)


def _tiled(name: str, size_wh: tuple[int, int], tint: tuple[int, int, int], scale: float) -> Picture:
    tile = cv2.resize(photograph(name), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    width, height = size_wh
    tile = np.tile(tile, (height // tile.shape[0] + 1, width // tile.shape[1] + 1, 1))[:height, :width]
    return np.clip(tile * (np.array(tint) / 160.0), 0, 255).astype(np.uint8)


def ground(
    wall: str,
    wall_tint: tuple[int, int, int],
    floor: str,
    floor_tint: tuple[int, int, int],
    horizon: int,
) -> Picture:
    """A wall above, and a floor that is seen flat."""
    stage = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    stage[:horizon] = _tiled(wall, (WIDTH, horizon), wall_tint, 0.4)
    deep = HEIGHT - horizon
    flat = _tiled(floor, (2 * WIDTH, 3 * deep), floor_tint, 0.5)
    corners = [[0.6 * WIDTH, 0], [1.4 * WIDTH, 0], [2 * WIDTH, 3 * deep], [0, 3 * deep]]
    onto = [[0, 0], [WIDTH, 0], [WIDTH, deep], [0, deep]]
    way = cv2.getPerspectiveTransform(np.array(corners, np.float32), np.array(onto, np.float32))
    stage[horizon:] = cv2.warpPerspective(flat, way, (WIDTH, deep), flags=cv2.INTER_AREA)
    stage[horizon - 6 : horizon + 2] //= 2
    return stage


def put(
    stage: Picture,
    name: str,
    foot: tuple[float, float],
    height: int,
    *,
    mirrored: bool = False,
    shadow: bool = True,
) -> None:
    """Stands a figure onto the stage, its foot (bottom centre) at ``foot``; what is outside is cut off."""
    figure = _cut_out(name, height, mirrored)
    tall, wide = figure.shape[:2]
    left, top = round(foot[0] - wide / 2), round(foot[1] - tall)
    if shadow:
        y1, y2 = max(0, round(foot[1]) - 60), min(HEIGHT, round(foot[1]) + 60)
        dark = np.zeros((y2 - y1, WIDTH), np.float32)
        at, axes = (round(foot[0]), round(foot[1]) - 4 - y1), (round(0.45 * wide), max(4, round(0.04 * tall)))
        cv2.ellipse(dark, at, axes, 0, 0, 360, 0.5, -1)
        light = 1 - cv2.blur(cv2.blur(dark, (17, 17)), (17, 17))
        stage[y1:y2] = (stage[y1:y2] * light[..., None]).astype(np.uint8)
    x1, y1, x2, y2 = max(0, left), max(0, top), min(WIDTH, left + wide), min(HEIGHT, top + tall)
    if x1 >= x2 or y1 >= y2:
        return
    part = figure[y1 - top : y2 - top, x1 - left : x2 - left]
    alpha = part[..., 3:] / 255
    stage[y1:y2, x1:x2] = (part[..., :3] * alpha + stage[y1:y2, x1:x2] * (1 - alpha)).astype(np.uint8)


def between(way: list[tuple[float, float, float]], t: float) -> tuple[float, float]:
    """Where one is at ``t`` on a way of (time, x, y); before its first and after its last time, there."""
    times = [w[0] for w in way]
    return float(np.interp(t, times, [w[1] for w in way])), float(np.interp(t, times, [w[2] for w in way]))


def walker(
    stage: Picture, way: list[tuple[float, float, float]], t: float, height: int = 470, which: str = "walker"
) -> None:
    """Somebody on a way, who nods at each step and looks where he goes."""
    x, y = between(way, t)
    ahead = between(way, t + 0.1)[0] - between(way, t - 0.1)[0]
    put(stage, f"{which}.png", (x, y + 4 * abs(np.sin(5 * t)) * (ahead != 0)), height, mirrored=ahead > 0)


@cache
def _grain(seed: int) -> NDArray[np.int16]:
    grain = np.random.default_rng(seed).normal(0, 2.0, (HEIGHT, WIDTH, 1)).astype(np.int16)
    return np.repeat(grain, 3, axis=2)


def noisy(stage: Picture, index: int) -> Picture:
    """With a sensor's noise: no camera sends the same picture twice."""
    grained = cv2.add(stage, np.roll(_grain(index % 4), 37 * index, axis=1), dtype=cv2.CV_8U)
    return np.asarray(grained, np.uint8)


def film(target: Path, at: Callable[[float], Picture], seconds: float) -> Path:
    """Writes ``at(0) … at(seconds)`` as an H.264 film of 15 pictures a second."""
    with av.open(str(target), "w") as out:
        stream = out.add_stream("libx264", rate=RATE_HZ, options={"crf": "18", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for index in range(round(seconds * RATE_HZ)):
            frame = av.VideoFrame.from_ndarray(noisy(at(index / RATE_HZ), index), format="bgr24")
            frame.pts, frame.time_base = index, Fraction(1, RATE_HZ)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return target
