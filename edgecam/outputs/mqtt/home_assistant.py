"""Home Assistant's device-based discovery: one retained message describes the board and all that it tells.

After Home Assistant's MQTT documentation ("Device discovery payload"): topic ``PREFIX/device/ID/config`` with
``dev``, ``o`` (origin), ``cmps`` (each with ``p``, ``unique_id`` and its own keys). A component is removed by
leaving ``p`` alone in a message, then publishing without it; the device by an empty retained message. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgecam.outputs.mqtt.topics import OFFLINE, ONLINE, Topics, level

Component = dict[str, Any]
#: Event entities must say which types they may have.
EVENT_TYPES = ("object", "zone", "line", "occupancy", "motion", "camera", "board", "clip")
#: Of a detector's eighty classes these get entities of their own on each camera, where they are looked for;
#: zones have those that their settings name.
COMMON = ("person", "car", "dog", "cat", "bird", "bicycle", "motorcycle", "bus", "truck")


@dataclass(frozen=True, slots=True)
class CountedArea:
    """A zone or a line that has entities. labels: the classes it counts; empty: all together."""

    name: str
    level: str
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Described:
    """What the message describes.

    board: its id. cameras: name to level. labels: looked for. model: the detector's card.
    """

    board: str
    host: str
    version: str
    cameras: Mapping[str, str]
    labels: tuple[str, ...] = ()
    zones: Sequence[CountedArea] = ()
    lines: Sequence[CountedArea] = ()
    model: str = ""
    power: bool = True

    @property
    def common(self) -> tuple[str, ...]:
        """The classes that have entities on each camera."""
        return tuple(label for label in COMMON if label in self.labels)

    @property
    def counted(self) -> set[tuple[str, str]]:
        """Levels and classes that are counted: each begins with 0, before one was seen."""
        on_cameras = {(camera, label) for camera in self.cameras.values() for label in self.common}
        return on_cameras | {(zone.level, label) for zone in self.zones for label in zone.labels}


def discovery_topic(discovery_prefix: str, board: str) -> str:
    """Where the message goes, retained."""
    return f"{discovery_prefix}/device/{board}/config"


def components(of: Described, topics: Topics) -> dict[str, Component]:
    """Every entity, by a key that stays the same from start to start."""
    found: dict[str, Component] = {}
    for name, camera in of.cameras.items():
        title = f"{name} " if len(of.cameras) > 1 else ""
        found[f"{camera}_snapshot"] = {
            "p": "image",
            "name": f"{title}snapshot",
            "image_topic": topics.snapshot(camera, "any"),
            "content_type": "image/jpeg",
        }
        found[f"{camera}_event"] = {
            "p": "event",
            "name": f"{title}event",
            "state_topic": topics.camera_event(camera),
            "event_types": list(EVENT_TYPES),
        }
        found[f"{camera}_problem"] = _binary(
            f"{title}camera problem", topics.stats, "problem",
            value_template=f"{{{{ 'ON' if value_json.cameras[{json.dumps(name)}].lost else 'OFF' }}}}",
        )  # fmt: skip
        for label in of.common:
            found |= _counted(camera, f"{title}{label}", label, topics)
    for zone in of.zones:
        for label in zone.labels or ("all",):
            what = "occupancy" if label == "all" else label
            found |= _counted(zone.level, f"{zone.name} {what}", label, topics)
    for line in of.lines:
        for direction in ("in", "out"):
            found[f"{line.level}_{direction}"] = {
                "p": "sensor",
                "name": f"{line.name} {direction}",
                "state_topic": topics.crossings(line.level, direction),
                "state_class": "total_increasing",
                "icon": "mdi:arrow-left-right",
            }
    return {key: _unique(of.board, key, component) for key, component in (found | _board(of, topics)).items()}


def _counted(where: str, name: str, label: str, topics: Topics) -> dict[str, Component]:
    """Two entities: whether something is there, and how many."""
    topic, key = topics.count(where, label), f"{where}_{level(label)}"
    return {
        f"{key}_occupancy": _binary(
            name, topic, "occupancy", value_template="{{ 'ON' if value | int(0) > 0 else 'OFF' }}"
        ),
        f"{key}_count": {
            "p": "sensor",
            "name": f"{name} count",
            "state_topic": topic,
            "state_class": "measurement",
            "icon": "mdi:counter",
        },
    }


def _binary(name: str, topic: str, device_class: str, **more: str) -> Component:
    return {
        "p": "binary_sensor",
        "name": name,
        "state_topic": topic,
        "device_class": device_class,
        "payload_on": "ON",
        "payload_off": "OFF",
        **more,
    }


def _sensor(name: str, topics: Topics, template: str, **more: str) -> Component:
    return {
        "p": "sensor",
        "name": name,
        "state_topic": topics.stats,
        "value_template": f"{{{{ {template} }}}}",
        "entity_category": "diagnostic",
        "state_class": "measurement",
        **more,
    }


def _board(of: Described, topics: Topics) -> dict[str, Component]:
    """The board's own sensors, and what can be set."""
    found: dict[str, Component] = {
        "inference_rate": _sensor(
            "inference rate", topics, "value_json.inference_fps", unit_of_measurement="Hz"
        ),
        "frame_age": _sensor(
            "frame age", topics, "value_json.frame_age_ms.p50 if value_json.frame_age_ms else None",
            unit_of_measurement="ms", device_class="duration",
        ),
        "temperature": _sensor(
            "temperature", topics, "value_json.temperature_c",
            unit_of_measurement="°C", device_class="temperature",
        ),
        "problem": _binary(
            "problem", topics.stats, "problem",
            value_template="{{ 'ON' if value_json.notice else 'OFF' }}",
        ) | {"entity_category": "diagnostic"},
        "notice": {
            "p": "sensor",
            "name": "notice",
            "state_topic": topics.stats,
            "value_template": "{{ value_json.notice[:250] or 'all is well' }}",
            "entity_category": "diagnostic",
        },
        "recording": {
            "p": "switch",
            "name": "recording",
            "state_topic": topics.state("recording"),
            "command_topic": topics.set("recording"),
            "icon": "mdi:record-rec",
        },
        "score": {
            "p": "number",
            "name": "least score",
            "state_topic": topics.state("score"),
            "command_topic": topics.set("score"),
            "min": 0.05, "max": 0.95, "step": 0.05, "mode": "slider",
            "entity_category": "config",
        },
        "detect_rate": _number("detection rate", "detect_rate", topics, 0.5, 60, 0.5, "Hz", "frequency"),
        "max_watts": _number("most power", "max_watts", topics, 0.5, 60, 0.5, "W", "power"),
        "max_temp": _number("most heat", "max_temp", topics, 40, 100, 1, "°C", "temperature"),
        "overlay": {
            "p": "select",
            "name": "overlay",
            "state_topic": topics.state("overlay"),
            "command_topic": topics.set("overlay"),
            "options": ["simple", "full", "boxes", "off"],
            "entity_category": "config",
        },
        "model": {
            "p": "update",
            "name": "model",
            "state_topic": topics.state("model"),
            "entity_category": "diagnostic",
        },
    }  # fmt: skip
    if of.power:
        found["power"] = _sensor(
            "power", topics, "value_json.power_w", unit_of_measurement="W", device_class="power"
        )
    return found


def _number(
    name: str, setting: str, topics: Topics, least: float, most: float, step: float, unit: str, kind: str
) -> Component:
    """A setting that may be none: unknown then."""
    return {
        "p": "number",
        "name": name,
        "state_topic": topics.state(setting),
        "value_template": "{{ value or 'None' }}",
        "command_topic": topics.set(setting),
        "min": least, "max": most, "step": step, "mode": "box",
        "unit_of_measurement": unit,
        "device_class": kind,
        "entity_category": "config",
    }  # fmt: skip


def _unique(board: str, key: str, component: Component) -> Component:
    entity = f"{component['p']}.{board}_{key}".lower().replace("-", "_")
    return {**component, "unique_id": f"{board}_{key}", "default_entity_id": entity}


def discovery_message(of: Described, topics: Topics, gone: Iterable[tuple[str, str]] = ()) -> str:
    """The payload. gone: (key, platform) of components that were announced and are no more."""
    announced: dict[str, Component] = components(of, topics)
    for key, platform in gone:
        announced.setdefault(key, {"p": platform})
    return json.dumps(
        {
            "dev": {
                "ids": [of.board],
                "name": f"edgecam {of.host}",
                "mf": "edgecam",
                "mdl": of.model or "camera board",
                "sw": of.version,
            },
            "o": {"name": "edgecam", "sw": of.version},
            "availability_topic": topics.available,
            "payload_available": ONLINE,
            "payload_not_available": OFFLINE,
            "qos": 1,
            "cmps": announced,
        }
    )
