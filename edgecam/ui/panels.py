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

KEYS = (
    ("F", "full screen"),
    ("Space", "pause, go on"),
    ("S", "snapshot"),
    ("R", "record, stop"),
    ("+  −", "score up, down"),
    ("C", "classes"),
    ("I", "more or less over the picture"),
    ("H", "this page"),
    ("Q  Esc", "quit"),
)
ROW_PX = 46
_SHEET = """
QLabel { color: rgba(255, 255, 255, 215); background: transparent; }
QScrollArea, QScrollArea > QWidget > QWidget { background: transparent; border: none; }
QPushButton { color: white; background: rgba(255, 255, 255, 30); border: none; border-radius: 10px; }
QPushButton { padding: 0 18px; }
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


def _label(text: str, size_px: int, bold: bool) -> QLabel:
    label = QLabel(text)
    label.setFont(font(size_px, bold))
    return label


class HelpPanel(Panel):
    """The keys and what they do. Any click closes it."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        grid = QGridLayout(self)
        grid.setContentsMargins(32, 24, 36, 28)
        grid.setHorizontalSpacing(24)
        grid.setVerticalSpacing(9)
        grid.addWidget(_label("Keys", 20, True), 0, 0, 1, 2)
        for row, (key, what) in enumerate(KEYS, 1):
            cap = _label(key, 15, True)
            cap.setAlignment(Qt.AlignmentFlag.AlignCenter)
            cap.setStyleSheet("background: rgba(255,255,255,28); border-radius: 7px; padding: 5px 11px;")
            grid.addWidget(cap, row, 0)
            grid.addWidget(_label(what, 15, False), row, 1)

    def mousePressEvent(self, _event: QMouseEvent | None) -> None:  # noqa: N802, D102
        self.close_panel()


class ClassSwitch(QAbstractButton):
    """One class: its colour, its name, on or off."""

    def __init__(self, label: str, colour: QColor) -> None:
        super().__init__()
        self.setText(label)
        self.setAccessibleName(label)
        self.setCheckable(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setFixedHeight(ROW_PX)
        self.setMinimumWidth(168)
        self._colour = colour

    def sizeHint(self) -> QSize:  # noqa: N802, D102
        return QSize(176, ROW_PX)

    def paintEvent(self, _event: QPaintEvent | None) -> None:  # noqa: N802, D102
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        area = QRectF(self.rect()).adjusted(2, 2, -2, -2)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(255, 255, 255, 30 if self.isChecked() else 10))
        painter.drawRoundedRect(area, 10, 10)
        dot = QRectF(area.left() + 12, area.center().y() - 7, 14, 14)
        if self.isChecked():
            painter.setBrush(self._colour)
        else:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QColor(255, 255, 255, 110))
            dot = dot.adjusted(1, 1, -1, -1)
        painter.drawEllipse(dot)
        painter.setPen(QColor(255, 255, 255, 255 if self.isChecked() else 130))
        painter.setFont(font(15, self.isChecked()))
        painter.drawText(area.adjusted(36, 0, -8, 0), Qt.AlignmentFlag.AlignVCenter, self.text())
        painter.end()


class ClassesPanel(Panel):
    """Switches for all classes, to scroll by finger."""

    def __init__(self, parent: QWidget, on_change: Callable[[Set[str]], None]) -> None:
        super().__init__(parent)
        self._on_change = on_change
        self._switches: dict[str, ClassSwitch] = {}
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 20, 20, 20)
        column.setSpacing(12)
        head = QHBoxLayout()
        head.addWidget(_label("Classes shown", 20, True))
        head.addStretch(1)
        for text, act in (("All", True), ("None", False), ("Done", None)):
            button = QPushButton(text)
            button.setFont(font(15, True))
            button.setMinimumHeight(ROW_PX)
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            button.clicked.connect(lambda _=False, act=act: self._all(act))
            head.addWidget(button)
        column.addLayout(head)
        self._area = QScrollArea()
        self._area.setWidgetResizable(True)
        self._area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        QScroller.grabGesture(self._area.viewport(), QScroller.ScrollerGestureType.TouchGesture)
        column.addWidget(self._area)

    def fill(self, labels: tuple[str, ...], enabled: Set[str], window: QSize) -> None:
        """Lay switches out for ``labels``, in as many columns as the window has room for."""
        inner = QWidget()
        grid = QGridLayout(inner)
        grid.setContentsMargins(0, 0, 8, 0)
        grid.setSpacing(6)
        columns = max(1, min(4, (window.width() - 80) // 190, len(labels)))
        self._switches = {}
        for i, (label, colour) in enumerate(zip(labels, class_colours(labels), strict=True)):
            switch = ClassSwitch(label, QColor(*colour))
            switch.setChecked(label in enabled)
            switch.toggled.connect(lambda _=False: self._changed())
            grid.addWidget(switch, i // columns, i % columns)
            self._switches[label] = switch
        rows = -(-len(labels) // columns) if labels else 0
        if not labels:
            grid.addWidget(_label("There is no detector, so there are no classes.", 15, False), 0, 0)
        grid.setRowStretch(rows + 1, 1)
        self._area.setWidget(inner)
        self._wanted = QSize(max(440, columns * 190 + 60), max(1, rows) * (ROW_PX + 6) + ROW_PX + 64)

    def sizeHint(self) -> QSize:  # noqa: N802, D102
        return getattr(self, "_wanted", QSize(440, 300))

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
