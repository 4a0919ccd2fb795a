"""What a person may ask of the window: each command's button in the bar, and its key. GUI thread only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QWidget

from edgecam.ui.controls import Caption, ControlBar, IconButton

SCORE_STEP = 0.05


class Commands(Protocol):
    """What buttons and keys ask for."""

    def toggle_pause(self) -> None:
        """Stop the picture, or go on."""

    def snapshot(self) -> None:
        """Write the picture."""

    def toggle_recording(self) -> None:
        """Start or stop a clip."""

    def change_score(self, step: float) -> None:
        """Show more or fewer detections."""

    def next_level(self) -> None:
        """Show more or less over the picture."""

    def toggle_classes(self) -> None:
        """The switches of the classes."""

    def toggle_zones(self) -> None:
        """The editor of zones and lines."""

    def toggle_pairing(self) -> None:
        """The code that lets a phone in."""

    def toggle_help(self) -> None:
        """The page of keys."""

    def toggle_fullscreen(self) -> None:
        """Full screen and back."""

    def close(self) -> bool:
        """End the window."""


class CommandBar(ControlBar):
    """The window's bar. kiosk: without what would end it or make it smaller.

    pause, record, full: buttons whose icon follows what is going on. score: the value between its buttons.
    """

    def __init__(self, parent: QWidget, commands: Commands, *, kiosk: bool) -> None:
        super().__init__(parent)
        self.pause = IconButton("pause", "Pause (Space)", commands.toggle_pause, self)
        self.record = IconButton("record", "Record (R)", commands.toggle_recording, self)
        self.score = Caption("score", self)
        self.full = IconButton("fullscreen", "Full screen (F)", commands.toggle_fullscreen, self)
        self.add(self.pause)
        self.add(IconButton("camera", "Snapshot (S)", commands.snapshot, self))
        self.add(self.record)
        self.add(
            IconButton("minus", "Lower score (-)", lambda: commands.change_score(-SCORE_STEP), self),
            self.score,
            IconButton("plus", "Higher score (+)", lambda: commands.change_score(SCORE_STEP), self),
        )
        self.add(IconButton("classes", "Classes (C)", commands.toggle_classes, self))
        self.add(IconButton("zones", "Zones and lines (Z)", commands.toggle_zones, self))
        self.add(IconButton("levels", "More or less over the picture (I)", commands.next_level, self))
        self.add(IconButton("help", "Keys (H)", commands.toggle_help, self))
        if kiosk:
            self.full.hide()
        else:
            self.add(self.full)
            self.add(IconButton("close", "Quit (Q)", commands.close, self))


def keys_of(commands: Commands) -> dict[Qt.Key, Callable[[], object]]:
    """What each key asks for."""
    return {
        Qt.Key.Key_F: commands.toggle_fullscreen,
        Qt.Key.Key_Space: commands.toggle_pause,
        Qt.Key.Key_S: commands.snapshot,
        Qt.Key.Key_R: commands.toggle_recording,
        Qt.Key.Key_Plus: lambda: commands.change_score(SCORE_STEP),
        Qt.Key.Key_Equal: lambda: commands.change_score(SCORE_STEP),
        Qt.Key.Key_Minus: lambda: commands.change_score(-SCORE_STEP),
        Qt.Key.Key_C: commands.toggle_classes,
        Qt.Key.Key_Z: commands.toggle_zones,
        Qt.Key.Key_I: commands.next_level,
        Qt.Key.Key_P: commands.toggle_pairing,
        Qt.Key.Key_H: commands.toggle_help,
        Qt.Key.Key_Question: commands.toggle_help,
    }
