"""How anybody looks at the running program and changes what may change: the port, and its answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from msgspec import Struct, field

from edgecam.core.state import NO_SETTINGS, State


class Changes(Struct, frozen=True):
    """What became of the settings that somebody asked for, each by its option's name.

    applied: the values that hold now (from the next frame on). refused: why not, for people.
    """

    applied: Mapping[str, object] = field(default_factory=lambda: NO_SETTINGS)
    refused: Mapping[str, str] = field(default_factory=dict)


class Control(Protocol):
    """Looks at the running program and changes what may change. Any thread."""

    def state(self) -> State:
        """What is going on; at most a quarter of a second old, and never older than a change made before."""

    def change(self, **settings: object) -> Changes:
        """Set live settings, from the next frame on, and remember them; waits until the owner has answered.

        A value may be what the command line takes ("0.5", "person,car") or the setting's own type; None is
        the default of a setting that may have none. Unknown names, settings that cannot change while running
        and values that do not fit are refused, each with a sentence; the others are applied all the same.
        """

    def trigger(self, cause: str) -> None:
        """Begin an event recording, or prolong it."""
