"""What the rules say of one frame, for whoever shows or records it: areas with their counts, and events."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from edgecam.core.events import Event

#: Normalised (x, y): 0 to 1 from the picture's left and upper edge.
Point = tuple[float, float]
ZoneUse = Literal["zone", "mask", "motion"]


class ZoneState(Struct, frozen=True):
    """A zone as it stands. points: corners. counts: how many are in it, by label, none of them zero.

    use: ``zone``; ``mask``, where nothing counts; ``motion``, where movement is watched for. active: whether
    something is in it, or moves in it.
    """

    name: str
    points: tuple[Point, ...]
    use: ZoneUse = "zone"
    counts: tuple[tuple[str, int], ...] = ()
    active: bool = False

    @property
    def count(self) -> int:
        """How many objects are in it."""
        return sum(number for _, number in self.counts)


class LineState(Struct, frozen=True):
    """A line and its counts so far.

    points: from the first to the second. ``counted_in`` went from the left to the right hand of who looks
    that way, on the picture as it is shown; ``counted_out`` the other way.
    """

    name: str
    points: tuple[Point, Point]
    counted_in: int = 0
    counted_out: int = 0


class Areas(Struct, frozen=True):
    """The areas of one camera."""

    zones: tuple[ZoneState, ...] = ()
    lines: tuple[LineState, ...] = ()


NO_AREAS = Areas()


class Told(Struct, frozen=True):
    """What the rules say of a frame.

    events: what happened in it, in order. holding: names of the rules that hold in it; record, snapshot: of
    those for which is recorded, or a picture taken. areas: with their counts.
    """

    events: tuple[Event, ...] = ()
    holding: tuple[str, ...] = ()
    record: tuple[str, ...] = ()
    snapshot: tuple[str, ...] = ()
    areas: Areas = NO_AREAS
