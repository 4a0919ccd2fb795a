"""From a source to the store: rules, recording by rule, clip and second, joules, picture; and a change."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest
from telling_run import ZONE, Run

from edgecam.config import load
from edgecam.core.errors import ConfigError
from edgecam.core.events import Event
from edgecam.record.library.events import EventFilter, EventStore, placed
from edgecam.record.library.index import Library


def test_a_rule_records_and_its_events_know_clip_second_joules_and_picture(tmp_path: Path) -> None:
    run = Run(tmp_path, zone=[ZONE], record_on=["rectangle@left"], events=str(tmp_path / "all.jsonl"))
    run.go()
    lines = (tmp_path / "all.jsonl").read_text().splitlines()
    told = [Event.from_json(line) for line in lines]
    assert len({(e.id, e.type, e.time) for e in told}) == len(told)
    with EventStore(tmp_path) as store, Library(tmp_path) as library:
        clips = library.clips()
        assert [m.to_json() for _, m in store.since(None)] == lines
        mine = placed(store.events(EventFilter(rule="rectangle@left")), clips)
        assert mine
        for event in mine:
            assert (event.type, event.label, event.camera) == ("end", "rectangle", "synthetic:")
            assert event.entered_zones == ("left",)
            clip = library.find(event.clip or "")
            assert clip is not None
            assert "rectangle@left" in clip.causes
            assert 0.0 <= (event.clip_s or 0.0) <= clip.duration_s + 0.5
            assert (event.energy_j or 0.0) > 0
            picture = cv2.imread(str(tmp_path / "events" / str(event.snapshot)))
            assert picture.shape == (180, 320, 3)  # type: ignore[union-attr]
        # the sidecar says at which second, and the event agrees
        sidecar = tmp_path / clips[0].files["sidecar"]
        rows = [json.loads(line) for line in sidecar.read_text().splitlines()]
        row = next(r for r in rows if "detections" in r and r["time"] >= rows[0]["clip"]["started"])
        assert row["clip_s"] == 0.0
        first = mine[0]
        near = min((r for r in rows if "clip_s" in r), key=lambda r: abs(r["clip_s"] - (first.clip_s or 0)))
        assert "rectangle" in {d["label"] for d in near["detections"]}


def test_settings_that_are_wrong_are_told_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no zone 'lft', did you mean 'left'"):
        Run(tmp_path, zone=[ZONE], record_on=["rectangle@lft"])
    with pytest.raises(ConfigError, match="would mix on standard output"):
        Run(tmp_path, events="-", json="-")


def test_new_zones_hold_from_the_next_frame_on_and_a_wrong_one_changes_nothing(tmp_path: Path) -> None:
    run = Run(tmp_path, zone=[ZONE])
    rules = run.telling.rules
    before = rules.rules
    with pytest.raises(ConfigError):
        rules.apply(load({"zone": ["left=0,0 1,1"]}, {}))
    assert rules.rules is before
    rules.apply(load({"zone": ["right=0.5,0 1,0 1,1 0.5,1"]}, {}))
    run.go()
    with EventStore(tmp_path) as store:
        zones = {name for e in store.events(EventFilter(kind="zone")) for name in e.zones}
    assert zones == {"right"}
