"""A board to tell of, and a subscriber that listens, for tests and benchmarks of MQTT."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from msgspec.structs import replace
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from edgecam.core.areas import Areas
from edgecam.core.control import Changes
from edgecam.core.events import Event, EventKind, event_id
from edgecam.core.state import ModelState, SourceState, State
from edgecam.core.types import Detections, Frame, PowerReading, Result, Stats
from edgecam.outputs.mqtt.link import parse_broker
from edgecam.outputs.mqtt.output import MqttOptions, MqttOutput, MqttView

LABELS = ("person", "car", "dog")


def until(met: Callable[[], object], within_s: float = 60.0) -> None:
    """Waits for a state that must come; the limit is only for a broken program."""
    deadline = time.monotonic() + within_s
    while not met():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)


def event(number: int, kind: EventKind = "object", **more: Any) -> Event:
    return Event(
        id=event_id(number, kind),
        type="new",
        kind=kind,
        camera="front",
        label="person",
        time=float(number),
        **more,
    )


@dataclass
class Board:
    """What the output looks at: a State that the test changes."""

    now: State
    asked: list[dict[str, object]] = field(default_factory=list)
    recorded: list[bool] = field(default_factory=list)
    running: bool = True
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

    def record(self, on: bool) -> str:
        self.recorded.append(on)
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
        self._client.on_message = lambda _c, _d, m: self.seen.append((m.topic, bytes(m.payload), m.retain))
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
        of,
        of.latest,
        lambda _: of.zones,
        lambda name: b"\xff\xd8 jpeg " + name.encode(),
        of.record,
        lambda: of.running,
    )
    made = MqttOutput(MqttOptions(broker, folder, **more), view)
    made.open()
    try:
        yield made
    finally:
        made.close()
