"""MQTT with a real broker: events in order and at least once, state, commands, the will, discovery."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

pytest.importorskip("paho.mqtt.client", reason="needs the extra 'mqtt'")

from broker import Mosquitto
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from edgecam.core.areas import Areas, LineState, ZoneState
from edgecam.core.errors import ConfigError
from edgecam.core.events import Event, event_id
from edgecam.core.ports import Changes
from edgecam.core.state import ModelState, SourceState, State
from edgecam.core.types import Detections, Frame, PowerReading, Result, Stats
from edgecam.outputs import courier as courier_module
from edgecam.outputs.mqtt.home_assistant import Described, Place, components, discovery_message
from edgecam.outputs.mqtt.link import parse_broker
from edgecam.outputs.mqtt.output import MqttOptions, MqttOutput, MqttView
from edgecam.outputs.mqtt.topics import Topics, level, levels

LABELS = ("person", "car", "dog")


def until(met: Callable[[], object], within_s: float = 60.0) -> None:
    """Waits for a state that must come; the limit is only for a broken program."""
    deadline = time.monotonic() + within_s
    while not met():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)


def event(number: int, kind: str = "object", **more: Any) -> Event:
    return Event(
        id=event_id(number, kind),
        type="new",
        kind=kind,
        camera="front",
        label="person",
        time=float(number),
        **more,
    )  # type: ignore[arg-type]


@dataclass
class Board:
    """What the output looks at: a State that the test changes."""

    now: State
    asked: list[dict[str, object]] = field(default_factory=list)
    toggled: int = 0
    people: int = 1
    zones: Areas = field(default_factory=Areas)

    def state(self) -> State:
        return self.now

    def change(self, **settings: object) -> Changes:
        self.asked.append(settings)
        if settings.get("score") == "much":
            return Changes(refused=MappingProxyType({"score": "score: 'much' must be a number"}))
        self.now = replace(self.now, settings=MappingProxyType({**self.now.settings, **settings}))
        return Changes(applied=MappingProxyType(settings))

    def trigger(self, cause: str) -> None:
        self.asked.append({"trigger": cause})

    def toggle(self) -> str:
        self.toggled += 1
        return ""

    def latest(self) -> list[Result | None]:
        n = self.people
        boxes = np.tile(np.array([[1, 1, 9, 9]], np.float32), (n, 1))
        found = Detections(boxes, np.full(n, 0.9, np.float32), np.zeros(n, np.int32), LABELS)
        return [Result(Frame(np.zeros((16, 16, 3), np.uint8), 0, 0, "front"), found)]


def board() -> Board:
    stats = Stats(30.0, 15.0, power=PowerReading(5.4, "measured", "INA3221", 0))
    model = ModelState("detection", "ssd-x", labels=LABELS, enabled=frozenset(LABELS), score=0.5)
    state = State(
        0, "1.2.3", 60.0, stats, (SourceState("front"),), models=(model,),
        settings=MappingProxyType({"score": 0.5, "overlay": "simple", "classes": ()}),
    )  # fmt: skip
    return Board(state)


class Listener:
    """A subscriber; retained: the messages that were there before it came."""

    def __init__(self, port: int, topic: str = "#") -> None:
        self.seen: list[tuple[str, bytes, bool]] = []
        self._topic = topic
        self._client = Client(
            CallbackAPIVersion.VERSION2, client_id=f"listener-{id(self)}", clean_session=False
        )
        self._client.on_connect = lambda c, *_: c.subscribe(topic, qos=1)
        self._client.on_message = lambda _c, _d, m: self.seen.append((m.topic, m.payload, m.retain))
        self._client.reconnect_delay_set(1, 1)
        self._client.connect_async("127.0.0.1", port)
        self._client.loop_start()
        until(self._client.is_connected)

    def last(self, topic: str) -> str | None:
        found = [payload for t, payload, _ in list(self.seen) if t == topic]
        return found[-1].decode("utf-8", "replace") if found else None

    def send(self, topic: str, text: str) -> None:
        self._client.publish(topic, text, qos=1)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@contextlib.contextmanager
def output(port: int, folder: Path, of: Board, **more: Any) -> Iterator[MqttOutput]:
    broker = parse_broker(f"mqtt://127.0.0.1:{port}", client_id="edgecam_test_0001")
    view = MqttView(
        of, of.latest, lambda _: of.zones, lambda name: b"\xff\xd8 jpeg " + name.encode(), of.toggle
    )
    made = MqttOutput(MqttOptions(broker, folder, **more), view)
    made.open()
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    folder = tmp_path / "broker"
    folder.mkdir()
    broker = Mosquitto(folder)
    yield broker
    broker.kill()


@pytest.fixture
def listener(mosquitto: Mosquitto) -> Iterator[Listener]:
    made = Listener(mosquitto.port)
    yield made
    made.close()


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
        until(lambda: late.last("edgecam/the_door/person"))
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
            ("score/set", "\x00\xff"), ("recording/set", "on"), ("classes/set", "person, dog"),
            ("trigger/set", "bell"), ("score/set", "0.35"),
        ):  # fmt: skip
            listener.send(f"edgecam/{topic}", text)
        until(lambda: listener.last("edgecam/score/state") == "0.35")
    assert of.toggled == 1
    assert {"classes": ("person", "dog")} in of.asked and {"trigger": "bell"} in of.asked
    assert (
        "must be a number" in caplog.text
        and "neither ON nor OFF" in caplog.text
        and "5000 bytes" in caplog.text
    )


CHILD = """
import sys, time
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from test_mqtt import board, output
with output(int(sys.argv[2]), Path(sys.argv[3]), board()):
    print("up", flush=True)
    time.sleep(600)
"""


def test_the_broker_says_offline_for_a_board_that_vanished(
    mosquitto: Mosquitto, listener: Listener, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", CHILD, str(Path(__file__).parent), str(mosquitto.port), str(tmp_path)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE)
    until(lambda: listener.last("edgecam/available") == "online")
    child.kill()
    child.communicate()
    until(lambda: listener.last("edgecam/available") == "offline")


def test_a_broker_that_dies_loses_no_event_and_no_order(
    tmp_path: Path, mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed and started again while events come; benchmarks/broker_kills.py is the long form."""
    monkeypatch.setattr(courier_module, "FIRST_PAUSE_S", 0.05)
    listener = Listener(mosquitto.port, "edgecam/events")
    total, over = 120, threading.Event()

    def write(made: MqttOutput) -> None:
        for number in range(total):
            made.write(event(number))
            time.sleep(0.01)
        over.set()

    with output(mosquitto.port, tmp_path / "state", board()) as made:
        writer = threading.Thread(target=write, args=(made,))
        writer.start()
        for _ in range(2):
            time.sleep(0.3)
            mosquitto.kill()
            time.sleep(0.2)
            mosquitto.start()
        assert over.wait(60)
        writer.join()
        until(lambda: made.waiting == 0, 120)
    wanted = [event(number).id for number in range(total)]

    def arrived() -> list[str]:
        return list(dict.fromkeys(json.loads(payload)["id"] for _, payload, _ in list(listener.seen)))

    until(lambda: len(arrived()) == total)
    listener.close()
    assert arrived() == wanted


def test_home_assistant_is_told_what_there_is_and_what_is_gone(
    mosquitto: Mosquitto, listener: Listener, tmp_path: Path
) -> None:
    of = board()
    topic = "homeassistant/device/edgecam_test_0001/config"
    with output(mosquitto.port, tmp_path, of, zone_labels=(("door", ("person",)),)):
        of.zones = Areas((ZoneState("door", ((0, 0), (1, 0), (1, 1))),))
        until(lambda: "door_person_occupancy" in (listener.last(topic) or ""))
        first = json.loads(listener.last(topic) or "")
        of.zones = Areas()
        until(lambda: "door_person_occupancy" not in (listener.last(topic) or "door_person_occupancy"))
        versions = [json.loads(payload) for t, payload, _ in listener.seen if t == topic]
        removing = versions[-2]["cmps"]
        assert removing["door_person_occupancy"] == {"p": "binary_sensor"}
        count = len(versions)
        listener.send("homeassistant/status", "online")
        until(lambda: sum(t == topic for t, _, _ in listener.seen) > count)
    check_description(first)


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
        "b", "h", "1", {"a": "a", "b": "b"}, ("person",), [Place("z", "z", ("person",))], [Place("g", "g")]
    )
    check_description(json.loads(discovery_message(of, Topics("edgecam"))))
    assert {"a_person_occupancy", "z_person_count", "g_in", "b_snapshot"} <= components(
        of, Topics("e")
    ).keys()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("broker", "begins with mqtt://"),
        ("http://broker", "begins with mqtt://"),
        ("mqtt://", "name is missing"),
        ("mqtt://u:geheim@h:port", "port is not a number"),
        ("mqtt://h/topic", "nothing may follow the port"),
    ],
)
def test_a_broker_that_cannot_be_meant_is_refused_in_a_sentence(url: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        parse_broker(url)
    assert "geheim" not in str(caught.value)


def test_a_broker_is_read_and_never_shows_its_password() -> None:
    broker = parse_broker("mqtts://joe:p%40ss@h", client_id="c")
    assert (broker.host, broker.port, broker.tls, broker.user, broker.password) == (
        "h",
        8883,
        True,
        "joe",
        "p@ss",
    )
    assert "p@ss" not in repr(broker) and "joe" not in repr(broker)
    with pytest.raises(ConfigError, match="certificates need mqtts://"):
        parse_broker("mqtt://h", ca="ca.pem")


def test_a_password_the_broker_refuses_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "passwords").write_text("")
    broker = Mosquitto(tmp_path, f"allow_anonymous false\npassword_file {tmp_path}/passwords\n")
    try:
        with output(broker.port, tmp_path, board()) as made:
            made.write(event(1))
            until(lambda: "refuses" in made.fault)
            assert made.waiting == 1
    finally:
        broker.kill()
    assert "Not authorized" in caplog.text
