"""Paints a scene with QPainter: the window. On the GUI thread, after QApplication exists."""

from __future__ import annotations

from functools import lru_cache

from PyQt6.QtCore import QPointF, QRectF, Qt
from PyQt6.QtGui import QColor, QFont, QFontDatabase, QImage, QPainter, QPen

from edgecam.overlay.font import BOLD_FILE, MEDIUM_FILE
from edgecam.overlay.scene import OUTLINE_RIM, Box, Chip, Outline, Panel, Rgba, Scene, Text

HALO = QColor(0, 0, 0, 120)  # as scene_cv's


@lru_cache(maxsize=2)
def family(bold: bool) -> str:
    """The name under which Qt knows the overlay's own font; loads it the first time."""
    file = BOLD_FILE if bold else MEDIUM_FILE
    number = QFontDatabase.addApplicationFont(str(file))
    names = QFontDatabase.applicationFontFamilies(number)
    if not names:
        raise RuntimeError(f"Qt cannot read edgecam's own font {file}; reinstall edgecam")
    return names[0]


@lru_cache(maxsize=64)
def font(size_px: int, bold: bool) -> QFont:
    """The overlay's font as Qt measures it alike: unhinted and without kerning."""
    chosen = QFont(family(bold))
    chosen.setPixelSize(size_px)
    chosen.setHintingPreference(QFont.HintingPreference.PreferNoHinting)
    chosen.setKerning(False)
    return chosen


@lru_cache(maxsize=256)
def _colour(rgba: Rgba) -> QColor:
    return QColor(*rgba)


def paint_qt(scene: Scene, painter: QPainter) -> None:
    """The scene's boxes and chips. One unit of the painter is one pixel of the scene's canvas.

    The picture beneath, greyed or not, is the caller's.
    """
    painter.save()
    painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.TextAntialiasing)
    for item in scene.items:
        if isinstance(item, Box):
            _box(item, painter)
        elif isinstance(item, Outline):
            _outline(item, painter)
        else:
            _chip(item, painter)
    painter.restore()


def _box(box: Box, painter: QPainter) -> None:
    stroke = max(1, min(box.stroke_px, box.w // 2, box.h // 2))
    radius = max(stroke, min(box.radius, box.w // 2, box.h // 2)) - stroke / 2
    middle = QRectF(box.x, box.y, box.w, box.h).adjusted(stroke / 2, stroke / 2, -stroke / 2, -stroke / 2)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for width, colour in ((stroke + 2 * box.halo_px, HALO), (stroke, _colour(box.colour))):
        painter.setPen(QPen(colour, width))
        painter.drawRoundedRect(middle, radius, radius)


def _outline(line: Outline, painter: QPainter) -> None:
    # a pixel's middle, as OpenCV counts
    points = [QPointF(x + 0.5, y + 0.5) for x, y in line.points]
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for width, colour in ((line.stroke_px + 2 * line.halo_px, OUTLINE_RIM), (line.stroke_px, line.colour)):
        painter.setPen(
            QPen(
                _colour(colour),
                width,
                Qt.PenStyle.SolidLine,
                Qt.PenCapStyle.RoundCap,
                Qt.PenJoinStyle.RoundJoin,
            )
        )
        if line.closed:
            painter.drawPolygon(*points)
        else:
            painter.drawPolyline(*points)


def _panel(panel: Panel, painter: QPainter) -> None:
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(_colour(panel.fill))
    radius = min(panel.radius, panel.w / 2, panel.h / 2)
    painter.drawRoundedRect(QRectF(panel.x, panel.y, panel.w, panel.h), radius, radius)


def _chip(chip: Chip, painter: QPainter) -> None:
    painter.drawImage(chip.x, chip.y, _chip_image((chip.w, chip.h), chip.radius, chip.fill, chip.marks))


@lru_cache(maxsize=64)
def _chip_image(wh: tuple[int, int], radius: int, fill: Rgba, marks: tuple[Text | Panel, ...]) -> QImage:
    image = QImage(*wh, QImage.Format.Format_ARGB32_Premultiplied)
    image.fill(0)
    painter = QPainter(image)
    painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.TextAntialiasing)
    _panel(Panel(0, 0, *wh, radius, fill), painter)
    for mark in marks:
        if isinstance(mark, Text):
            painter.setPen(_colour(mark.colour))
            painter.setFont(font(mark.size_px, mark.bold))
            painter.drawText(QPointF(mark.x, round(mark.baseline)), mark.text)
        else:
            _panel(mark, painter)
    painter.end()
    return image
