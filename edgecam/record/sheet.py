"""A contact sheet: one picture that tells what is in a clip."""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path

import cv2
import numpy as np

from edgecam.core.types import Image
from edgecam.host.beneath import write_new
from edgecam.record.clip_files import part_path

log = logging.getLogger(__name__)

COLUMNS, ROWS = 4, 3
#: Width of one small picture; the sheet is then 976 px wide, a web page's column.
THUMBNAIL_PX = 240
GAP_PX = 4


def thumbnail(image: Image, width: int = THUMBNAIL_PX) -> Image:
    """``image`` (H, W, 3) uint8 BGR made ``width`` wide, shape kept."""
    height = max(1, round(image.shape[0] * width / image.shape[1]))
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


class ContactSheet:
    """Collects small pictures while a clip is recorded; of a long clip, fewer of each stretch."""

    def __init__(self) -> None:
        self._kept: list[tuple[float, Image]] = []
        self._stride = 1
        self._seen = 0

    def add(self, picture: Image, at_s: float) -> None:
        """Offer a picture (all of one size); memory is bounded to twice the sheet's places."""
        if self._seen % self._stride == 0:
            self._kept.append((at_s, picture))
            if len(self._kept) >= 2 * COLUMNS * ROWS:
                self._kept = self._kept[::2]
                self._stride *= 2
        self._seen += 1

    def draw(self) -> Image | None:
        """The sheet, (H, W, 3) uint8 BGR, or None without pictures."""
        cells = COLUMNS * ROWS
        if not self._kept:
            return None
        n = min(cells, len(self._kept))
        chosen = [self._kept[round(i * (len(self._kept) - 1) / max(1, n - 1))] for i in range(n)]
        height, width = chosen[0][1].shape[:2]
        columns = min(COLUMNS, n)
        rows = (n + columns - 1) // columns
        sheet = np.full(
            (rows * (height + GAP_PX) + GAP_PX, columns * (width + GAP_PX) + GAP_PX, 3), 24, np.uint8
        )
        for i, (at_s, picture) in enumerate(chosen):
            y = GAP_PX + i // columns * (height + GAP_PX)
            x = GAP_PX + i % columns * (width + GAP_PX)
            sheet[y : y + height, x : x + width] = picture[:height, :width]
            text = f"{int(at_s) // 60}:{at_s % 60:04.1f}"
            (w, h), below = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.45, 1)
            corner = (x + w + 10, y + height - h - below - 6)
            cv2.rectangle(sheet, (x, y + height - 1), corner, (24, 24, 24), cv2.FILLED)
            foot = (x + 5, y + height - below - 2)
            cv2.putText(sheet, text, foot, cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 255, 255), 1, cv2.LINE_AA)
        return sheet

    def save(self, path: Path) -> Path | None:
        """Write the sheet as JPEG; None if there is nothing to draw or no room. Never raises for the disk."""
        sheet = self.draw()
        if sheet is None:
            return None
        part = part_path(path)
        try:
            ok, data = cv2.imencode(".jpg", sheet, [cv2.IMWRITE_JPEG_QUALITY, 82])
            if not ok:
                return None
            write_new(part, data.tobytes())
            part.replace(path)
        except OSError as error:
            log.debug("no contact sheet %s: %s", path, error)
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            return None
        return path
