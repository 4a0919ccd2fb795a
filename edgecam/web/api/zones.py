"""Zones, lines and rules: as they are, and as the editor wants them; live at once, through Control."""

from __future__ import annotations

from edgecam.rules.drawing import rules_in
from edgecam.rules.spec import Zone
from edgecam.web.api.operation import Call, Operation
from edgecam.web.api.rule_settings import apply, now, rule_row, wanted
from edgecam.web.api.rule_types import CameraPlaces, LineRow, NewPlaces, NewRules, Places, Rules, ZoneRow


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
        Operation("GET", "/api/rules", "Rules: what is told", rules, answer=Rules, tag="zones"),
        Operation(
            *("PUT", "/api/rules", "Change rules and places together", set_rules, "operator", Rules),
            body=NewRules,
            fails=(404, 409),
            tag="zones",
        ),
    ]


def zones(call: Call) -> Places:
    """Of every camera that whoever asks may see."""
    known = rules_in(now(call))
    state = call.site.control.state()
    found = []
    for camera in call.site.cameras:
        if not call.sees(camera.id):
            continue
        mine = known.of(camera.name, camera.short)
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
    return Places(found, [rule.name for rule in known.rules])


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
    camera = call.camera()
    note = apply(call, wanted(call, NewRules(places={camera.id: call.body})))
    found = zones(call)
    found.note = note
    return found


def rules(call: Call) -> Rules:
    """Those of the setting ``rule``; words of ``record_on`` that name a place are rules besides."""
    return Rules([rule_row(rule) for rule in rules_in(now(call)).rules])


def set_rules(call: Call) -> Rules:
    """All or nothing; from the next frame on, and remembered."""
    note = apply(call, wanted(call, call.body))
    found = rules(call)
    found.note = note
    return found
