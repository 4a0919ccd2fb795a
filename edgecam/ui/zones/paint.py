"""Paints the editor's shapes over the picture. GUI thread only."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PyQt6.QtCore import QLineF, QPointF, QRectF, Qt
from PyQt6.QtGui import QColor, QFontMetricsF, QPainter, QPen, QPolygonF

from edgecam.core.areas import Point
from edgecam.overlay.scene_qt import font
from edgecam.ui.zones.draft import Draft, Shape
from edgecam.ui.zones.reach import PictureRect, middles

#: As the overlay's: zones, what is chosen, masks, motion.
ZONE, CHOSEN, MASK, MOTION = (
    QColor(86, 180, 233),
    QColor(255, 255, 255),
    QColor(150, 156, 165),
    QColor(230, 159, 0),
)
RIM = QColor(14, 17, 23, 220)
HANDLE_PX, STROKE_PX, TEXT_PX = 9.0, 2.4, 15.0
WORDS = {"zone": "", "motion": "movement", "mask": "nothing counts"}


def paint_draft(painter: QPainter, draft: Draft, rect: PictureRect, scale: float) -> None:
    """All shapes, the chosen one with its corners, and what is being drawn."""
    painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.TextAntialiasing)
    for number, shape in enumerate(draft.shapes):
        if number != draft.chosen:
            _shape(painter, shape, rect, scale, False)
    chosen = draft.shape
    if chosen is not None:
        _shape(painter, chosen, rect, scale, True)
        for x, y in middles(chosen):
            _handle(painter, _at(rect, (x, y)), scale * 0.55, QColor(255, 255, 255, 150))
        for number, point in enumerate(chosen.points):
            _handle(painter, _at(rect, point), scale, ZONE if number == draft.corner else CHOSEN)
    if draft.drawing:
        points = [_at(rect, p) for p in draft.drawing]
        _way(painter, points, False, CHOSEN, scale)
        for number, at in enumerate(points):
            closes = number == 0 and len(points) >= 3 and not draft.line
            _handle(painter, at, scale * (1.5 if closes else 1.0), ZONE if closes else CHOSEN)


def paint_hint(painter: QPainter, text: str, area: QRectF, top: bool, scale: float) -> None:
    """A sentence at the upper or the lower edge of ``area``."""
    painter.setFont(font(max(11, round(TEXT_PX * scale)), True))
    flags = int(Qt.AlignmentFlag.AlignCenter) | int(Qt.TextFlag.TextWordWrap)
    space = area.adjusted(24 * scale, 0, -24 * scale, 0)
    inner = painter.boundingRect(space, flags, text)
    box = QRectF(0, 0, inner.width() + 28 * scale, inner.height() + 14 * scale)
    box.moveCenter(QPointF(area.center().x(), 0))
    box.moveTop(area.top() + 10 * scale if top else area.bottom() - box.height() - 10 * scale)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(14, 17, 23, 215))
    painter.drawRoundedRect(box, 10 * scale, 10 * scale)
    painter.setPen(CHOSEN)
    painter.drawText(box, flags, text)


def _at(rect: PictureRect, point: Point) -> QPointF:
    return QPointF(*rect.on_screen(point))


def _colour(shape: Shape) -> QColor:
    return {"zone": ZONE, "mask": MASK, "motion": MOTION}[shape.use]


def _shape(painter: QPainter, shape: Shape, rect: PictureRect, scale: float, chosen: bool) -> None:
    points, colour = [_at(rect, p) for p in shape.points], _colour(shape)
    if not shape.line:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colour.red(), colour.green(), colour.blue(), 70 if chosen else 34))
        painter.drawPolygon(QPolygonF(points))
    _way(painter, points, not shape.line, colour, scale * (1.4 if chosen else 1.0))
    if shape.line:
        _direction(painter, points, colour, scale)
        top = points[0]
    else:
        top = min(points, key=lambda p: p.x() + p.y())
    word = WORDS[shape.use]
    _name(painter, f"{shape.name} · {word}" if word else shape.name, top, colour, rect, scale)


def _way(painter: QPainter, points: Sequence[QPointF], closed: bool, colour: QColor, scale: float) -> None:
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for width, tone in ((STROKE_PX + 2.4, RIM), (STROKE_PX, colour)):
        pen = QPen(tone, width * scale)
        pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        painter.setPen(pen)
        way = QPolygonF(list(points))
        painter.drawPolygon(way) if closed else painter.drawPolyline(way)


def _direction(painter: QPainter, points: Sequence[QPointF], colour: QColor, scale: float) -> None:
    """An arrow to the side that is in: the right hand of who looks along the line."""
    line = QLineF(points[0], points[1])
    long = max(1.0, line.length())
    side = QPointF(-line.dy() / long, line.dx() / long)
    middle = line.center()
    tip = middle + side * (34 * scale)
    _way(painter, [middle, tip], False, colour, scale)
    for turn in (2.6, -2.6):
        cos, sin = math.cos(turn), math.sin(turn)
        barb = QPointF(side.x() * cos - side.y() * sin, side.x() * sin + side.y() * cos)
        _way(painter, [tip, tip + barb * (11 * scale)], False, colour, scale)
    painter.setFont(font(max(10, round(13 * scale)), True))
    painter.setPen(CHOSEN)
    box = QRectF(0, 0, 40 * scale, 20 * scale)
    box.moveCenter(tip + side * (14 * scale))
    painter.drawText(box, Qt.AlignmentFlag.AlignCenter, "in")


def _handle(painter: QPainter, at: QPointF, scale: float, colour: QColor) -> None:
    painter.setPen(QPen(RIM, 3 * scale))
    painter.setBrush(colour)
    painter.drawEllipse(at, HANDLE_PX * scale, HANDLE_PX * scale)


def _name(painter: QPainter, text: str, at: QPointF, colour: QColor, rect: PictureRect, scale: float) -> None:
    chosen = font(max(10, round(TEXT_PX * 0.9 * scale)), True)
    wide = QFontMetricsF(chosen).horizontalAdvance(text) + 18 * scale
    box = QRectF(at.x() + 8 * scale, at.y() + 8 * scale, wide, 24 * scale)
    box.moveLeft(max(rect.x, min(box.left(), rect.x + rect.w - wide)))
    box.moveTop(max(rect.y, min(box.top(), rect.y + rect.h - box.height())))
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(14, 17, 23, 205))
    painter.drawRoundedRect(box, 6 * scale, 6 * scale)
    painter.setBrush(colour)
    painter.drawRect(QRectF(box.left(), box.top() + 4 * scale, 3 * scale, box.height() - 8 * scale))
    painter.setPen(CHOSEN)
    painter.setFont(chosen)
    painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)
