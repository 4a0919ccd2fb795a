"""Gives a zone its name: suggestions, a field, and keys on the screen. GUI thread only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from PyQt6.QtCore import QRegularExpression, QSize, Qt
from PyQt6.QtGui import QRegularExpressionValidator
from PyQt6.QtWidgets import QGridLayout, QHBoxLayout, QLineEdit, QPushButton, QVBoxLayout, QWidget

from edgecam.overlay.scene_qt import font
from edgecam.rules.words import NAME
from edgecam.ui.panels import Panel

ROWS = ("1234567890", "qwertyuiop", "asdfghjkl-", "zxcvbnm_")
BACK = "⌫"
#: Logical pixels at the design size; a row of ten fits a screen 480 wide.
KEY_PX, KEY_LEAST_PX, GAP_PX = 46, 38, 4
MOST_SUGGESTED = 6
_FIELD = (
    "QLineEdit { color: white; background: rgba(255,255,255,24); border: none; border-radius: 9px;"
    " padding: 0 10px; selection-background-color: rgba(255,255,255,80); }"
    "QPushButton { padding: 0; } QPushButton#ok { background: rgba(86,180,233,190); }"
)


class NamePanel(Panel):
    """Asks for a name of letters, digits, ``-`` and ``_``. done: told it, unless the panel is closed."""

    def __init__(self, parent: QWidget, done: Callable[[str], object]) -> None:
        super().__init__(parent)
        self.setStyleSheet(self.styleSheet() + _FIELD)
        self._done = done
        self._column = QVBoxLayout(self)
        self.field = QLineEdit()
        self.field.setAccessibleName("Name")
        self.field.setValidator(QRegularExpressionValidator(QRegularExpression(NAME.pattern)))
        self.field.returnPressed.connect(self._take)
        self._offers = QHBoxLayout()
        self._keys = QGridLayout()
        head = QHBoxLayout()
        head.addWidget(self.field, 1)
        self._ok, self._cancel = self._button("OK", self._take), self._button("Cancel", self.close_panel)
        self._ok.setObjectName("ok")
        head.addWidget(self._ok)
        head.addWidget(self._cancel)
        self._column.addLayout(head)
        self._column.addLayout(self._offers)
        self._column.addLayout(self._keys)
        self._letters: list[QPushButton] = []
        for row, letters in enumerate(ROWS):
            for place, letter in enumerate(letters):
                key = self._button(letter, partial(self.field.insert, letter))
                self._keys.addWidget(key, row, place)
                self._letters.append(key)
        back = self._button(BACK, self.field.backspace)
        back.setAccessibleName("Backspace")
        self._keys.addWidget(back, len(ROWS) - 1, len(ROWS[-1]), 1, 10 - len(ROWS[-1]))
        self._letters.append(back)
        self._chips: list[QPushButton] = []

    def ask(self, now: str, suggested: Sequence[str], window: QSize) -> None:
        """Open with this name, which the first letter replaces, in the middle of a window of this size."""
        scale, least = self.scale(), max(1, (window.width() - 60) // 10)
        edge, gap = round(14 * scale), max(2, round(GAP_PX * scale))
        side = max(min(KEY_LEAST_PX, least), min(round(KEY_PX * scale), least))
        tall = min(side, max(24, (window.height() - 2 * edge - 6 * gap - 16) // 6))
        text = font(max(12, min(round(18 * scale), tall - 8)), False)
        self._column.setContentsMargins(edge, edge, edge, edge)
        self._column.setSpacing(2 * gap)
        self._keys.setSpacing(gap)
        self._offers.setSpacing(gap)
        for chip in self._chips:
            self._offers.removeWidget(chip)
            chip.hide()
            chip.deleteLater()
        self._chips = []
        room = 10 * (side + gap)
        for name in suggested[:MOST_SUGGESTED]:
            chip = self._button(name, partial(self._take, name))
            chip.setFont(text)
            wide = chip.fontMetrics().horizontalAdvance(name) + 22
            if wide > room:
                chip.deleteLater()
                continue
            room -= wide + gap
            chip.setFixedSize(wide, tall)
            self._offers.addWidget(chip)
            self._chips.append(chip)
        for key in self._letters:
            key.setFont(text)
            key.setFixedHeight(tall)
            key.setMinimumWidth(side)
        for widget in (self.field, self._ok, self._cancel):
            widget.setFont(text)
            widget.setFixedHeight(tall)
        for button in (self._ok, self._cancel):
            button.setFixedWidth(button.fontMetrics().horizontalAdvance(button.text()) + 28)
        self.field.setText(now)
        self.field.selectAll()
        self.show()
        self.raise_()
        self.place(window)
        self.field.setFocus()

    def _button(self, text: str, command: Callable[[], object]) -> QPushButton:
        button = QPushButton(text)
        button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        button.clicked.connect(lambda _=False: command())
        return button

    def _take(self, name: str = "") -> None:
        wanted = name or self.field.text()
        if wanted:
            self.close_panel()
            self._done(wanted)
