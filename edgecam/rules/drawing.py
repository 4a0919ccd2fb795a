"""Zones and lines as an editor sees them: those of one camera, and the settings after it changed them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from edgecam.core.errors import ConfigError
from edgecam.rules.reading import build
from edgecam.rules.spec import Line, RuleSet, Zone

#: A hundredth of a pixel at 4K is a share of some 1e-5; more digits say nothing.
DIGITS = 4


def as_list(value: object) -> list[Any]:
    """A live setting's value (``zone``, ``line``, ``rule``) as a list."""
    return list(value) if isinstance(value, (list, tuple)) else []


def rules_in(settings: Mapping[str, object]) -> RuleSet:
    """What ``zone``, ``line`` and ``rule`` of the live settings say. Raises ConfigError."""
    return build(*(as_list(settings.get(name)) for name in ("zone", "line", "rule")))


def table_of(area: Zone | Line) -> dict[str, Any]:
    """A zone or line as a ``[[zone]]`` or ``[[line]]`` table, without what stands at its default."""
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(area))
    usual = dict(
        zip(area.__struct_fields__[-len(area.__struct_defaults__) :], area.__struct_defaults__, strict=True)
    )
    return {
        name: value
        for name, value in plain.items()
        if name not in usual or getattr(area, name) != usual[name]
    }


def redrawn(
    settings: Mapping[str, object],
    mine: Sequence[str],
    zones: Sequence[Mapping[str, Any]],
    lines: Sequence[Mapping[str, Any]],
    cameras: Sequence[tuple[str, ...]],
) -> dict[str, list[Any]]:
    """The settings ``zone`` and ``line`` with one camera's zones and lines replaced by these tables.

    mine: that camera's names. Its areas, and those of all cameras, go unless they are among the tables; the
    other cameras' stay as they are written. cameras: all of their names and short names.

    Raises ConfigError, with the sentence that a start would give, if the result does not hold together.
    """
    changes = {}
    found = rules_in(settings)
    owners = {"zone": [z.camera for z in found.zones], "line": [line.camera for line in found.lines]}
    for name, tables in (("zone", zones), ("line", lines)):
        kept = [
            setting
            for setting, camera in zip(as_list(settings.get(name)), owners[name], strict=True)
            if camera and camera not in mine
        ]
        changes[name] = kept + [_rounded(table) for table in tables]
    build(changes["zone"], changes["line"], as_list(settings.get("rule")), cameras=cameras)
    return changes


def _rounded(table: Mapping[str, Any]) -> dict[str, Any]:
    points = table.get("points")
    if not isinstance(points, (list, tuple)):
        raise ConfigError("a zone without corners cannot be drawn")
    return {**table, "points": [[round(float(x), DIGITS), round(float(y), DIGITS)] for x, y in points]}
