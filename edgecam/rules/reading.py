"""Reads zones, lines and rules from settings, and says everything that can be wrong with them.

Settings come as the command line's words (``door=0.1,0.2 0.4,0.2 0.4,0.9``) or as the tables of a TOML file
(``[[zone]]``, ``[[line]]``, ``[[rule]]``); :func:`build` makes one checked :class:`RuleSet` of them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeVar, get_args, get_type_hints

import msgspec

from edgecam.core.errors import ConfigError, suggest
from edgecam.core.units import Seconds
from edgecam.rules.geometry import area, crossing_edges
from edgecam.rules.schedule import Schedule
from edgecam.rules.spec import OUTPUTS, Line, Rule, RuleSet, Zone
from edgecam.rules.words import ANY, MOTION, NAME, has_area

#: Declared limits: bits of one word, and what a person can still look over.
MOST_AREAS, MOST_CORNERS, MOST_RULES = 64, 64, 200
#: A polygon must cover so much of the picture: a foot's box is no smaller.
LEAST_AREA = 1e-4
#: A setting: a table of the TOML file, or the command line's word.
Setting = Any

Area = TypeVar("Area", Zone, Line)


def build(
    zones: Sequence[Setting] = (),
    lines: Sequence[Setting] = (),
    rules: Sequence[Setting] = (),
    *,
    record_on: Sequence[str] = (),
    snapshot_on: Sequence[str] = (),
    labels: Collection[str] | None = None,
    cameras: Sequence[tuple[str, ...]] | None = None,
) -> RuleSet:
    """Check everything, and make one set of it.

    record_on, snapshot_on: words that name a zone or line become rules of that name; other words stay the
    recorder's. labels: what the detector knows; cameras: their names and short names; None: not known.

    Raises ConfigError: one sentence with what is wrong, the value, and what to do.
    """
    names = [] if cameras is None else [name for one in cameras for name in one]
    found_zones = tuple(_area(setting, Zone, "zone") for setting in zones)
    found_lines = tuple(_area(setting, Line, "line") for setting in lines)
    areas = [(zone.name, "zone") for zone in found_zones] + [(line.name, "line") for line in found_lines]
    for number, (name, kind) in enumerate(areas):
        if name in names:
            raise ConfigError(f"{kind} '{name}' has a camera's name; give it one of its own")
        if name in (other for other, _ in areas[:number]):
            raise ConfigError(f"{kind} '{name}': another zone or line has this name; give it one of its own")
    if len(areas) > MOST_AREAS:
        raise ConfigError(f"there are {len(areas)} zones and lines; the most is {MOST_AREAS}")
    for zone in found_zones:
        _check_zone(zone, labels)
    for line in found_lines:
        _check_line(line, labels)
    found_rules = [_rule(setting) for setting in rules]
    for option, words in (("record", record_on), ("snapshot", snapshot_on)):
        for text in words:
            if has_area(text):
                _add_word(found_rules, text.strip(), option)
    if len(found_rules) > MOST_RULES:
        raise ConfigError(f"there are {len(found_rules)} rules; the most is {MOST_RULES}")
    seen: set[str] = set()
    for rule in found_rules:
        if rule.name in seen:
            raise ConfigError(f"rule '{rule.name}': another rule has this name; give it one of its own")
        seen.add(rule.name)
        _check_rule(rule, found_zones, found_lines, labels)
    for kind, name, camera in (
        *(("zone", z.name, z.camera) for z in found_zones),
        *(("line", line.name, line.camera) for line in found_lines),
        *(("rule", r.name, r.camera) for r in found_rules),
    ):
        if camera and cameras is not None and camera not in names:
            near = suggest(camera, names) or f"; there is {', '.join(one[0] for one in cameras)}"
            raise ConfigError(f"{kind} '{name}': there is no camera '{camera}'{near}")
    return RuleSet(found_zones, found_lines, tuple(found_rules))


def _add_word(rules: list[Rule], text: str, option: str) -> None:
    for number, rule in enumerate(rules):
        if rule.name == text:
            rules[number] = msgspec.structs.replace(rule, **{option: True})
            return
    rules.append(Rule(name=text, on=(text,), record=option == "record", snapshot=option == "snapshot"))


def _ready(table: Mapping[str, Any]) -> dict[str, Any]:
    """A table with durations and lists as people may write them made plain."""
    data = {str(key).replace("-", "_"): value for key, value in table.items()}
    for key in ("loitering", "cooldown"):
        if isinstance(data.get(key), str):
            data[key] = float(Seconds.parse(data[key]))
    for key in ("classes", "on", "days", "hours", "do"):
        if isinstance(data.get(key), str):
            data[key] = [word.strip() for word in data[key].split(",") if word.strip()]
    if isinstance(data.get("points"), str):
        data["points"] = _points(data["points"])
    return data


def _points(text: str) -> list[list[float]]:
    corners = [corner.split(",") for corner in text.split()]
    if any(len(corner) != 2 for corner in corners):
        raise ValueError(f"'{text}' are no corners; write X,Y X,Y X,Y, each from 0 to 1")
    try:
        return [[float(x), float(y)] for x, y in corners]
    except ValueError:
        raise ValueError(f"'{text}' are no corners; write X,Y X,Y X,Y, each from 0 to 1") from None


def _table(setting: Setting, what: str) -> tuple[dict[str, Any], str]:
    """The setting as a table, and what to call it."""
    if isinstance(setting, str):
        name, equals, corners = setting.partition("=")
        if not equals:
            raise ConfigError(f"{what} '{setting}' is not NAME=X,Y X,Y …, with corners from 0 to 1")
        setting = {"name": name.strip(), "points": corners}
    title = f"{what} '{setting.get('name', '')}'"
    try:
        return _ready(setting), title
    except ValueError as error:
        raise ConfigError(f"{title}: {error}") from None


def _convert(data: dict[str, Any], kind: type[Any], title: str) -> Any:
    unknown = [key for key in data if key not in kind.__struct_fields__]
    if unknown:
        near = suggest(unknown[0], kind.__struct_fields__)
        raise ConfigError(
            f"{title}: unknown key '{unknown[0]}'{near or '; there is ' + ', '.join(kind.__struct_fields__)}"
        )
    try:
        return msgspec.convert(data, kind, strict=False)
    except msgspec.ValidationError as error:
        text = _plain(str(error))
        choices = _choices(kind, text.partition("'")[2].partition("'")[0])
        raise ConfigError(f"{title}: {text}{f'; write {choices}' if choices else ''}") from None


def _choices(kind: type[Any], field: str) -> str:
    """What a field of few words may be; empty for others."""
    words = [str(word) for word in get_args(get_type_hints(kind).get(field))]
    plain = all(word.isidentifier() for word in words)
    return ", ".join(words[:-1]) + f" or {words[-1]}" if len(words) > 1 and plain else ""


def _plain(text: str) -> str:
    """msgspec's message, in words for users."""
    why, _, where = text.partition(" - at `$")
    field = where.strip(".`").partition("[")[0]
    missing = "Object missing required field `"
    if why.startswith(missing):
        return f"'{why[len(missing) :].rstrip('`')}' is missing"
    return f"'{field}': {why[0].lower()}{why[1:].replace('`', '')}"


def _area(setting: Setting, kind: type[Area], what: str) -> Area:
    data, title = _table(setting, what)
    drawn: Area = _convert(data, kind, title)
    if not NAME.fullmatch(drawn.name):
        raise ConfigError(f"{title}: a name is made of up to 32 letters, digits, - and _")
    for x, y in drawn.points:
        if not (0 <= x <= 1 and 0 <= y <= 1):
            raise ConfigError(
                f"{title}: the point {x:g},{y:g} is outside the picture; points go from 0,0 (top left) to 1,1"
            )
    return drawn


def _check_zone(zone: Zone, labels: Collection[str] | None) -> None:
    title = f"zone '{zone.name}'"
    if not 3 <= len(zone.points) <= MOST_CORNERS:
        raise ConfigError(
            f"{title}: a polygon has 3 to {MOST_CORNERS} corners, this one has {len(zone.points)}"
        )
    crossing = crossing_edges(zone.points)
    if crossing is not None:
        first, second = crossing[0] + 1, crossing[1] + 1
        raise ConfigError(
            f"{title}: its outline crosses itself (sides {first} and {second});"
            " give the corners in the order in which one walks round it"
        )
    if area(zone.points) < LEAST_AREA:
        raise ConfigError(f"{title}: it has no area; move its corners apart")
    if zone.min_size > zone.max_size:
        raise ConfigError(f"{title}: min_size {zone.min_size:g} is above max_size {zone.max_size:g}")
    if zone.real is not None and len(zone.points) != 4:
        raise ConfigError(f"{title}: 'real' (metres) needs four corners, this zone has {len(zone.points)}")
    _check_classes(zone.classes, labels, title)


def _check_line(line: Line, labels: Collection[str] | None) -> None:
    title = f"line '{line.name}'"
    if len(line.points) != 2:
        raise ConfigError(f"{title}: a line has two points, this one has {len(line.points)}")
    (x1, y1), (x2, y2) = line.points
    if abs(x1 - x2) + abs(y1 - y2) < 0.01:
        raise ConfigError(f"{title}: its two points are the same; move them apart")
    _check_classes(line.classes, labels, title)


def _check_classes(classes: Sequence[str], labels: Collection[str] | None, title: str) -> None:
    for label in classes:
        if labels is not None and label not in labels:
            near = suggest(label, labels)
            raise ConfigError(f"{title}: the detector does not know '{label}'{near or '; see its labels'}")


def _rule(setting: Setting) -> Rule:
    if isinstance(setting, str):
        return Rule(name=setting.strip(), on=(setting.strip(),))
    data, title = _table(setting, "rule")
    rule: Rule = _convert(data, Rule, title)
    return rule


def _check_rule(
    rule: Rule, zones: Sequence[Zone], lines: Sequence[Line], labels: Collection[str] | None
) -> None:
    title = f"rule '{rule.name}'"
    if not rule.name or len(rule.name) > 64:
        raise ConfigError(f"{title}: a rule's name has 1 to 64 letters")
    if not rule.on:
        raise ConfigError(f'{title}: it waits for nothing; give it on = "person@ZONE"')
    Schedule(rule.days, rule.hours, title)
    for output in rule.do:
        if output not in OUTPUTS:
            near = suggest(output, OUTPUTS) or f"; write {', '.join(OUTPUTS[:-1])} or {OUTPUTS[-1]}"
            raise ConfigError(f"{title}: 'do' names '{output}', which is no output{near}")
    zone_names = [zone.name for zone in zones]
    line_names = [line.name for line in lines]
    for word in rule.words:
        if word.what not in (ANY, MOTION):
            _check_classes((word.what,), labels, title)
        for kind, name, known in (("zone", word.zone, zone_names), ("line", word.line, line_names)):
            if name and name not in known:
                near = suggest(name, known) or (f"; there is {', '.join(known)}" if known else "")
                raise ConfigError(f"{title}: there is no {kind} '{name}'{near}; add --{kind} '{name}=…'")
        if rule.loitering and not word.zone:
            raise ConfigError(f"{title}: loitering needs a zone; write {word.what}@ZONE")


def from_json(data: Any) -> RuleSet:
    """A checked set that was kept as JSON. Raises ConfigError if it is none."""
    try:
        return msgspec.convert(data, RuleSet)
    except msgspec.ValidationError as error:
        raise ConfigError(f"the rules that were kept cannot be read: {error}; give --config") from None
