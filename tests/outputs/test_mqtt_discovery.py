"""Home Assistant's discovery: what is announced and taken back, by the documented rules."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("paho.mqtt.client", reason="needs the extra 'mqtt'")

from broker import Mosquitto
from mqtt_kit import Listener, board, output, until

from edgecam.core.areas import Areas, ZoneState
from edgecam.outputs.mqtt import output as output_module
from edgecam.outputs.mqtt.home_assistant import CountedArea, Described, components, discovery_message
from edgecam.outputs.mqtt.topics import Topics, level, levels


def test_home_assistant_is_told_what_there_is_and_what_is_gone(
    mosquitto: Mosquitto, listener: Listener, tmp_path: Path
) -> None:
    of = board()
    topic = "homeassistant/device/edgecam_test_0001/config"
    with output(mosquitto.port, tmp_path, of, zone_labels=lambda: {"door": ("person",)}):
        of.zones = Areas((ZoneState("door", ((0, 0), (1, 0), (1, 1))),))
        until(lambda: "door_person_occupancy" in (listener.last(topic) or ""))
        first = json.loads(listener.last(topic) or "")
        # what was never seen is none, not unknown
        until(lambda: listener.last("edgecam/door/person") == listener.last("edgecam/front/dog") == "0")
        of.zones = Areas()
        until(lambda: "door_person_occupancy" not in (listener.last(topic) or "door_person_occupancy"))
        versions = [json.loads(payload) for t, payload, _ in listener.seen if t == topic]
        removing = versions[-2]["cmps"]
        assert removing["door_person_occupancy"] == {"p": "binary_sensor"}
        count = len(versions)
        listener.send("homeassistant/status", "online")
        until(lambda: sum(t == topic for t, _, _ in listener.seen) > count)
    check_description(first)
    # what goes between two runs is taken away at the next start, too
    of.zones = Areas((ZoneState("door", ((0, 0), (1, 0), (1, 1))),))
    with output(mosquitto.port, tmp_path, of):
        until(lambda: "door_all_count" in (listener.last(topic) or ""))
    of.zones = Areas()
    with output(mosquitto.port, tmp_path, of):
        until(lambda: "door_all_count" not in (listener.last(topic) or "door_all_count"))
    removing = [json.loads(payload) for t, payload, _ in listener.seen if t == topic][-2]["cmps"]
    assert removing["door_all_count"] == {"p": "sensor"} and "door_all_occupancy" in removing


def test_a_description_is_told_again_after_a_while(
    mosquitto: Mosquitto, listener: Listener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Home Assistant passes over parts of what comes while it sets a device up."""
    monkeypatch.setattr(output_module, "AGAIN_S", (0.1, 0.2))
    topic = "homeassistant/device/edgecam_test_0001/config"
    with output(mosquitto.port, tmp_path, board()):
        until(lambda: sum(t == topic for t, _, _ in listener.seen) == 3)
    assert len({payload for t, payload, _ in listener.seen if t == topic}) == 1


def check_description(message: dict[str, Any]) -> None:
    """The rules of Home Assistant's documentation for device-based discovery."""
    assert message["o"]["name"] and message["dev"]["ids"]
    assert message["availability_topic"]
    unique = [c["unique_id"] for c in message["cmps"].values()]
    assert len(set(unique)) == len(unique)
    needs = {
        "binary_sensor": {"state_topic"}, "sensor": {"state_topic"}, "switch": {"command_topic"},
        "number": {"command_topic"}, "select": {"command_topic", "options"}, "image": {"image_topic"},
        "event": {"state_topic", "event_types"}, "update": {"state_topic"},
    }  # fmt: skip
    for key, component in message["cmps"].items():
        assert level(key) == key and "object_id" not in component
        assert needs[component["p"]] <= component.keys(), key
        if component["p"] == "event":
            assert not component.get("retain")


def test_two_cameras_and_odd_names_have_topics_of_their_own() -> None:
    assert levels(["front door", "front/door", "Tür", "日本"]) == {
        "front door": "front_door", "front/door": "front_door-2", "Tür": "Tr", "日本": level("日本"),
    }  # fmt: skip
    assert level("日本").startswith("x")
    of = Described(
        "b",
        "h",
        "1",
        {"a": "a", "b": "b"},
        ("person",),
        [CountedArea("z", "z", ("person",))],
        [CountedArea("g", "g")],
    )
    check_description(json.loads(discovery_message(of, Topics("edgecam"))))
    assert {"a_person_occupancy", "z_person_count", "g_in", "b_snapshot"} <= components(
        of, Topics("e")
    ).keys()
