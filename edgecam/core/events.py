"""Events: what *happened*, with a beginning and an end; plain, immutable, versioned JSON.

The format is DESIGN.md's, version 1: fields may be added, never renamed. Where a time is written as seconds
it is wall time since 1970 (UTC); an event's identity is ``<wall time of its beginning>-<six letters>``. The
letters come from what the event is about, not from chance, so that the same results give the same events,
byte for byte.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

import msgspec

VERSION = 1
#: The longest line that is read as an event: a path of a thousand points has some 20 kB.
MOST_BYTES = 256 * 1024

EventType = Literal["new", "update", "end"]
EventKind = Literal["object", "zone", "line", "occupancy", "motion", "camera", "board", "clip"]
PixelBox = tuple[int, int, int, int]
NormBox = tuple[float, float, float, float]

_LETTERS = "0123456789abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One moment in the life of something that happened: its beginning, a change, or its end.

    The three moments of one happening share ``id``, ``kind`` and ``start_time``; each carries all that is
    known by then, so that the last one alone tells the whole story.

    id: see :func:`event_id`. kind: to what it belongs. camera: the source's display name, "" for the board.
    time: wall time of this moment, seconds; start_time, end_time: of the happening; end_time is None until
    the end. label, track_id, score, top_score, box, box_norm: of the object now; box in whole pixels (x1,
    y1, x2, y2 exclusive), box_norm the same from 0 to 1. None where no object is concerned. zones: where it
    is now; entered_zones: where it has been, in that order. stationary: whether it rests. speed: metres per
    second, where the zone's real size is known. clip, clip_s: the file, beside this event's library, and
    the second in it at which the event begins. snapshot: the file of the best picture. energy_j: joules
    that the board spent while it lasted. rule: the name of the rule; rules_version: ``sha256:…`` of the
    rules as they stood.

    Of the rest each is written only where it says something: ``line`` and ``direction`` (``in`` or ``out``)
    of a crossing; ``counts``, numbers by name (crossings so far, or how many are in the zone); ``dwell_s``,
    seconds in the zone; ``path``, feet as (seconds since the start, x, y from 0 to 1); ``state``, of a
    camera (lost, recovered, covered, defocused, moved) or the board (heat, supply, disk); ``message``, one
    sentence for people.
    """

    id: str
    type: EventType
    kind: EventKind
    camera: str
    label: str | None = None
    track_id: int | None = None
    score: float | None = None
    top_score: float | None = None
    box: PixelBox | None = None
    box_norm: NormBox | None = None
    start_time: float = 0.0
    end_time: float | None = None
    zones: tuple[str, ...] = ()
    entered_zones: tuple[str, ...] = ()
    stationary: bool = False
    speed: float | None = None
    clip: str | None = None
    clip_s: float | None = None
    snapshot: str | None = None
    energy_j: float | None = None
    rule: str = ""
    rules_version: str = ""
    # added to the format's first fields
    time: float = 0.0
    line: str | None = None
    direction: str | None = None
    counts: Mapping[str, int] | None = None
    dwell_s: float | None = None
    path: tuple[tuple[float, float, float], ...] = ()
    state: str | None = None
    message: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The JSON object: the format's own fields always, the added ones where they say something."""
        data: dict[str, Any] = {"v": VERSION}
        for name in _FIELDS:
            value = getattr(self, name)
            if name in _ADDED and (value is None or value == ()):
                continue
            data[name] = dict(value) if isinstance(value, Mapping) else value
        return data

    def to_json(self) -> str:
        """One line of ASCII JSON, without its end; the same event always gives the same bytes."""
        return json.dumps(self.to_dict(), separators=(", ", ": "))

    @classmethod
    def from_json(cls, text: str | bytes) -> Event:
        """The event of a line. Unknown fields are passed over, so that an older program reads a newer one's.

        Raises ValueError, with what is wrong, if the line is too long or is no event of version 1.
        """
        if len(text) > MOST_BYTES:
            raise ValueError(f"a line of {len(text)} bytes is no event; the longest has {MOST_BYTES}")
        try:
            data = msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ValueError(f"not an event: {error}") from None
        return cls.from_dict(data)

    @classmethod
    def from_dict(cls, data: Any) -> Event:
        """The event of a JSON object. Raises ValueError with what is wrong."""
        version = data.get("v") if isinstance(data, dict) else None
        if version != VERSION:
            raise ValueError(f"event version is {version}, this program reads version {VERSION}")
        try:
            return msgspec.convert(data, cls)
        except (msgspec.ValidationError, RecursionError) as error:
            raise ValueError(f"not an event: {error}") from None


_FIELDS = tuple(field.name for field in fields(Event))
_ADDED = frozenset(_FIELDS[_FIELDS.index("rules_version") + 1 :])


def event_id(start_time: float, *about: object) -> str:
    """``1795082331.204000-k3f9qa``: wall time in seconds, and letters made from what the event is about.

    about: whatever tells this happening from others that begin at the same time: camera, rule, track, zone.
    """
    import hashlib  # here: OpenSSL takes 4 MB, and most runs tell no event

    digest = hashlib.sha256(repr((round(start_time, 6), *about)).encode()).digest()
    number = int.from_bytes(digest[:8], "big")
    letters = ""
    for _ in range(6):
        number, at = divmod(number, len(_LETTERS))
        letters += _LETTERS[at]
    return f"{start_time:.6f}-{letters}"


def event_key(event: Event) -> str:
    """Tells one change of one event from every other, so that a queue delivers each once."""
    return f"{event.id}:{event.type}:{event.time:.3f}"
