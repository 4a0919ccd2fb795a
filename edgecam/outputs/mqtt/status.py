"""What stands on the broker as the state of things: a pure function of State and Areas."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping

from edgecam.core.areas import Areas
from edgecam.core.state import State
from edgecam.core.types import Detections, Latency
from edgecam.outputs.mqtt.topics import SETTINGS, Topics

Messages = dict[str, str]


def stats_message(state: State) -> str:
    """One JSON object: rates by stage, ages, power with its source, heat, notices; units in the names."""
    stats = state.stats
    power = stats.power
    return json.dumps(
        {
            "version": state.version,
            "uptime_s": round(state.uptime_s),
            "capture_fps": round(stats.capture_fps, 2),
            "inference_fps": round(stats.inference_fps, 2),
            "display_fps": round(stats.display_fps, 2),
            "frame_age_ms": _latency(stats.frame_age),
            "inference_ms": _latency(stats.inference),
            "frames_captured": stats.frames_in,
            "frames_inferred": stats.frames_inferred,
            "frames_stale": stats.frames_dropped,
            "power_w": None if power is None else round(power.power_w, 2),
            "power_kind": None if power is None else power.kind,
            "power_source": None if power is None else power.source,
            "temperature_c": stats.health.temperature_c,
            "cpu_percent": stats.health.cpu_percent,
            "throttled": list(stats.health.throttled_now),
            "recording": state.recording,
            "days_left": None if state.days_left is None else round(state.days_left, 1),
            "notice": state.notice,
            "cameras": {
                s.name: {
                    "capture_fps": round(s.stats.capture_fps, 2),
                    "inference_fps": round(s.stats.inference_fps, 2),
                    "lost": s.lost,
                    "notice": s.notice,
                }
                for s in state.sources
            },
        }
    )  # fmt: skip


def _latency(latency: Latency | None) -> dict[str, float] | None:
    return None if latency is None else {"p50": round(latency.p50_ms, 1), "p95": round(latency.p95_ms, 1)}


def setting_messages(state: State, topics: Topics) -> Messages:
    """The live settings and the switches, by topic."""
    messages = {topics.state("recording"): "ON" if state.recording else "OFF"}
    detector = state.detector
    for name in SETTINGS:
        value = state.settings.get(name)
        if name == "score" and value is None and detector is not None:
            value = detector.score
        messages[topics.state(name)] = _plain(value)
    return messages


def _plain(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, (tuple, list)):
        return ",".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def count_messages(
    cameras: Mapping[str, tuple[Detections, Areas]],
    topics: Topics,
    levels: Mapping[str, str],
    known: set[tuple[str, str]],
) -> Messages:
    """How many of what cameras and zones have now, and how many crossed lines.

    cameras: what each sees and counts, by its level. levels: of zones and lines, by name; one of several
    cameras has the sum. known: what was told before, so that a count goes back to 0; what is new is added.
    """
    counts: dict[str, Counter[str]] = {}
    crossed: Counter[str] = Counter()
    for camera, (found, areas) in cameras.items():
        counts[camera] = Counter(found.label(i) for i in range(len(found)))
        for zone in areas.zones:
            if zone.use == "zone" and zone.name in levels:
                counts.setdefault(levels[zone.name], Counter()).update(dict(zone.counts))
        for line in areas.lines:
            if line.name in levels:
                crossed[topics.crossings(levels[line.name], "in")] += line.counted_in
                crossed[topics.crossings(levels[line.name], "out")] += line.counted_out
    messages: Messages = {topic: str(number) for topic, number in crossed.items()}
    for where, per_label in counts.items():
        known.update((where, label) for label in per_label)
        for known_where, label in known:
            if known_where == where:
                messages[topics.count(where, label)] = str(per_label.get(label, 0))
        messages[topics.count(where, "all")] = str(sum(per_label.values()))
    return messages
