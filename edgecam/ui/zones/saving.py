"""Puts drawn zones and lines into use: the editor's only way to the program. No Qt here."""

from __future__ import annotations

from collections.abc import Sequence

from edgecam.core.errors import EdgecamError
from edgecam.core.naming import short
from edgecam.core.state import State
from edgecam.rules.drawing import redrawn, rules_in
from edgecam.ui.controller import Controller
from edgecam.ui.zones.draft import Shape, shapes_of


def shapes_on(state: State, camera: int) -> tuple[Shape, ...]:
    """The zones and lines of the camera of that number, and those of all cameras."""
    name = state.sources[camera].name
    return shapes_of(rules_in(state.settings).of(name, short(name)))


def areas_in(state: State) -> tuple[object, object]:
    """What tells whether anybody changed a zone or a line."""
    return state.settings.get("zone"), state.settings.get("line")


def names_taken(state: State) -> tuple[str, ...]:
    """The names that a new shape cannot have: every zone's, line's and camera's."""
    rules = rules_in(state.settings)
    cameras = (name for source in state.sources for name in (source.name, short(source.name)))
    return (*(zone.name for zone in rules.zones), *(line.name for line in rules.lines), *cameras)


def save(controller: Controller, camera: int, shapes: Sequence[Shape]) -> None:
    """Make these the camera's zones and lines, from its next picture on; remembered like every change.

    Raises EdgecamError with the sentence that a start would give; then nothing has changed.
    """
    state = controller.state()
    name = state.sources[camera].name
    changes = redrawn(
        state.settings,
        (name, short(name)),
        [shape.table() for shape in shapes if not shape.line],
        [shape.table() for shape in shapes if shape.line],
        [(source.name, short(source.name)) for source in state.sources],
    )
    refused = controller.change(**changes).refused
    if refused:
        raise EdgecamError("; ".join(dict.fromkeys(refused.values())))
