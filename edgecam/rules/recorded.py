"""A recorded line (a clip's sidecar, or what ``--json`` printed) as rules see a result."""

from __future__ import annotations

from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from edgecam.core.areas import Told
from edgecam.core.clock import to_ms
from edgecam.rules.engine import RuleEngine
from edgecam.rules.objects import Seen

#: A sidecar may be anybody's: numbers are those that a recorder writes.
_Pixels = Annotated[float, Meta(ge=-1e6, le=1e6)]
_Side = Annotated[int, Meta(ge=1, le=100_000)]
_Ns = Annotated[int, Meta(ge=0, le=2**62)]
_LATEST_MS = 32_503_680_000_000  # the year 3000
_Name = Annotated[str, Meta(max_length=200)]


class _Detection(msgspec.Struct):
    label: _Name
    score: Annotated[float, Meta(ge=0, le=1)]
    xyxy: tuple[_Pixels, _Pixels, _Pixels, _Pixels]
    track_id: Annotated[int, Meta(ge=-(2**62), le=2**62)] | None = None
    state: str = "confirmed"


class _Line(msgspec.Struct):
    """What the rules need of a line; other fields are passed over."""

    source: Annotated[str, Meta(max_length=2000)]
    captured_ns: _Ns
    time: str
    width: _Side
    height: _Side
    detections: Annotated[list[_Detection], Meta(max_length=2000)]
    file: str | None = None
    media_ns: _Ns | None = None
    moved: _Name = ""
    clip_s: Annotated[float, Meta(ge=0, le=1e9)] | None = None


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
        """Play the frame through the rules."""
        return engine.observe(self.at_ns, self.at_ms, self.size_wh, self.seen, self.moved)


_decoder = msgspec.json.Decoder(_Line)


def read_recorded(line: bytes) -> Recorded | None:
    """The frame of a line; None for a line that is about something else, or is damaged."""
    if b'"detections"' not in line:
        return None
    try:
        data = _decoder.decode(line)
        at_ms = to_ms(data.time)
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError):
        return None
    if not 0 <= at_ms <= _LATEST_MS:
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
