"""A recorded line (a clip's sidecar, or what ``--json`` printed) as the rules saw it when it was new."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from edgecam.core.areas import Told
from edgecam.core.clock import to_ms
from edgecam.rules.engine import RuleEngine
from edgecam.rules.objects import Seen


class _Detection(msgspec.Struct):
    label: str
    score: float
    xyxy: tuple[float, float, float, float]
    track_id: int | None = None
    state: str = "confirmed"


class _Line(msgspec.Struct):
    """What the rules need of a line; other fields are passed over."""

    source: str
    captured_ns: int
    time: str
    width: int
    height: int
    detections: list[_Detection]
    file: str | None = None
    media_ns: int | None = None
    moved: str = ""
    clip_s: float | None = None


class Recorded(NamedTuple):
    """One frame, at second ``clip_s`` of its clip.

    tentative: (track, label, score) of what was seen too little to count.
    """

    camera: str
    at_ns: int
    at_ms: int
    size_wh: tuple[int, int]
    seen: tuple[Seen, ...]
    moved: str
    tentative: tuple[tuple[int, str, float], ...]
    clip_s: float | None

    def play(self, engine: RuleEngine) -> Told:
        """Give it to the rules."""
        return engine.observe(self.at_ns, self.at_ms, self.size_wh, self.seen, self.moved)


_decoder = msgspec.json.Decoder(_Line)


def read_recorded(line: bytes) -> Recorded | None:
    """The frame of a line; None for a line that is about something else, or is damaged."""
    if b'"detections"' not in line:
        return None
    try:
        data = _decoder.decode(line)
        at_ms = to_ms(data.time)
    except (msgspec.MsgspecError, ValueError):
        return None
    seen: list[Seen] = []
    tentative: list[tuple[int, str, float]] = []
    if data.file is None:
        for found in data.detections:
            number = found.track_id
            if number is None:
                continue
            if found.state == "tentative":
                tentative.append((number, found.label, found.score))
            else:
                x1, y1, x2, y2 = found.xyxy
                still = found.state == "stationary"
                seen.append(Seen(number, found.label, found.score, x1, y1, x2, y2, still))
    at_ns = data.captured_ns if data.media_ns is None else data.media_ns
    size_wh = (data.width, data.height)
    return Recorded(
        data.source, at_ns, at_ms, size_wh, tuple(seen), data.moved, tuple(tentative), data.clip_s
    )
