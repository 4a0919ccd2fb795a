"""The board on a broker: events in order, counts and state when they change, snapshots, discovery."""

from __future__ import annotations

import json
import logging
import random
import socket
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edgecam.core.areas import Areas
from edgecam.core.clock import now_ns
from edgecam.core.control import Control
from edgecam.core.events import Event
from edgecam.core.state import State
from edgecam.core.threads import OwnedThread
from edgecam.core.types import NO_DETECTIONS, Result
from edgecam.outputs.courier import Courier
from edgecam.outputs.mqtt.announced import Announced
from edgecam.outputs.mqtt.commands import Commands, Record
from edgecam.outputs.mqtt.home_assistant import (
    CountedArea,
    Described,
    components,
    discovery_message,
    discovery_topic,
)
from edgecam.outputs.mqtt.link import Broker, MqttLink
from edgecam.outputs.mqtt.status import Messages, count_messages, setting_messages, stats_message
from edgecam.outputs.mqtt.topics import ONLINE, Topics, board_id, levels

log = logging.getLogger(__name__)

#: Home Assistant's own prefix, unless it was given another.
DISCOVERY = "homeassistant"
#: Counts and settings are compared, and told where they changed, so often.
LOOK_EVERY_S = 0.5
#: A new description is told again after these: while Home Assistant sets up one entity of a device, it passes
#: over the rest of a further message (``return`` in the loop of its ``mqtt/discovery.py``, seen in 2025.4).
AGAIN_S = (30.0, 300.0)
#: After Home Assistant's birth the description is told again within this time, not by all devices at once.
BIRTH_WITHIN_S = 5.0
JOIN_S = 10.0
#: Commands that wait to be carried out; beyond this the oldest go.
MOST_COMMANDS = 100


@dataclass(frozen=True, slots=True)
class MqttOptions:
    """How to publish. broker: its address. prefix: of all topics. discovery: Home Assistant's prefix; empty:
    nothing is announced, and what was announced before is taken back. folder: where events wait.
    stats_every_s: how often rates and watts are published. zone_labels: the classes that each zone's settings
    name now. wants: which events are published.
    """

    broker: Broker
    folder: Path
    prefix: str = "edgecam"
    discovery: str = DISCOVERY
    stats_every_s: float = 60.0
    zone_labels: Callable[[], Mapping[str, tuple[str, ...]]] = dict
    wants: Callable[[Event], bool] = lambda _: True


@dataclass(frozen=True, slots=True)
class MqttView:
    """What this output needs from the program. areas: zones and lines of a camera, by its name; picture: the
    JPEG of an event's ``snapshot``; latest: the newest result of each source, in order; record: for the
    switch of that name; running: whether the program has started, until when commands wait.
    """

    control: Control
    latest: Callable[[], Sequence[Result | None]]
    areas: Callable[[str], Areas] = lambda _: Areas()
    picture: Callable[[str], bytes | None] = lambda _: None
    record: Record | None = None
    running: Callable[[], bool] = lambda: True


class MqttOutput:
    """An :class:`~edgecam.core.ports.EventSink`; two threads of its own and its courier's.

    Events are kept on disk and delivered in order, at least once. Everything else on the broker is state:
    told when it changes, and all of it after each connection.
    """

    def __init__(self, options: MqttOptions, view: MqttView) -> None:
        board = options.broker.client_id or board_id()
        self.topics = Topics(options.prefix)
        self._options = options
        self._view = view
        self._board = board
        self._commands = Commands(self.topics, view.control, view.record)
        self._link = MqttLink(
            replace(options.broker, client_id=board), self.topics, self._connected, self._message
        )
        self._courier = Courier("mqtt", options.folder, self._deliver, options.wants)
        self._thread = OwnedThread("mqtt-state", self._run)
        self._stop = threading.Event()
        self._asked: deque[tuple[str, str]] = deque(maxlen=MOST_COMMANDS)
        self._told: Messages = {}
        self._known: set[tuple[str, str]] = set()
        about = f"{board} {options.broker.name} {options.prefix} {options.discovery}"
        self._again_ns: list[int] = []
        self._announced = Announced(options.folder / "mqtt-announced.json", about)
        self._renew = threading.Event()
        self._describe_at_ns: int | None = None
        self._stats_at_ns = 0

    @property
    def fault(self) -> str:
        """Why nothing arrives at the moment; empty while all is well."""
        return self._link.fault or self._courier.fault

    @property
    def waiting(self) -> int:
        """Events that are not delivered yet."""
        return self._courier.waiting

    def open(self) -> None:
        """Connect, for ever. Raises ConfigError or MissingExtraError."""
        listen = [*self._commands.topics, self.topics.board]
        if self._options.discovery:
            listen.append(f"{self._options.discovery}/status")
        self._link.subscribe(*listen)
        self._courier.open()
        try:
            self._link.open()
        except BaseException:
            self._courier.close()
            raise
        self._thread.start()

    def write(self, event: Event) -> None:
        """Keep an event for delivery."""
        self._courier.write(event)

    def close(self) -> None:
        """Stop delivering, say offline. Idempotent."""
        self._stop.set()
        self._renew.set()
        try:
            self._thread.join(JOIN_S)
        finally:
            try:
                self._courier.close()
            finally:
                self._link.close()
        if self._thread.error is not None:
            raise self._thread.error

    # -- the courier's thread

    def _deliver(self, event: Event) -> None:
        self._link.deliver(self.topics.events, event.to_json())
        camera = self._cameras().get(event.camera)
        if camera is None:
            return
        if event.type == "new":
            short = {"event_type": event.kind, "label": event.label, "zones": event.zones, "rule": event.rule}
            payload = {**short, "id": event.id, "message": event.message, "direction": event.direction}
            self._link.publish(self.topics.camera_event(camera), json.dumps(payload), retain=False)
        picture = self._view.picture(event.snapshot) if event.snapshot else None
        if picture is not None and event.type != "end":
            for label in ("any", *([event.label] if event.label else [])):
                self._link.publish(self.topics.snapshot(camera, label), picture)

    # -- the connection's thread

    def _connected(self) -> None:
        self._link.publish(self.topics.board, self._board)
        if not self._options.discovery:  # take back what an earlier run told
            self._link.publish(discovery_topic(DISCOVERY, self._board), "")
        self._describe_at_ns = now_ns()
        self._renew.set()

    def _message(self, topic: str, text: str) -> None:
        if topic == self.topics.board:
            if text not in ("", self._board):
                log.warning(
                    "mqtt: %s publishes under '%s/…' too; give each board its own --mqtt-prefix",
                    text[:80],
                    self.topics.prefix,
                )
        elif topic == f"{self._options.discovery}/status":
            if text == ONLINE:  # Home Assistant was started anew
                self._describe_at_ns = now_ns() + round(random.uniform(0.2, BIRTH_WITHIN_S) * 1e9)
                self._renew.set()
        else:
            self._asked.append((topic, text))
            self._renew.set()

    # -- the thread of state

    def _run(self) -> None:
        while not self._stop.is_set():
            self._renew.wait(LOOK_EVERY_S)
            self._renew.clear()
            while self._asked and self._view.running() and not self._stop.is_set():
                self._commands.take(*self._asked.popleft())
            if self._link.connected and not self._stop.is_set():
                self._tell(self._view.control.state())

    def _cameras(self) -> dict[str, str]:
        return levels(source.name for source in self._view.control.state().sources)

    def _tell(self, state: State) -> None:
        now = now_ns()
        if self._describe_at_ns is not None and now >= self._describe_at_ns:
            self._describe_at_ns = None
            self._told.clear()
            self._stats_at_ns = 0
            self._link.publish(self.topics.available, ONLINE)
        cameras = self._cameras()
        areas = {name: self._view.areas(name) for name in cameras}
        self._describe(state, cameras, areas)
        messages = setting_messages(state, self.topics)
        model = state.detector.name if state.detector is not None else ""
        messages[self.topics.state("model")] = json.dumps(
            {"installed_version": model or "none", "latest_version": model or "none", "title": "detector"}
        )
        counted = {
            camera: (NO_DETECTIONS if result is None else result.detections, areas[name])
            for (name, camera), result in zip(cameras.items(), self._view.latest(), strict=False)
        }
        messages |= count_messages(counted, self.topics, self._area_levels(cameras, areas), self._known)
        due = now - self._stats_at_ns >= self._options.stats_every_s * 1e9
        if due or self._told.get("notice") != state.notice:
            self._stats_at_ns = now
            self._told["notice"] = state.notice
            messages[self.topics.stats] = stats_message(state)
        for topic, payload in messages.items():
            if self._told.get(topic) != payload and self._link.publish(topic, payload):
                self._told[topic] = payload

    @staticmethod
    def _area_levels(cameras: dict[str, str], areas: dict[str, Areas]) -> dict[str, str]:
        zones = (zone.name for of in areas.values() for zone in of.zones if zone.use == "zone")
        lines = (line.name for of in areas.values() for line in of.lines)
        return levels(dict.fromkeys((*zones, *lines)), taken=cameras.values())

    def _describe(self, state: State, cameras: dict[str, str], areas: dict[str, Areas]) -> None:
        """Announce to Home Assistant what there is, if that changed; what is gone is taken back first."""
        if not self._options.discovery:
            return
        detector, labels = state.detector, self._options.zone_labels()
        area_levels = self._area_levels(cameras, areas)
        zones = {z.name for of in areas.values() for z in of.zones if z.use == "zone"}
        of = Described(
            self._board,
            socket.gethostname(),
            state.version,
            cameras,
            () if detector is None else tuple(x for x in detector.labels if x in detector.enabled),
            tuple(CountedArea(n, at, labels.get(n, ())) for n, at in area_levels.items() if n in zones),
            tuple(CountedArea(n, at) for n, at in area_levels.items() if n not in zones),
            "" if detector is None else detector.name,
            power=state.power is not None,
        )
        self._known |= of.counted
        topic = discovery_topic(self._options.discovery, self._board)
        now = {key: component["p"] for key, component in components(of, self.topics).items()}
        message = discovery_message(of, self.topics)
        if self._told.get(topic) == message:
            if self._again_ns and now_ns() >= self._again_ns[0] and self._link.publish(topic, message):
                del self._again_ns[0]
            return
        gone = self._announced.gone(now)
        if gone:
            self._link.publish(topic, discovery_message(of, self.topics, gone))
        if self._link.publish(topic, message):
            self._told[topic] = message
            self._announced.keep(now)
            self._again_ns = [now_ns() + round(after_s * 1e9) for after_s in AGAIN_S]
