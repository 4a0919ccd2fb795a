"""What an editor draws becomes settings: one camera's places change, the others stay as they were written."""

from __future__ import annotations

import pytest

from edgecam.core.errors import ConfigError
from edgecam.rules.drawing import redrawn, rules_in, table_of

CAMERAS = [("front door", "front"), ("yard", "yard")]
SETTINGS = {
    "zone": (
        "sky=0,0 1,0 1,0.2 0,0.2",
        {"name": "mat", "camera": "front", "points": [[0, 0.8], [1, 0.8], [1, 1]], "loitering": "2m"},
        {"name": "lawn", "camera": "yard", "points": "0.1,0.5 0.9,0.5 0.9,0.9"},
    ),
    "line": ({"name": "gate", "camera": "yard", "points": [[0.1, 0.6], [0.9, 0.6]]},),
    "rule": ("person@lawn",),
}


def test_a_table_says_what_is_not_at_its_default() -> None:
    zone = rules_in(SETTINGS).zones[1]
    assert table_of(zone) == {
        "name": "mat",
        "camera": "front",
        "points": [[0.0, 0.8], [1.0, 0.8], [1.0, 1.0]],
        "loitering": 120.0,
    }


def test_only_that_cameras_places_change() -> None:
    mine = rules_in(SETTINGS).of("front door", "front")
    zones = [table_of(zone) for zone in mine.zones]
    assert [zone["name"] for zone in zones] == ["sky", "mat"]
    zones[0]["points"] = [[0, 0], [1, 0], [1, 0.123456]]
    made = redrawn(SETTINGS, ("front door", "front"), zones, [], CAMERAS)
    # a zone of all cameras stays one of all, and is there once
    assert made["zone"][0] == SETTINGS["zone"][2] and made["line"] == list(SETTINGS["line"])
    assert made["zone"][1] == {"name": "sky", "points": [[0.0, 0.0], [1.0, 0.0], [1.0, 0.1235]]}
    assert [zone["name"] for zone in made["zone"]] == ["lawn", "sky", "mat"]


def test_what_does_not_hold_together_is_refused_as_at_a_start() -> None:
    with pytest.raises(ConfigError, match="there is no zone 'lawn'"):
        redrawn(SETTINGS, ("yard",), [], [], CAMERAS)
    with pytest.raises(ConfigError, match="has a camera's name"):
        redrawn(SETTINGS, ("front",), [{"name": "yard", "points": [[0, 0], [1, 0], [1, 1]]}], [], CAMERAS)
