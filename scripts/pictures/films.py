"""The films of the recipes, each a function from a time in seconds to a picture."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray
from stage import HEIGHT, WIDTH, Picture, between, ground, put, walker


@cache
def _house() -> Picture:
    stage = ground("brick.jpg", (110, 130, 190), "gravel.jpg", (150, 150, 150), 430)
    cv2.rectangle(stage, (470, 70), (700, 432), (52, 66, 84), -1)
    cv2.rectangle(stage, (484, 84), (686, 432), (48, 84, 46), -1)
    for top in (110, 270):
        cv2.rectangle(stage, (510, top), (660, top + 130), (40, 70, 38), 4)
    cv2.circle(stage, (668, 270), 9, (120, 190, 210), -1, cv2.LINE_AA)
    return stage


@cache
def _street() -> Picture:
    return ground("grass.jpg", (60, 120, 70), "gravel.jpg", (150, 150, 150), 300)


@cache
def _garden() -> Picture:
    stage = ground("grass.jpg", (45, 95, 60), "grass.jpg", (80, 165, 95), 300)
    cv2.rectangle(stage, (630, 520), (660, HEIGHT), (50, 78, 104), -1)
    cv2.rectangle(stage, (400, 492), (890, 524), (66, 104, 140), -1)
    cv2.rectangle(stage, (400, 516), (890, 524), (44, 70, 96), -1)
    return stage


def at_the_door(t: float) -> Picture:
    """Somebody comes from the right, stands before the door from 4 s to 11 s, and leaves to the left."""
    stage = _house().copy()
    walker(stage, [(0.5, 1400, 640), (4.0, 640, 600), (11.0, 640, 600), (14.5, -150, 640)], t)
    return stage


def through_the_gate(t: float) -> Picture:
    """Two go in from the left to the right, one comes out, 16 s."""
    stage = _street().copy()
    walker(stage, [(4.5, 1400, 560), (10.5, -200, 560)], t, 400, "walker-2")
    walker(stage, [(0.0, -150, 650), (5.5, 1450, 650)], t)
    walker(stage, [(9.0, -150, 660), (15.0, 1450, 660)], t)
    return stage


def parked_car(t: float) -> Picture:
    """A car stands in the drive; somebody passes at 6 s; it drives away at 14 s."""
    stage = _street().copy()
    x, y = between([(14.0, 760, 560), (17.0, 1600, 560)], t)
    put(stage, "sedan.png", (x, y), 170)
    walker(stage, [(5.0, -150, 690), (10.0, 1450, 690)], t, 440)
    return stage


def at_the_feeder(t: float) -> Picture:
    """A blackbird comes at 2 s and leaves at 9 s, a lark comes at 11 s; 18 s."""
    stage = _garden().copy()
    for name, way, height in (
        ("blackbird.png", [(1.5, -200, 100), (2.3, 600, 498), (9.0, 660, 498), (9.7, 1500, 60)], 250),
        ("lark.png", [(10.5, 1500, 80), (11.2, 690, 498), (17.0, 650, 498), (17.8, -200, 90)], 190),
    ):
        x, y = between([(float(a), float(b), float(c)) for a, b, c in way], t)
        pecks = 3 * np.sin(3 * t) if y > 490 else 0.0
        put(stage, name, (x, y + pecks), height, mirrored=name == "lark.png" and t < 17, shadow=False)
    return stage


@cache
def _lamp_light() -> NDArray[np.float32]:
    small = np.zeros((HEIGHT // 8, WIDTH // 8), np.float32)
    cv2.ellipse(small, (73, 41), (65, 60), 0, 0, 360, 1.0, -1)
    lamp = cv2.resize(cv2.GaussianBlur(small, (0, 0), 15), (WIDTH, HEIGHT))
    return ((0.2 + 0.55 * lamp[..., None]) * np.array([1.0, 0.97, 0.86])).astype(np.float32)


def night(t: float) -> Picture:
    """The house at night; somebody passes at 8 s and at 30 s; 40 s."""
    stage = _house().copy()
    walker(stage, [(7.0, 1400, 640), (13.0, -150, 640)], t)
    walker(stage, [(29.0, -150, 650), (36.0, 1450, 650)], t, which="walker-2")
    return np.asarray(cv2.multiply(stage, _lamp_light(), dtype=cv2.CV_8U), np.uint8)


@cache
def _field() -> Picture:
    stage = ground("gravel.jpg", (200, 175, 140), "gravel.jpg", (110, 130, 150), 330)
    stage[:324] = np.linspace((215, 170, 120), (235, 220, 200), 324)[:, None].astype(np.uint8)
    return stage


@cache
def _bricks() -> Picture:
    return ground("brick.jpg", (110, 130, 190), "gravel.jpg", (1, 1, 1), HEIGHT - 1)


def building_site(t: float) -> Picture:
    """A wall grows for 12 s, while the day goes by."""
    stage, bricks = _field().copy(), _bricks()
    top = round(600 - 26 * int(min(t, 11.5)))
    stage[top:600, 300:1000] = bricks[top:600, 300:1000]
    if top < 430:
        stage[max(top, 400) : 520, 560:740] = (60, 60, 60)
    walker(stage, [(0.0, 1150, 690), (4.0, 900, 680), (8.0, 1150, 690), (12.0, 850, 690)], t, 330)
    day = 0.55 + 0.45 * np.sin(np.pi * (0.12 + 0.8 * t / 12))
    return np.asarray(cv2.convertScaleAbs(stage, alpha=float(day)), np.uint8)
