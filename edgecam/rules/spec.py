"""Zones, lines and rules as plain data. :func:`edgecam.rules.reading.build` makes and checks them."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from edgecam.core.areas import Point, ZoneUse
from edgecam.rules.words import MOTION, Word, parse_word

#: What a rule's ``do`` may name.
OUTPUTS = ("mqtt", "webhook", "notify", "action")
Share = Annotated[float, Meta(ge=0, le=1)]
Words = tuple[str, ...]


class Zone(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of the picture. An object is in it when the foot of its box (bottom centre) is.

    points: normalised corners. camera: of which camera; "" for all. classes, score, min_size, max_size: what
    counts; sizes are shares of the picture's area. loitering: seconds before an object counts. inertia:
    sightings in a row before it has entered or left. real: metres from the first corner to the second and
    from the second to the third, for speeds. use: see :class:`edgecam.core.areas.ZoneState`.
    """

    name: str
    points: tuple[Point, ...]
    camera: str = ""
    classes: Words = ()
    score: Share = 0.0
    min_size: Share = 0.0
    max_size: Share = 1.0
    loitering: Annotated[float, Meta(ge=0, le=86400)] = 0.0
    inertia: Annotated[int, Meta(ge=1, le=100)] = 3
    real: tuple[Annotated[float, Meta(gt=0, le=1000)], Annotated[float, Meta(gt=0, le=1000)]] | None = None
    use: ZoneUse = "zone"


class Line(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line to be crossed; see :class:`edgecam.core.areas.LineState` for its directions."""

    name: str
    points: tuple[Point, ...]
    camera: str = ""
    classes: Words = ()
    score: Share = 0.0


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something to be told.

    on: words (:mod:`edgecam.rules.words`), any of which is enough. days, hours: when; always where empty.
    loitering: seconds in the zone. count: so many objects at once. stationary: what moves, what rests, or
    any. cooldown: seconds after one event before the next. record, snapshot: what is done while it holds.
    do: names of outputs that are told (:data:`OUTPUTS`); all where empty.
    """

    name: str
    on: Words
    camera: str = ""
    days: Words = ()
    hours: Words = ()
    loitering: Annotated[float, Meta(ge=0, le=86400)] = 0.0
    count: Annotated[int, Meta(ge=1, le=1000)] = 1
    stationary: Literal["any", "moving", "resting"] = "any"
    cooldown: Annotated[float, Meta(ge=0, le=86400 * 7)] = 0.0
    record: bool = False
    snapshot: bool = False
    do: Words = ()

    @property
    def words(self) -> tuple[Word, ...]:
        """What it waits for."""
        return tuple(parse_word(text, f"rule '{self.name}'") for text in self.on)


class RuleSet(msgspec.Struct, frozen=True):
    """All that is set, checked."""

    zones: tuple[Zone, ...] = ()
    lines: tuple[Line, ...] = ()
    rules: tuple[Rule, ...] = ()

    @property
    def version(self) -> str:
        """``sha256:…``, so that an event tells by which rules it came: the same however they were written."""
        import hashlib  # here: OpenSSL takes 4 MB, and most runs have no rules

        return "sha256:" + hashlib.sha256(msgspec.json.encode(self)).hexdigest()[:16]

    def of(self, camera: str, short: str = "") -> RuleSet:
        """What concerns one camera, by its name or its short name."""
        mine = ("", camera, short or camera)
        return RuleSet(
            tuple(z for z in self.zones if z.camera in mine),
            tuple(line for line in self.lines if line.camera in mine),
            tuple(r for r in self.rules if r.camera in mine),
        )

    @property
    def sees_motion(self) -> bool:
        """Whether pictures must be compared for motion."""
        return any(z.use == "motion" for z in self.zones) or any(
            word.what == MOTION for rule in self.rules for word in rule.words
        )
