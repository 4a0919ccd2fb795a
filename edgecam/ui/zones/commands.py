"""What a person may tell the editor, and the keys for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from PyQt6.QtCore import Qt


class Commands(Protocol):
    """Implemented by :class:`edgecam.ui.zones.editor.ZoneEditor`. GUI thread only."""

    def begin(self, *, line: bool) -> None:
        """Draw a zone or a line; finish it if one is being drawn."""

    def finish(self) -> None:
        """Make a shape of what is drawn; it is in use at once, and its name is asked for."""

    def undo(self) -> None:
        """Take the last corner, or the last change, back."""

    def delete(self) -> None:
        """Delete the chosen corner; the chosen shape if no corner is."""

    def turn(self) -> None:
        """Reverse a line's direction, or give a zone its next use."""

    def name(self) -> None:
        """Ask for the chosen shape's name."""

    def move_bar(self) -> None:
        """Move the buttons to the other edge, so that what is beneath them can be touched."""

    def choose_camera(self) -> None:
        """Show all cameras, one of which is to be chosen."""

    def escape(self) -> None:
        """Leave the name, what is being drawn, or the editor: the first of these that is open."""

    def close_editor(self) -> None:
        """Close the editor; what is not finished is dropped."""


def keys_of(commands: Commands) -> Mapping[tuple[int, bool], Callable[[], object]]:
    """What to do by (key, whether Ctrl is held)."""
    return {
        (Qt.Key.Key_Escape, False): commands.escape,
        (Qt.Key.Key_Z, False): commands.close_editor,
        (Qt.Key.Key_Z, True): commands.undo,
        (Qt.Key.Key_N, False): lambda: commands.begin(line=False),
        (Qt.Key.Key_L, False): lambda: commands.begin(line=True),
        (Qt.Key.Key_Return, False): commands.finish,
        (Qt.Key.Key_Enter, False): commands.finish,
        (Qt.Key.Key_Delete, False): commands.delete,
        (Qt.Key.Key_Backspace, False): commands.delete,
        (Qt.Key.Key_T, False): commands.turn,
        (Qt.Key.Key_E, False): commands.name,
        (Qt.Key.Key_B, False): commands.move_bar,
    }
