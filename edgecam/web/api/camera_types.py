"""What the API says of cameras and of the board."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from edgecam.core.types import Share


class Age(msgspec.Struct):
    """Milliseconds over the last seconds."""

    p50_ms: float
    p95_ms: float


class Rates(msgspec.Struct):
    """By stage, frames per second; ages from capture to result."""

    capture_fps: float
    inference_fps: float
    display_fps: float
    frame_age: Age | None
    inference: Age | None


class CameraRow(msgspec.Struct):
    """One camera. name: its source; title: the same for people. notice: what is wrong, else empty.
    captured, inferred, stale: frames. keep_clear: the part of its pictures that nothing may be drawn over,
    since credits stand there: x, y, width and height in shares of the picture; null where all of it is free.
    """

    id: str
    name: str
    size_wh: tuple[int, int]
    rate_hz: float | None
    is_live: bool
    description: str
    notice: str
    lost: bool
    paused: bool
    ended: bool
    recording: bool
    captured: int
    inferred: int
    stale: int
    rates: Rates
    title: str
    keep_clear: Share | None = None


class Power(msgspec.Struct):
    """Watts, with where they come from."""

    power_w: float
    kind: str
    source: str
    error: float | None


class Health(msgspec.Struct):
    """The board's; null where it does not tell."""

    temperature_c: float | None
    frequency_mhz: float | None
    fan_rpm: int | None
    cpu_percent: float | None
    throttled_now: list[str]
    throttled_since_boot: list[str]


class Recording(msgspec.Struct):
    """One recorder."""

    camera: str
    recording: bool
    clips: int
    fault: str
    lost: int
    days_left: float | None
    free_bytes: int | None
    used_bytes: int | None


class BoardStats(msgspec.Struct):
    """The whole board now. ``time`` is seconds since 1970, ``now_ns`` the clock of ``captured_ns``."""

    time: float
    now_ns: int
    uptime_s: float
    version: str
    model: str
    notice: str
    rates: Rates
    power: Power | None
    mj_per_frame: float | None
    health: Health
    cameras: list[CameraRow]
    recorders: list[Recording]
    settings: dict[str, Any]
    viewers: int


class PictureQuery(msgspec.Struct):
    """h: height in pixels, never enlarged. boxes: drawn in. quality: of the JPEG."""

    h: Annotated[int, Meta(ge=16, le=4320)] | None = None
    boxes: bool = False
    quality: Annotated[int, Meta(ge=10, le=95)] = 85


class Changed(msgspec.Struct):
    """What was applied, and what was refused and why."""

    applied: dict[str, Any]
    refused: dict[str, str]


class LiveChange(msgspec.Struct, forbid_unknown_fields=True):
    """Live settings, by option name, as the command line takes them; null is the default."""

    settings: Annotated[dict[str, str | float | bool | list[str] | None], Meta(max_length=20)]


class LabelRow(msgspec.Struct):
    """A class the detector knows, with the overlay's colour for it (``#rrggbb``)."""

    name: str
    colour: str
    enabled: bool


class Labels(msgspec.Struct):
    """Best known first, as the model has them."""

    labels: list[LabelRow]
