"""Panels over the picture: the keys, and the classes to show. GUI thread only."""

from __future__ import annotations

from collections.abc import Callable, Set

from PyQt6.QtCore import QRectF, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent
from PyQt6.QtWidgets import (
    QAbstractButton,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QScroller,
    QVBoxLayout,
    QWidget,
)

from edgecam.overlay.palette import class_colours
from edgecam.overlay.scene_qt import font
from edgecam.ui.scaling import ui_scale

KEYS = (
    ("F", "full screen"),
    ("Space", "pause, go on"),
    ("S", "snapshot"),
    ("R", "record, stop"),
    ("+  −", "score up, down"),
    ("C", "classes"),
    ("Z", "draw zones and lines"),
    ("I", "more or less over the picture"),
    ("P", "the page on a phone"),
    ("H", "this page"),
    ("Esc", "leave the zones, full screen, quit"),
    ("Q", "quit"),
)
ROW_PX, ROW_LEAST_PX = 46, 44
#: Beyond this many logical pixels a panel's text need not grow: it is read from close by.
SCALE_MOST = 3.0
_SHEET = """
QLabel { color: rgba(255, 255, 255, 215); background: transparent; }
QScrollArea, QScrollArea > QWidget > QWidget { background: transparent; border: none; }
QPushButton { color: white; background: rgba(255, 255, 255, 30); border: none; border-radius: 10px; }
QPushButton { padding: 0 12px; }
QPushButton:hover { background: rgba(255, 255, 255, 48); }
QPushButton:pressed { background: rgba(255, 255, 255, 72); }
QScrollBar:vertical { background: transparent; width: 8px; }
QScrollBar::handle:vertical { background: rgba(255, 255, 255, 90); border-radius: 4px; min-height: 40px; }
QScrollBar::add-line, QScrollBar::sub-line { background: none; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: none; }
"""


class Panel(QWidget):
    """A dark rounded panel that keeps clicks to itself."""

    closed = pyqtSignal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setStyleSheet(_SHEET)
        self.hide()

    def paintEvent(self, _event: QPaintEvent | None) -> None:  # noqa: N802, D102
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(14, 17, 23, 236))
        painter.drawRoundedRect(QRectF(self.rect()), 18, 18)
        painter.end()

    def mousePressEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802, D102
        if event is not None:
            event.accept()

    def toggle(self) -> None:
        """Open or close."""
        if self.isVisible():
            self.close_panel()
        else:
            self.show()
            self.raise_()

    def close_panel(self) -> None:
        """Close, and say so."""
        self.hide()
        self.closed.emit()

    def place(self, window: QSize) -> None:
        """Stand in the middle of a window of this size."""
        wanted = self.sizeHint()
        w, h = min(wanted.width(), window.width() - 16), min(wanted.height(), window.height() - 16)
        self.setGeometry((window.width() - w) // 2, (window.height() - h) // 2, w, h)

    def scale(self) -> float:
        """The factor on all sizes, as the window's."""
        owner = self.parentWidget()
        return 1.0 if owner is None else min(SCALE_MOST, ui_scale(owner))


def _label(text: str, size_px: int, bold: bool) -> QLabel:
    label = QLabel(text)
    label.setFont(font(size_px, bold))
    return label


def _scrolling() -> QScrollArea:
    """An area to scroll by wheel and by finger."""
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    QScroller.grabGesture(area.viewport(), QScroller.ScrollerGestureType.TouchGesture)
    return area


class HelpPanel(Panel):
    """The keys and what they do. Any click closes it."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._area = _scrolling()
        self._wanted = QSize(300, 300)
        self._column = QVBoxLayout(self)
        self._column.addWidget(self._area)

    def fill(self, window: QSize) -> None:
        """Lay the page out for a window of this size, and stand in its middle; what is too long scrolls."""
        scale = self.scale()
        edge = round(22 * scale)
        self._column.setContentsMargins(edge, edge, edge, edge)
        inner = QWidget()
        grid = QGridLayout(inner)
        grid.setContentsMargins(0, 0, round(10 * scale), 0)
        grid.setHorizontalSpacing(round(20 * scale))
        grid.setVerticalSpacing(round(8 * scale))
        grid.addWidget(_label("Keys", round(20 * scale), True), 0, 0, 1, 2)
        for row, (key, what) in enumerate(KEYS, 1):
            cap = _label(key, max(11, round(15 * scale)), True)
            cap.setAlignment(Qt.AlignmentFlag.AlignCenter)
            high, wide, radius = round(5 * scale), round(10 * scale), round(7 * scale)
            shape = f"border-radius: {radius}px; padding: {high}px {wide}px;"
            cap.setStyleSheet(f"background: rgba(255,255,255,28); {shape}")
            grid.addWidget(cap, row, 0)
            grid.addWidget(_label(what, max(11, round(15 * scale)), False), row, 1)
        grid.setRowStretch(len(KEYS) + 1, 1)
        inner.ensurePolished()
        self._area.setWidget(inner)
        hint = inner.sizeHint()
        self._wanted = QSize(hint.width() + 2 * edge + 12, hint.height() + 2 * edge + 4)
        self.place(window)

    def sizeHint(self) -> QSize:  # noqa: N802, D102
        return self._wanted

    def mousePressEvent(self, _event: QMouseEvent | None) -> None:  # noqa: N802, D102
        self.close_panel()


class ClassSwitch(QAbstractButton):
    """One class: its colour, its name, on or off."""

    def __init__(self, label: str, colour: QColor, scale: float) -> None:
        super().__init__()
        self._scale = scale
        self.setText(label)
        self.setAccessibleName(label)
        self.setCheckable(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setFixedHeight(max(ROW_LEAST_PX, round(ROW_PX * scale)))
        self.setMinimumWidth(round(150 * scale))
        self._colour = colour

    def sizeHint(self) -> QSize:  # noqa: N802, D102
        return QSize(round(176 * self._scale), self.height())

    def paintEvent(self, _event: QPaintEvent | None) -> None:  # noqa: N802, D102
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        area = QRectF(self.rect()).adjusted(2, 2, -2, -2)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(255, 255, 255, 30 if self.isChecked() else 10))
        painter.drawRoundedRect(area, 10, 10)
        side = 14 * self._scale
        dot = QRectF(area.left() + 12, area.center().y() - side / 2, side, side)
        if self.isChecked():
            painter.setBrush(self._colour)
        else:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QColor(255, 255, 255, 110))
            dot = dot.adjusted(1, 1, -1, -1)
        painter.drawEllipse(dot)
        painter.setPen(QColor(255, 255, 255, 255 if self.isChecked() else 130))
        painter.setFont(font(max(11, round(15 * self._scale)), self.isChecked()))
        name = area.adjusted(22 + side, 0, -8, 0)
        painter.drawText(name, Qt.AlignmentFlag.AlignVCenter, self.text())
        painter.end()


class ClassesPanel(Panel):
    """Switches for all classes, to scroll by finger."""

    def __init__(self, parent: QWidget, on_change: Callable[[Set[str]], None]) -> None:
        super().__init__(parent)
        self._on_change = on_change
        self._switches: dict[str, ClassSwitch] = {}
        self._wanted = QSize(440, 300)
        self._column = QVBoxLayout(self)
        self._head = QHBoxLayout()
        self._title = _label("Classes shown", 20, True)
        self._head.addWidget(self._title)
        self._head.addStretch(1)
        self._buttons: list[QPushButton] = []
        for text, act in (("All", True), ("None", False), ("Done", None)):
            button = QPushButton(text)
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            button.clicked.connect(lambda _=False, act=act: self._all(act))
            self._head.addWidget(button)
            self._buttons.append(button)
        self._column.addLayout(self._head)
        self._area = _scrolling()
        self._column.addWidget(self._area)

    def fill(self, labels: tuple[str, ...], enabled: Set[str], window: QSize) -> None:
        """Lay switches out for ``labels``, as many side by side as the window has room for, and stand
        in its middle."""
        scale = self.scale()
        edge, row = round(20 * scale), max(ROW_LEAST_PX, round(ROW_PX * scale))
        self._column.setContentsMargins(edge, edge, edge, edge)
        self._column.setSpacing(round(12 * scale))
        self._title.setFont(font(round(20 * scale), True))
        self._title.setVisible(window.width() >= 420 * scale)
        for button in self._buttons:
            button.setFont(font(max(11, round(15 * scale)), True))
            button.setMinimumHeight(row)
        inner = QWidget()
        grid = QGridLayout(inner)
        grid.setContentsMargins(0, 0, 8, 0)
        grid.setSpacing(6)
        step = round(190 * scale)
        columns = max(1, min(4, (window.width() - 4 * edge) // step, len(labels)))
        self._switches = {}
        for i, (label, colour) in enumerate(zip(labels, class_colours(labels), strict=True)):
            switch = ClassSwitch(label, QColor(*colour), scale)
            switch.setChecked(label in enabled)
            switch.toggled.connect(lambda _=False: self._changed())
            grid.addWidget(switch, i // columns, i % columns)
            self._switches[label] = switch
        rows = -(-len(labels) // columns) if labels else 0
        if not labels:
            text = _label("There is no detector, so there are no classes.", max(11, round(15 * scale)), False)
            text.setWordWrap(True)
            grid.addWidget(text, 0, 0)
        grid.setRowStretch(rows + 1, 1)
        self._area.setWidget(inner)
        self._wanted = QSize(
            max(round(440 * scale), columns * step + 3 * edge), (max(1, rows) + 1) * (row + 6) + 3 * edge
        )
        self.place(window)

    def sizeHint(self) -> QSize:  # noqa: N802, D102
        return self._wanted

    def _enabled(self) -> frozenset[str]:
        return frozenset(label for label, switch in self._switches.items() if switch.isChecked())

    def _changed(self) -> None:
        self._on_change(self._enabled())

    def _all(self, on: bool | None) -> None:
        if on is None:
            self.close_panel()
            return
        for switch in self._switches.values():
            switch.blockSignals(True)
            switch.setChecked(on)
            switch.blockSignals(False)
            switch.update()
        self._changed()
