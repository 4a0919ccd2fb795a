"""Zones, lines and rules: as they are, and as the editor wants them; live at once, through Control."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from edgecam.rules.drawing import redrawn, rules_in, table_of
from edgecam.rules.spec import Line, RuleSet, Zone
from edgecam.web.api.operation import ApiError, Call, Operation

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
    """``rules``: names of the rules that look at them."""

    cameras: list[CameraPlaces]
    rules: list[str]


class NewPlaces(msgspec.Struct, forbid_unknown_fields=True):
    """All zones and lines of one camera; those that are left out are taken away."""

    zones: Annotated[list[ZoneRow], Meta(max_length=64)]
    lines: Annotated[list[LineRow], Meta(max_length=64)] = []


def operations() -> list[Operation]:
    """The rows of this part."""
    return [
        Operation("GET", "/api/zones", "Zones and lines", zones, answer=Places, tag="zones"),
        Operation(
            *("PUT", "/api/{camera}/zones", "Draw a camera's zones and lines", draw, "operator", Places),
            body=NewPlaces,
            fails=(409,),
            tag="zones",
        ),
    ]


def _rules(call: Call) -> RuleSet:
    return rules_in(call.site.control.state().settings)


def zones(call: Call) -> Places:
    """Of every camera that whoever asks may see."""
    rules = _rules(call)
    state = call.site.control.state()
    found = []
    for camera in call.site.cameras:
        if call.identity is not None and not call.identity.sees(camera.id):
            continue
        mine = rules.of(camera.name, camera.short)
        source = state.source(camera.name)
        counts = {} if source is None else {z.name: dict(z.counts) for z in source.areas.zones}
        found.append(
            CameraPlaces(
                camera.id,
                [_zone(zone) for zone in mine.zones],
                [
                    LineRow(line.name, [list(p) for p in line.points], list(line.classes))
                    for line in mine.lines
                ],
                counts,
            )
        )
    return Places(found, [rule.name for rule in rules.rules])


def _zone(zone: Zone) -> ZoneRow:
    return ZoneRow(
        zone.name,
        [list(point) for point in zone.points],
        list(zone.classes),
        zone.score,
        zone.loitering,
        zone.inertia,
        zone.use,
    )


def draw(call: Call) -> Places:
    """Checked like a start's settings; from the next frame on, and remembered."""
    camera, body = call.camera(), call.body
    now = call.site.control.state().settings
    rules = rules_in(now)
    mine = (camera.name, camera.short)
    owner = camera.short if len(call.site.cameras) > 1 else ""
    # all or nothing: Control takes what it can of a change
    changes = redrawn(
        now,
        mine,
        [_table(row, rules.zones, mine, owner) for row in body.zones],
        [_table(row, rules.lines, mine, owner) for row in body.lines],
        [(c.name, c.short) for c in call.site.cameras],
    )
    result = call.site.control.change(**changes)
    if result.refused:
        raise ApiError(400, "; ".join(dict.fromkeys(result.refused.values())))
    return zones(call)


def _table(
    row: ZoneRow | LineRow, places: Sequence[Zone | Line], mine: tuple[str, ...], owner: str
) -> dict[str, Any]:
    """A row as a table of the settings: what the editor does not know of a place stays."""
    known = next((p for p in places if p.name == row.name and p.camera in ("", *mine)), None)
    table: dict[str, Any] = {} if known is None else table_of(known)
    table.update(msgspec.to_builtins(row))
    for name, usual in (("classes", []), ("score", 0), ("loitering", 0), ("inertia", 3), ("use", "zone")):
        if table.get(name) == usual:
            del table[name]
    if owner and known is None:
        table["camera"] = owner
    return table
