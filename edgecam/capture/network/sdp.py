"""What an RTSP camera says of its video (SDP, RFC 4566)."""

from __future__ import annotations

from dataclasses import dataclass, field

from edgecam.capture.limits import sane_rate_hz
from edgecam.core.units import whole_within


@dataclass(frozen=True, slots=True)
class VideoTrack:
    """The video of an SDP (RFC 4566): ``codec`` upper case as in rtpmap, ``parameters`` of its fmtp line."""

    codec: str
    payload_type: int
    control: str
    rate_hz: float | None = None
    parameters: dict[str, str] = field(default_factory=dict)


def parse_sdp(text: str) -> VideoTrack | None:
    """The first video track, or None."""
    lines = text.replace("\r", "").split("\n")
    start = next((i for i, line in enumerate(lines) if line.startswith("m=video")), None)
    if start is None:
        return None
    end = next((i for i in range(start + 1, len(lines)) if lines[i].startswith("m=")), len(lines))
    words = lines[start].split()
    payload_type = whole_within(words[3], 0, 127) if len(words) > 3 else None
    if payload_type is None:
        return None
    codec, control, rate, parameters = "", "", None, {}
    for line in lines[start + 1 : end]:
        name, _, value = line.removeprefix("a=").partition(":")
        if name == "rtpmap" and value.split()[:1] == [str(payload_type)]:
            codec = value.split()[-1].split("/")[0].upper()
        elif name == "fmtp" and value.split()[:1] == [str(payload_type)]:
            pairs = (pair.strip().partition("=") for pair in value.partition(" ")[2].split(";"))
            parameters = {key.lower(): content for key, _, content in pairs if key}
        elif name == "control":
            control = value.strip()
        elif name in ("framerate", "x-framerate"):
            rate = sane_rate_hz(value)
    return VideoTrack(codec, payload_type, control, rate, parameters)
