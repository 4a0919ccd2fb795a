"""MQTT with a real broker: counts, state and snapshots are there; commands come back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("paho.mqtt.client", reason="needs the extra 'mqtt'")

from broker import Mosquitto
from mqtt_kit import LABELS, Listener, board, event, output, until

from edgecam.core.areas import Areas, LineState, ZoneState
from edgecam.core.types import Detections
from edgecam.outputs.mqtt.status import count_messages
from edgecam.outputs.mqtt.topics import Topics, levels


def test_counts_state_and_snapshots_are_there_for_a_late_subscriber(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    of = board()
    of.zones = Areas(
        (ZoneState("the door", ((0, 0), (1, 0), (1, 1)), counts=(("person", 2),)),),
        (LineState("gate", ((0, 0), (1, 1)), 3, 1),),
    )
    with output(mosquitto.port, tmp_path, of) as made:
        made.write(event(1, snapshot="1.jpg"))
        until(lambda: made.waiting == 0 and made.fault == "")
        late = Listener(mosquitto.port)
        until(lambda: late.last("edgecam/front/any/snapshot") and late.last("edgecam/stats"))
        until(lambda: late.last("edgecam/front/person/snapshot") and late.last("edgecam/the_door/person"))
        until(lambda: late.last("edgecam/gate/out") and late.last("edgecam/recording/state"))
        assert late.last("edgecam/available") == "online"
        assert late.last("edgecam/front/person") == late.last("edgecam/front/all") == "1"
        assert late.last("edgecam/the_door/person") == "2"
        assert (late.last("edgecam/gate/in"), late.last("edgecam/gate/out")) == ("3", "1")
        assert late.last("edgecam/score/state") == "0.5" and late.last("edgecam/recording/state") == "OFF"
        told = json.loads(late.last("edgecam/stats") or "")
        assert (told["power_w"], told["power_kind"], told["inference_fps"]) == (5.4, "measured", 15.0)
        assert late.last("edgecam/front/person/snapshot") == late.last("edgecam/front/any/snapshot")
        # none of the past is kept for it; what was on its way when it came it may hear
        told = ("edgecam/events", "edgecam/front/event")
        assert not any(topic in told and retained for topic, _, retained in late.seen)
        of.people = 0
        until(lambda: late.last("edgecam/front/person") == "0")
        late.close()
    again = Listener(mosquitto.port)
    until(lambda: again.last("edgecam/available") == "offline")
    again.close()


def test_commands_change_settings_and_rubbish_costs_nothing(
    mosquitto: Mosquitto, listener: Listener, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    of = board()
    with output(mosquitto.port, tmp_path, of):
        until(lambda: listener.last("edgecam/available") == "online")
        for topic, text in (
            ("score/set", "much"), ("score/set", "x" * 5000), ("recording/set", "maybe"),
            ("nothing/set", "1"),
            ("score/set", "\x00\xff"), ("recording/set", "on"), ("recording/set", "OFF"),
            ("classes/set", "person, dog"),
            ("trigger/set", "bell"), ("score/set", "0.35"),
        ):  # fmt: skip
            listener.send(f"edgecam/{topic}", text)
        until(lambda: listener.last("edgecam/score/state") == "0.35")
    assert of.recorded == [True, False]
    assert {"classes": ("person", "dog")} in of.asked and {"trigger": "bell"} in of.asked
    assert (
        "must be a number" in caplog.text
        and "neither ON nor OFF" in caplog.text
        and "5000 bytes" in caplog.text
    )


def test_a_command_waits_until_the_program_runs_and_a_broken_one_costs_no_other(
    mosquitto: Mosquitto, listener: Listener, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    of = board()
    of.running = False

    def broken(_: bool) -> str:
        raise KeyError("colour")

    of.record = broken  # type: ignore[method-assign,assignment]
    with output(mosquitto.port, tmp_path, of):
        until(lambda: listener.last("edgecam/available") == "online")
        listener.send("edgecam/recording/set", "ON")
        listener.send("edgecam/trigger/set", "bell")
        listener.send("edgecam/board", "another")
        until(lambda: "another publishes under" in caplog.text)  # so the commands before it have come
        assert of.asked == []
        of.running = True
        until(lambda: {"trigger": "bell"} in of.asked)
    assert "recording/set: unexpected KeyError" in caplog.text


def test_cameras_and_zones_never_take_each_others_counts() -> None:
    def seen(*names: str) -> Detections:
        ids = np.array([LABELS.index(name) for name in names], np.int32)
        return Detections(np.ones((len(ids), 4), np.float32), np.ones(len(ids), np.float32), ids, LABELS)

    def areas(people: int, crossed: int) -> Areas:
        corners = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))
        counts = (("person", people),) if people else ()
        zones = (ZoneState("door", corners, counts=counts), ZoneState("front", corners))
        return Areas(zones, (LineState("gate", corners[:2], crossed, 0),))

    cameras = levels(["front", "yard"])
    told = count_messages(
        {
            cameras["front"]: (seen("person", "person", "dog"), areas(2, 3)),
            cameras["yard"]: (seen(), areas(0, 1)),
        },
        Topics("edgecam"),
        levels(["door", "front", "gate"], taken=cameras.values()),
        set(),
    )
    assert (told["edgecam/front/all"], told["edgecam/front-2/all"]) == ("3", "0")  # the camera, and the zone
    assert (told["edgecam/door/person"], told["edgecam/door/all"]) == ("2", "2")
    assert told["edgecam/gate/in"] == "4"
