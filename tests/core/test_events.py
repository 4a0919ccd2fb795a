"""The event's JSON: as DESIGN gives it, there and back, and strict about what is not one."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecam.core.events import MOST_BYTES, Event, event_id

DESIGN = """{"v": 1, "id": "1795082331.204817-k3f9qa", "type": "new", "kind": "object", "camera": "front",
 "label": "person", "track_id": 3, "score": 0.74, "top_score": 0.91, "box": [103, 55, 240, 610],
 "box_norm": [0.08, 0.08, 0.19, 0.85], "start_time": 1795082331.204, "end_time": null, "zones": ["door"],
 "entered_zones": ["yard", "door"], "stationary": false, "speed": null,
 "clip": "2026-11-20_10-00-00Z_front.mp4", "clip_s": 12.4, "snapshot": "x.jpg", "energy_j": 41.2,
 "rule": "person-at-door", "rules_version": "sha256:00"}"""


def test_the_design_documents_example_is_read_and_written_with_its_fields_in_its_order() -> None:
    event = Event.from_json(DESIGN)
    assert (event.camera, event.box, event.entered_zones) == ("front", (103, 55, 240, 610), ("yard", "door"))
    written = json.loads(event.to_json())
    assert [name for name in written if name != "time"] == list(json.loads(DESIGN))
    assert {k: written[k] for k in json.loads(DESIGN)} == json.loads(DESIGN)


finite = st.floats(-1e12, 1e12)
pixel = st.integers(-10, 1 << 20)
box = st.tuples(pixel, pixel, pixel, pixel)
events = st.builds(
    Event,
    id=st.text(max_size=40),
    type=st.sampled_from(["new", "update", "end"]),
    kind=st.sampled_from(["object", "zone", "line", "occupancy", "motion", "camera", "board", "clip"]),
    camera=st.text(max_size=20),
    label=st.none() | st.text(max_size=20),
    box=st.none() | box,
    start_time=finite,
    end_time=st.none() | finite,
    zones=st.lists(st.text(max_size=8), max_size=4).map(tuple),
    counts=st.none() | st.dictionaries(st.text(max_size=8), st.integers(0, 1 << 40), max_size=3),
    path=st.lists(st.tuples(finite, finite, finite), max_size=4).map(tuple),
    message=st.none() | st.text(max_size=30),
)


@given(events)
def test_any_event_comes_back_as_it_was_in_one_ascii_line(event: Event) -> None:
    line = event.to_json()
    assert line.isascii()
    assert "\n" not in line
    assert Event.from_json(line) == event
    assert Event.from_json(line).to_json() == line


@pytest.mark.parametrize(
    "line",
    [
        "",
        "[]",
        "{}",
        '{"v": 2}',
        "x" * (MOST_BYTES + 1),
        DESIGN.replace('"new"', '"newer"'),
        DESIGN.replace("[103, 55, 240, 610]", "[103, 55, 240]"),
        DESIGN.replace('"front"', "7"),
    ],
)
def test_what_is_no_event_is_a_value_error(line: str) -> None:
    with pytest.raises(ValueError, match=r"event|longest"):
        Event.from_json(line)


def test_a_newer_programs_fields_are_passed_over() -> None:
    assert Event.from_json(DESIGN[:-1] + ', "colour": "red"}') == Event.from_json(DESIGN)


def test_an_id_is_the_time_and_letters_that_depend_on_what_it_is_about() -> None:
    one = event_id(1795082331.204, "front", "person-at-door", 3)
    assert one.startswith("1795082331.204000-")
    assert one == event_id(1795082331.204, "front", "person-at-door", 3)
    assert len({event_id(1.0, "front", n) for n in range(2000)}) == 2000
