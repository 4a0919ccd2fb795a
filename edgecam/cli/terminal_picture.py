"""A picture in a terminal: as sixels where the terminal says it can, else as half blocks in colour."""

from __future__ import annotations

import os
import select
import shutil
import struct
import sys
import time
from collections.abc import Mapping
from itertools import groupby
from typing import Literal, TextIO, cast

import cv2
import numpy as np
import numpy.typing as npt

from edgecam.core.types import Image

Way = Literal["sixel", "blocks", "off"]

#: Sixel terminals have cells of about 10 x 20 pixels; the picture is not made wider than this.
_SIXEL_WIDTH = 800
#: Steps of red, green and blue in the sixel palette: 252 of the 256 colours that the oldest terminals have.
_STEPS = (6, 7, 6)
_BAYER = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]]) / 16 - 0.5
#: How long a terminal may take to say what it is.
_ANSWER_S = 0.4
#: A box's colour where there is no room for a palette: yellow, seen on anything.
_BOX = (0, 230, 255)


def choose_way(out: TextIO, environ: Mapping[str, str] = os.environ) -> Way:
    """What this terminal can show. Asks it (DA1, attribute 4 is sixel: the VT340's manual), briefly."""
    if not out.isatty() or environ.get("TERM", "dumb") == "dumb" or "NO_COLOR" in environ:
        return "off"
    if _says_sixel():
        return "sixel"
    return "blocks" if (out.encoding or "").lower().replace("-", "") == "utf8" else "off"


def _says_sixel() -> bool:
    import termios
    import tty

    if not sys.stdin.isatty():
        return False
    fd = sys.stdin.fileno()
    before = termios.tcgetattr(fd)
    answer = b""
    try:
        tty.setcbreak(fd)
        os.write(sys.stdout.fileno(), b"\x1b[c")
        until = time.monotonic() + _ANSWER_S
        while not answer.endswith(b"c") and len(answer) < 64:
            ready, _, _ = select.select([fd], [], [], max(until - time.monotonic(), 0))
            if not ready:
                break
            answer += os.read(fd, 16)
    except OSError:
        return False
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)
    return b"4" in answer.rpartition(b"?")[2].rstrip(b"c").split(b";")


def picture_text(
    annotated: Image,
    plain: Image,
    boxes: npt.NDArray[np.float32],
    way: Way,
    environ: Mapping[str, str] = os.environ,
) -> str:
    """What to print so that the picture is seen; empty for ``off``.

    annotated, plain: (H, W, 3) uint8 BGR, with and without what is drawn in. boxes: (N, 4) pixels; characters
    are too coarse for labels, so boxes alone are drawn into those.
    """
    if way == "off":
        return ""
    columns, rows = shutil.get_terminal_size((80, 24))
    if way == "sixel":
        wide, high = _pixels(columns, rows)
        return sixel(_fitted(annotated, min(_SIXEL_WIDTH, wide), max(high * (rows - 5) // rows, 80)))
    small = _fitted(plain, min(columns, 120), 2 * max(rows - 5, 8))
    share = small.shape[1] / plain.shape[1]
    for x1, y1, x2, y2 in np.rint(boxes * share).astype(int).tolist():
        cv2.rectangle(small, (x1, y1), (max(x1, x2 - 1), max(y1, y2 - 1)), _BOX, 1)
    return half_blocks(small, environ.get("COLORTERM", "") in ("truecolor", "24bit"))


def _pixels(columns: int, rows: int) -> tuple[int, int]:
    """The terminal's size in pixels, as the kernel has it (ioctl_tty(2)); else a usual cell's."""
    import fcntl
    import termios

    try:
        _, _, wide, high = struct.unpack("4H", fcntl.ioctl(sys.stdout.fileno(), termios.TIOCGWINSZ, bytes(8)))
    except OSError:
        wide = high = 0
    return (wide, high) if wide and high else (9 * columns, 18 * rows)


def _fitted(image: Image, width: int, height: int) -> Image:
    share = min(width / image.shape[1], height / image.shape[0], 1.0)
    size = max(1, round(image.shape[1] * share)), max(1, round(image.shape[0] * share))
    return cast(Image, cv2.resize(image, size, interpolation=cv2.INTER_AREA))


def half_blocks(image: Image, true_colour: bool) -> str:
    """Two pixels a character: the upper one in the letter's colour, the lower one behind it."""
    height, width = image.shape[0] // 2 * 2, image.shape[1]
    lines = []
    for y in range(0, height, 2):
        parts = []
        for x in range(width):
            above, below = (_colour(image[y + i, x], true_colour) for i in (0, 1))
            parts.append(f"\x1b[38;{above};48;{below}m▀")
        lines.append("".join(parts) + "\x1b[0m")
    return "\n".join(lines) + "\n"


def _colour(bgr: npt.NDArray[np.uint8], true_colour: bool) -> str:
    blue, green, red = (int(v) for v in bgr)
    if true_colour:
        return f"2;{red};{green};{blue}"
    # the 6 x 6 x 6 cube of xterm's 256 colours begins at 16
    return f"5;{16 + 36 * round(red / 51) + 6 * round(green / 51) + round(blue / 51)}"


def sixel(image: Image) -> str:
    """``image`` as a DEC sixel string, dithered to 252 colours."""
    height, width = image.shape[:2]
    levels = np.array(_STEPS) - 1
    noise = np.tile(_BAYER, (height // 4 + 1, width // 4 + 1))[:height, :width, None]
    scaled = image[:, :, ::-1] / 255 * levels
    steps = np.clip(np.rint(scaled + noise), 0, levels).astype(int)
    index = (steps[:, :, 0] * _STEPS[1] + steps[:, :, 1]) * _STEPS[2] + steps[:, :, 2]
    parts = ["\x1bPq", f'"1;1;{width};{height}']
    for colour in np.unique(index):
        red, rest = divmod(int(colour), _STEPS[1] * _STEPS[2])
        green, blue = divmod(rest, _STEPS[2])
        shares = (round(100 * v / top) for v, top in zip((red, green, blue), levels, strict=True))
        parts.append(f"#{colour};2;" + ";".join(map(str, shares)))
    for top in range(0, height, 6):
        band = index[top : top + 6]
        bits = (1 << np.arange(band.shape[0]))[:, None]
        for colour in np.unique(band):
            row = ((band == colour) * bits).sum(axis=0)
            parts.append(f"#{colour}{_runs(row)}$")
        parts.append("-")
    return "".join(parts) + "\x1b\\\n"


def _runs(row: npt.NDArray[np.int64]) -> str:
    text = []
    for value, group in groupby(row.tolist()):
        count, letter = sum(1 for _ in group), chr(63 + value)
        text.append(f"!{count}{letter}" if count > 3 else letter * count)
    return "".join(text)
