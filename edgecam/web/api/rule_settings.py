"""From the page's zones, lines and rules to settings and back; what the page does not know stays."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from edgecam.config.toml_edit import parse
from edgecam.core.errors import ConfigError
from edgecam.rules.drawing import as_list, redrawn, rules_in, table_of
from edgecam.rules.reading import build
from edgecam.rules.spec import Line, Rule, RuleSet, Zone
from edgecam.web.api.operation import ApiError, Call
from edgecam.web.api.rule_types import LineRow, NewPlaces, NewRules, RuleRow, ZoneRow
from edgecam.web.site import Camera

log = logging.getLogger(__name__)

Settings = dict[str, list[Any]]


def now(call: Call) -> Settings:
    """The settings ``zone``, ``line`` and ``rule`` as they hold."""
    values = call.site.control.state().settings
    return {name: as_list(values.get(name)) for name in ("zone", "line", "rule")}


def full(call: Call, settings: Settings) -> RuleSet:
    """The same with the words of ``record_on`` and ``snapshot_on``, as a run has them. Raises ConfigError."""
    config, detector = call.site.config, call.site.control.state().detector
    return build(
        *(settings["zone"], settings["line"], settings["rule"]),
        record_on=config.record_on,
        snapshot_on=config.snapshot_on,
        labels=None if detector is None else detector.labels,
        cameras=[(c.name, c.short) for c in call.site.cameras],
    )


def wanted(call: Call, body: NewRules) -> Settings:
    """The settings with what ``body`` changes. Raises ConfigError; ApiError for a camera not to be seen."""
    made = now(call)
    for camera_id, places in body.places.items():
        made = _with_areas(call, made, call.seen_camera(camera_id), places)
    if body.rules is not None:
        made["rule"] = _rules(made["rule"], rules_in(now(call)).rules, body.rules)
    return made


def apply(call: Call, settings: Settings) -> str:
    """Put these into use from the next frame on, all or nothing; a note for the person who saved them.

    Raises ConfigError and ApiError.
    """
    full(call, settings)
    before = now(call)
    changes = {name: value for name, value in settings.items() if value != before[name]}
    if not changes:
        return ""
    result = call.site.control.change(**changes)
    if result.refused:
        raise ApiError(400, "; ".join(dict.fromkeys(result.refused.values())))
    return _keep_in_file(call, changes)


def _keep_in_file(call: Call, changes: Settings) -> str:
    """Change the file too where it has zones or rules of its own, which a start would bring back."""
    file = call.site.settings_file
    try:
        text = file.text()
        own = parse(text)
        mine = {name: _tables(name, value) for name, value in changes.items() if name in own}
        if mine:
            file.write(file.preview(mine), file.tag(text))
    except ConfigError as error:
        log.warning("what was drawn holds now, but not after the next start: %s", error)
        return f"it holds until the next start: {error}"
    return ""


def _with_areas(call: Call, settings: Settings, camera: Camera, body: NewPlaces) -> Settings:
    """The settings with one camera's zones and lines redrawn; all of it is checked later."""
    places = {**settings, "rule": []}
    rules = rules_in(places)
    mine = (camera.name, camera.short)
    owner = camera.short if len(call.site.cameras) > 1 else ""
    changes = redrawn(
        places,
        mine,
        [_table(row, rules.zones, mine, owner) for row in body.zones],
        [_table(row, rules.lines, mine, owner) for row in body.lines],
        [(c.name, c.short) for c in call.site.cameras],
    )
    return {**settings, **changes}


def _table(
    row: ZoneRow | LineRow, places: Sequence[Zone | Line], mine: tuple[str, ...], owner: str
) -> dict[str, Any]:
    """A row as a table of the settings; what the editor does not know of a zone or line stays."""
    known = next((p for p in places if p.name == row.name and p.camera in ("", *mine)), None)
    table: dict[str, Any] = {} if known is None else table_of(known)
    table.update(msgspec.to_builtins(row))
    for name, usual in (("classes", []), ("score", 0), ("loitering", 0), ("inertia", 3), ("use", "zone")):
        if table.get(name) == usual:
            del table[name]
    if owner and known is None:
        table["camera"] = owner
    return table


def rule_row(rule: Rule) -> RuleRow:
    """A rule as the API tells it."""
    return msgspec.convert(msgspec.to_builtins(rule), RuleRow)


def _rules(settings: list[Any], rules: Sequence[Rule], rows: Sequence[RuleRow]) -> list[Any]:
    """Tables for the settings; a rule that is as it was stays as it was written."""
    written = {rule.name: (rule_row(rule), s) for s, rule in zip(settings, rules, strict=False)}
    plain = msgspec.to_builtins(RuleRow("-", ["-"]))
    made: list[Any] = []
    for row in rows:
        old = written.get(row.name)
        if old is not None and old[0] == row:
            made.append(old[1])
        else:
            table = msgspec.to_builtins(row)
            made.append({k: v for k, v in table.items() if k in ("name", "on") or v != plain[k]})
    return made


def _tables(name: str, values: list[Any]) -> list[Any] | None:
    """For the file: words are written as tables too where there are tables. None takes the setting out."""
    if not any(isinstance(value, Mapping) for value in values):
        return values or None
    made: list[Any] = []
    for value in values:
        if isinstance(value, Mapping):
            made.append(value)
        elif name == "rule":
            made.append({"name": value, "on": value})
        else:
            title, _, points = str(value).partition("=")
            made.append({"name": title.strip(), "points": points})
    return made
