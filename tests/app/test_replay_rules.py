"""A rule of every type on a recorded scene, replayed: unchanged byte for byte, changed gained or lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from telling_run import ZONE, Run

from edgecam.app.replay import bare, compare, play
from edgecam.core.events import Event
from edgecam.record.library.catalogue import ClipInfo
from edgecam.record.library.events import EventStore
from edgecam.record.library.index import Library
from edgecam.rules.reading import build

LINE = "mid=0.5,0 0.5,1"
#: By type: the rule as it was recorded, and a change by which it tells nothing of this scene.
RULES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "class": ({"on": "rectangle"}, {"on": "circle"}),
    "score": ({"on": "any:0.5"}, {"on": "circle:0.5"}),  # every score of this world is 1
    "zone": ({"on": "any@left"}, {"on": "circle@left"}),
    "loitering": ({"on": "any@left", "loitering": "1s"}, {"loitering": "1h"}),
    "count": ({"on": "any@left", "count": 2}, {"count": 50}),
    "in": ({"on": "any>mid"}, {"on": "circle>mid"}),
    "out": ({"on": "any<mid"}, {"on": "circle<mid"}),
    "both": ({"on": "any<>mid"}, {"on": "circle<>mid"}),
    "motion": ({"on": "motion@left"}, {"on": "motion@corner"}),
    "hours": ({"on": "any@left", "hours": "00:00-24:00"}, {"on": "any@left", "loitering": "1h"}),
    "moving": ({"on": "any@left", "stationary": "moving"}, {"stationary": "resting"}),
    "cooldown": ({"on": "any@left", "cooldown": 2}, {"on": "circle@left"}),
}
ZONES = [ZONE, {"name": "corner", "points": [[0, 0], [0.02, 0], [0.02, 0.02], [0, 0.02]], "use": "zone"}]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[ClipInfo], list[Event]]:
    """The folder, its clips, and what the rules told while it was recorded."""
    folder = tmp_path_factory.mktemp("clips")
    rules = [{"name": name, **rule} for name, (rule, _) in RULES.items()]
    Run(folder, frames=400, all_the_time=True, zone=ZONES, line=[LINE], rule=rules).go()
    with EventStore(folder) as store, Library(folder) as library:
        return folder, library.clips(), [bare(moment) for _, moment in store.since(None, limit=-1)]


def test_unchanged_rules_of_every_type_give_the_same_bytes(
    told: tuple[Path, list[ClipInfo], list[Event]],
) -> None:
    folder, clips, events = told
    rules = build(ZONES, [LINE], [{"name": name, **rule} for name, (rule, _) in RULES.items()])
    assert [bare(e).to_json() for e in play(folder, clips, rules)] == [e.to_json() for e in events]
    assert {e.rule for e in events} == {"", *RULES}


@pytest.mark.parametrize("name", RULES)
def test_a_changed_rule_loses_all_it_told_and_the_old_one_gains_it_again(
    told: tuple[Path, list[ClipInfo], list[Event]], name: str
) -> None:
    folder, clips, events = told
    rule, change = RULES[name]
    mine = [e for e in events if e.rule == name and e.type == "new"]
    assert mine

    def of(changed: dict[str, Any]) -> list[Event]:
        rules = build(ZONES, [LINE], [{"name": name, **changed}])
        return [e for e in play(folder, clips, rules) if e.rule == name]

    other, same = of({**rule, **change}), of(rule)
    lost, back = compare(mine, other), compare(other, same)
    assert (lost.kept, len(lost.gained), lost.lost) == (0, 0, mine)
    assert [e.start_time for e in back.gained] == [e.start_time for e in mine]
    assert not compare(mine, same).gained and not compare(mine, same).lost
