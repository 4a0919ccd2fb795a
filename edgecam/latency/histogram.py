"""The histogram picture, drawn by the overlay's own painter: no matplotlib needed on a board."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from edgecam.core.errors import RecordError
from edgecam.core.types import Image
from edgecam.overlay.font import text_width, writable
from edgecam.overlay.scene import Chip, Panel, Rgba, Scene, Text, View
from edgecam.overlay.scene_cv import paint_cv

WH = (960, 540)
_LEFT, _RIGHT, _TOP, _FOOT = 70, 40, 96, 70
_INK: Rgba = (16, 18, 24, 255)
_SOFT: Rgba = (16, 18, 24, 150)
_GRID: Rgba = (16, 18, 24, 28)
_BAR: Rgba = (0, 114, 178, 255)
_MARK: Rgba = (213, 94, 0, 255)
#: Widths of a bar and steps of an axis that people can read.
_STEPS = (1, 2, 5, 10, 20, 25, 50, 100, 200, 500, 1000, 2000, 5000)
_BARS_MOST = 40


def _step(span: float, most: int) -> int:
    return next((s for s in _STEPS if span / s <= most), _STEPS[-1])


def _mid(x: float, y: float, text: str, size: int, bold: bool, colour: Rgba) -> Text:
    return Text(x - text_width(text, size, bold) / 2, y, text, size, bold, colour)


def draw_histogram(total_ms: Sequence[float], title: str) -> Image:
    """Bars of the latencies with p50 and p95 marked; (540, 960, 3) uint8 BGR. At least one value."""
    values = np.asarray(total_ms, np.float64)
    low, high = float(values.min()), float(values.max())
    width = _step(high - low, _BARS_MOST)
    first = int(low // width) * width
    last = int(high // width + 1) * width
    counts, _ = np.histogram(values, bins=np.arange(first, last + width, width))
    x0, x1, y0, y1 = _LEFT, WH[0] - _RIGHT, _TOP, WH[1] - _FOOT
    scale_x, most = (x1 - x0) / (last - first), int(counts.max())
    marks: list[Text | Panel] = []
    step = max(1, _step(most, 5))
    for count in range(0, most + 1, step):
        y = y1 - (y1 - y0) * count / most
        marks.append(Panel(x0, y, x1 - x0, 1, 0, _GRID))
        text = str(count)
        marks.append(Text(x0 - 12 - text_width(text, 15, False), y + 5, text, 15, False, _SOFT))
    for i, count in enumerate(counts):
        height = (y1 - y0) * int(count) / most
        if count:
            marks.append(
                Panel(x0 + i * width * scale_x + 1, y1 - height, width * scale_x - 2, height, 2, _BAR)
            )
    tick = _step(last - first, 10)
    marks += [
        _mid(x0 + (at - first) * scale_x, y1 + 24, str(at), 15, False, _SOFT)
        for at in range(-(-first // tick) * tick, last + 1, tick)
    ]
    marks.append(_mid((x0 + x1) / 2, y1 + 52, "glass to glass, ms", 16, False, _INK))
    p50, p95 = (float(v) for v in np.percentile(values, (50, 95)))
    for name, value, y in (("p50", p50, y0 - 26), ("p95", p95, y0 - 6)):
        x = x0 + (value - first) * scale_x
        marks.append(Panel(x - 1, y - 4, 2, y1 - y + 4, 0, _MARK))
        text = f"{name} {value:.0f} ms"
        left = min(x + 6, WH[0] - 10 - text_width(text, 16, True))
        marks.append(Text(left, y + 6, text, 16, True, _MARK))
    head = writable(title)
    marks.append(Text(x0, 40, head, 22, True, _INK))
    note = f"{len(values)} changes of the code, bars of {width} ms"
    marks.append(Text(WH[0] - _RIGHT - text_width(note, 15, False), WH[1] - 16, note, 15, False, _SOFT))
    page = Chip(0, 0, *WH, 0, (255, 255, 255, 255), tuple(marks))
    return paint_cv(Scene(WH, View(0, 0, *WH), (page,)), np.full((WH[1], WH[0], 3), 255, np.uint8))


def write_histogram(path: Path, total_ms: Sequence[float], title: str) -> None:
    """Write the picture as PNG. Raises RecordError."""
    ok, data = cv2.imencode(".png", draw_histogram(total_ms, title))
    try:
        if not ok:
            raise RecordError(f"histogram '{path}' could not be encoded as PNG")
        path.write_bytes(data.tobytes())
    except OSError as error:
        raise RecordError(
            f"histogram '{path}' cannot be written: {error.strerror}; choose another with --histogram"
        ) from error
