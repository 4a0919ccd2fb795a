"""Icons drawn from paths: crisp at any size, and no files to carry."""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtCore import QPointF, QRectF, Qt
from PyQt6.QtGui import QColor, QPainter, QPainterPath, QPen, QPolygonF

from edgecam.overlay.scene_qt import font

WHITE = QColor(255, 255, 255)
RED = QColor(255, 69, 58)


def draw_icon(painter: QPainter, name: str, area: QRectF, share: float = 0.5) -> None:
    """Draw icon ``name`` in the middle of ``area``, so large a share of it, on a grid of 24 units."""
    side = min(area.width(), area.height()) * share
    painter.save()
    painter.translate(area.center().x() - side / 2, area.center().y() - side / 2)
    painter.scale(side / 24, side / 24)
    pen = QPen(WHITE, 2.2)
    pen.setCapStyle(Qt.PenCapStyle.RoundCap)
    pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    painter.setPen(pen)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    _ICONS[name](painter)
    painter.restore()


def _solid(painter: QPainter, colour: QColor = WHITE) -> None:
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour)


def _pause(painter: QPainter) -> None:
    _solid(painter)
    painter.drawRoundedRect(QRectF(5, 3, 5, 18), 1.5, 1.5)
    painter.drawRoundedRect(QRectF(14, 3, 5, 18), 1.5, 1.5)


def _play(painter: QPainter) -> None:
    painter.setBrush(WHITE)
    painter.drawPolygon(QPolygonF([QPointF(6, 4), QPointF(20, 12), QPointF(6, 20)]))


def _camera(painter: QPainter) -> None:
    path = QPainterPath(QPointF(2, 8.5))
    for x, y in ((2, 20), (22, 20), (22, 7), (17, 7), (15, 4), (9, 4), (7, 7), (2, 7)):
        path.lineTo(x, y)
    path.closeSubpath()
    painter.drawPath(path)
    painter.drawEllipse(QPointF(12, 13), 4, 4)


def _record(painter: QPainter) -> None:
    painter.drawEllipse(QPointF(12, 12), 10.5, 10.5)
    _solid(painter, RED)
    painter.drawEllipse(QPointF(12, 12), 6.5, 6.5)


def _stop(painter: QPainter) -> None:
    painter.drawEllipse(QPointF(12, 12), 10.5, 10.5)
    _solid(painter, RED)
    painter.drawRoundedRect(QRectF(7.5, 7.5, 9, 9), 1.5, 1.5)


def _minus(painter: QPainter) -> None:
    painter.drawLine(QPointF(4, 12), QPointF(20, 12))


def _plus(painter: QPainter) -> None:
    _minus(painter)
    painter.drawLine(QPointF(12, 4), QPointF(12, 20))


def _classes(painter: QPainter) -> None:
    for y in (5, 12, 19):
        painter.drawEllipse(QPointF(4, y), 1.6, 1.6)
        painter.drawLine(QPointF(10, y), QPointF(22, y))


def _levels(painter: QPainter) -> None:
    painter.drawRoundedRect(QRectF(1.5, 3.5, 21, 17), 3, 3)
    painter.drawLine(QPointF(6, 8.5), QPointF(13, 8.5))
    painter.drawLine(QPointF(6, 13), QPointF(10, 13))


def _help(painter: QPainter) -> None:
    painter.drawEllipse(QPointF(12, 12), 10.5, 10.5)
    painter.setFont(font(15, True))
    painter.drawText(QRectF(0, 0, 24, 24), Qt.AlignmentFlag.AlignCenter, "?")


def _fullscreen(painter: QPainter) -> None:
    for sx, sy in ((0, 0), (1, 0), (0, 1), (1, 1)):
        x, y = 3 + 18 * sx, 3 + 18 * sy
        dx, dy = 6 * (1 - 2 * sx), 6 * (1 - 2 * sy)
        painter.drawPolyline(QPolygonF([QPointF(x + dx, y), QPointF(x, y), QPointF(x, y + dy)]))


def _shrink(painter: QPainter) -> None:
    for sx, sy in ((0, 0), (1, 0), (0, 1), (1, 1)):
        x, y = 9 + 6 * sx, 9 + 6 * sy
        dx, dy = -6 * (1 - 2 * sx), -6 * (1 - 2 * sy)
        painter.drawPolyline(QPolygonF([QPointF(x + dx, y), QPointF(x, y), QPointF(x, y + dy)]))


def _close(painter: QPainter) -> None:
    painter.drawLine(QPointF(5, 5), QPointF(19, 19))
    painter.drawLine(QPointF(19, 5), QPointF(5, 19))


def _zones(painter: QPainter) -> None:
    corners = [QPointF(4, 6), QPointF(19, 3.5), QPointF(20.5, 18), QPointF(7.5, 20.5)]
    painter.drawPolygon(QPolygonF(corners))
    _solid(painter)
    for corner in corners:
        painter.drawEllipse(corner, 2.6, 2.6)


def _line(painter: QPainter) -> None:
    painter.drawLine(QPointF(3, 19), QPointF(21, 5))
    painter.drawPolyline(QPolygonF([QPointF(13, 20.5), QPointF(18.5, 20.5), QPointF(18.5, 15)]))
    painter.drawLine(QPointF(12, 12), QPointF(18.5, 20))


def _check(painter: QPainter) -> None:
    painter.drawPolyline(QPolygonF([QPointF(3.5, 12.5), QPointF(9.5, 18.5), QPointF(20.5, 5.5)]))


def _undo(painter: QPainter) -> None:
    painter.drawPolyline(QPolygonF([QPointF(8, 3.5), QPointF(3, 8.5), QPointF(8, 13.5)]))
    path = QPainterPath(QPointF(3, 8.5))
    path.lineTo(14, 8.5)
    path.cubicTo(23, 8.5, 23, 20.5, 14, 20.5)
    path.lineTo(8, 20.5)
    painter.drawPath(path)


def _bin(painter: QPainter) -> None:
    painter.drawLine(QPointF(3.5, 6), QPointF(20.5, 6))
    painter.drawPolyline(QPolygonF([QPointF(9, 6), QPointF(9, 2.5), QPointF(15, 2.5), QPointF(15, 6)]))
    sides = ((5.5, 6), (6.5, 21.5), (17.5, 21.5), (18.5, 6))
    painter.drawPolyline(QPolygonF([QPointF(x, y) for x, y in sides]))


def _turn(painter: QPainter) -> None:
    for y, way in ((7.5, 1), (16.5, -1)):
        tip, tail = (20, 4) if way > 0 else (4, 20)
        painter.drawLine(QPointF(tail, y), QPointF(tip, y))
        painter.drawPolyline(
            QPolygonF([QPointF(tip - 5 * way, y - 4.5), QPointF(tip, y), QPointF(tip - 5 * way, y + 4.5)])
        )


def _name(painter: QPainter) -> None:
    painter.drawLine(QPointF(4, 4), QPointF(20, 4))
    painter.drawLine(QPointF(12, 4), QPointF(12, 20.5))


def _up(painter: QPainter) -> None:
    painter.drawLine(QPointF(12, 21), QPointF(12, 3.5))
    painter.drawPolyline(QPolygonF([QPointF(5.5, 10), QPointF(12, 3.5), QPointF(18.5, 10)]))


def _down(painter: QPainter) -> None:
    painter.drawLine(QPointF(12, 3), QPointF(12, 20.5))
    painter.drawPolyline(QPolygonF([QPointF(5.5, 14), QPointF(12, 20.5), QPointF(18.5, 14)]))


def _tiles(painter: QPainter) -> None:
    for x in (2.5, 13.5):
        for y in (3, 13.5):
            painter.drawRoundedRect(QRectF(x, y, 8, 7.5), 1.5, 1.5)


_ICONS: dict[str, Callable[[QPainter], None]] = {
    "pause": _pause,
    "play": _play,
    "camera": _camera,
    "record": _record,
    "stop": _stop,
    "minus": _minus,
    "plus": _plus,
    "classes": _classes,
    "levels": _levels,
    "help": _help,
    "fullscreen": _fullscreen,
    "shrink": _shrink,
    "close": _close,
    "zones": _zones,
    "line": _line,
    "check": _check,
    "undo": _undo,
    "bin": _bin,
    "turn": _turn,
    "name": _name,
    "up": _up,
    "down": _down,
    "tiles": _tiles,
}
