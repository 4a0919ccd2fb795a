"""Reading a sidecar that anybody may have written: its lines, and what they say of the clip as a whole."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgecam.core.text import decodable
from edgecam.core.units import number_within
from edgecam.host.beneath import open_beneath
from edgecam.record.limits import CAUSES, DURATION_S, EVENTS, LABELS, LINE_BYTES, SIDECAR_BYTES, TEXT

#: More frames than a clip's longest time can hold.
_MOST_FRAMES = 10**9


def parse_object(text: str | bytes) -> dict[str, Any] | None:
    """The JSON object in ``text``; None if it is none, too deep, or not JSON. Never raises."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def read_sidecar(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a sidecar, in order; what is none, or too long, is passed over. Raises OSError."""
    for line in sidecar_lines(path):
        data = parse_object(line)
        if data is not None:
            yield data


def sidecar_lines(path: Path) -> Iterator[bytes]:
    """The lines of a sidecar, in order; those that are too long are passed over. Raises OSError."""
    with os.fdopen(open_beneath(path.parent, path.name), "rb") as file:
        left, whole = SIDECAR_BYTES, True
        while left > 0 and (line := file.readline(LINE_BYTES)):
            left -= len(line)
            ends = line.endswith(b"\n")
            if whole and (ends or len(line) < LINE_BYTES):
                yield line
            whole = ends


@dataclass
class ClipFacts:
    """What header, sidecar and footer say of a clip, each value checked; wrong ones are as if not there."""

    camera: str = ""
    started: object = None
    boot: str = ""
    boot_s: float | None = None
    frames: int | None = None
    missed: int = 0
    ended: str = ""
    causes: list[str] = field(default_factory=list)
    labels: set[str] = field(default_factory=set)
    events: list[tuple[float, str]] = field(default_factory=list)

    def header(self, data: Mapping[str, Any]) -> None:
        """Take a container's comment, or a sidecar's first line."""
        self.camera = short_text(data.get("camera")) or self.camera
        self.started = data.get("started", self.started)
        self.boot = short_text(data.get("boot")) or self.boot
        boot_s = number_within(data.get("boot_s"), 0, 1e10)
        self.boot_s = self.boot_s if boot_s is None else boot_s
        for cause in _list(data.get("causes")):
            self._cause(cause)

    def line(self, data: Mapping[str, Any]) -> None:
        """Take a sidecar's line."""
        for found in _list(data.get("detections")):
            if isinstance(found, dict) and found.get("state") != "tentative":
                self._label(found.get("label"))
        for kind, take in (("clip", self.header), ("event", self._event), ("end", self._end)):
            part = data.get(kind)
            if isinstance(part, dict):
                take(part)

    def closing(self, data: Mapping[str, Any]) -> None:
        """Take what stands at the end of a clip without a sidecar."""
        for label in _list(data.get("labels")):
            self._label(label)
        if isinstance(end := data.get("end"), dict):
            self._end(end)

    def _label(self, value: object) -> None:
        label = short_text(value)
        if label and len(self.labels) < LABELS:
            self.labels.add(label)

    def _event(self, data: Mapping[str, Any]) -> None:
        at_s, cause = number_within(data.get("clip_s"), 0, DURATION_S), short_text(data.get("cause"))
        if at_s is not None and cause and len(self.events) < EVENTS:
            self.events.append((at_s, cause))
            self._cause(cause)

    def _end(self, data: Mapping[str, Any]) -> None:
        frames = number_within(data.get("frames"), 0, _MOST_FRAMES)
        missed = number_within(data.get("missed"), 0, _MOST_FRAMES)
        self.frames = self.frames if frames is None else int(frames)
        self.missed = self.missed if missed is None else int(missed)
        self.ended = short_text(data.get("why"))

    def _cause(self, value: object) -> None:
        cause = short_text(value)
        if cause and cause not in self.causes and len(self.causes) < CAUSES:
            self.causes.append(cause)


def short_text(value: object) -> str:
    """A text of ours: at most :data:`TEXT` characters, in UTF-8; empty for anything else."""
    return decodable(value[:TEXT]) if isinstance(value, str) else ""


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
