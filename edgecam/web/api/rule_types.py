"""What the API says of zones, lines and rules."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from edgecam.rules.reading import MOST_RULES

Share = Annotated[float, Meta(ge=0, le=1)]
Point = Annotated[list[Share], Meta(min_length=2, max_length=2)]
Name = Annotated[str, Meta(min_length=1, max_length=60)]
Words = Annotated[list[Annotated[str, Meta(max_length=60)]], Meta(max_length=100)]


class ZoneRow(msgspec.Struct, forbid_unknown_fields=True):
    """A zone by its normalised corners; see ``[[zone]]`` in the settings."""

    name: Name
    points: Annotated[list[Point], Meta(min_length=3, max_length=64)]
    classes: Words = []
    score: Share = 0.0
    loitering: Annotated[float, Meta(ge=0, le=86400)] = 0.0
    inertia: Annotated[int, Meta(ge=1, le=100)] = 3
    use: Literal["zone", "mask", "motion"] = "zone"


class LineRow(msgspec.Struct, forbid_unknown_fields=True):
    """A line by its two ends; objects are counted in and out."""

    name: Name
    points: Annotated[list[Point], Meta(min_length=2, max_length=2)]
    classes: Words = []


class CameraPlaces(msgspec.Struct):
    """The places of one camera, and how many are in each zone now, by label."""

    camera: str
    zones: list[ZoneRow]
    lines: list[LineRow]
    counts: dict[str, dict[str, int]]


class Places(msgspec.Struct):
    """``rules``: names of the rules that look at them. note: what is to be known of what was saved."""

    cameras: list[CameraPlaces]
    rules: list[str]
    note: str = ""


class NewPlaces(msgspec.Struct, forbid_unknown_fields=True):
    """All zones and lines of one camera; those that are left out are taken away."""

    zones: Annotated[list[ZoneRow], Meta(max_length=64)]
    lines: Annotated[list[LineRow], Meta(max_length=64)] = []


class RuleRow(msgspec.Struct, forbid_unknown_fields=True):
    """Something to be told; see ``[[rule]]`` in the settings. on: words such as ``person@door``."""

    name: Annotated[str, Meta(min_length=1, max_length=80)]
    on: Annotated[list[Annotated[str, Meta(min_length=1, max_length=80)]], Meta(min_length=1, max_length=40)]
    camera: Annotated[str, Meta(max_length=80)] = ""
    days: Words = []
    hours: Words = []
    loitering: Annotated[float, Meta(ge=0, le=86400)] = 0.0
    count: Annotated[int, Meta(ge=1, le=1000)] = 1
    stationary: Literal["any", "moving", "resting"] = "any"
    cooldown: Annotated[float, Meta(ge=0, le=86400 * 7)] = 0.0
    record: bool = False
    snapshot: bool = False
    do: Words = []


class Rules(msgspec.Struct):
    """All of them, for all cameras. note: what is to be known of what was saved."""

    rules: list[RuleRow]
    note: str = ""


class NewRules(msgspec.Struct, forbid_unknown_fields=True):
    """``rules``: all of them; null leaves them as they are. places: by camera id; the others stay."""

    rules: Annotated[list[RuleRow], Meta(max_length=MOST_RULES)] | None = None
    places: Annotated[dict[str, NewPlaces], Meta(max_length=64)] = {}
