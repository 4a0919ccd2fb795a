"""What a ``csi:`` address asks for.

Options, as in ``csi:0?lores=640x360&rotation=180``:
  lores=WxH     size of the second, smaller stream, made by the board's own scaler; ``lores=off`` for none
  rotation=0    0 or 180
  hflip=0 vflip=0
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from edgecam.capture.options import SourceOptions
from edgecam.capture.uri import Query
from edgecam.capture.v4l2.negotiate import DEFAULT_RATE_HZ, DEFAULT_SIZE_WH
from edgecam.core.errors import ConfigError

_KNOWN = ("lores", "rotation", "hflip", "vflip")


@dataclass(frozen=True, slots=True)
class CsiWish:
    """What the address and the options ask for."""

    number: int
    size_wh: tuple[int, int]
    rate_hz: float
    lores_wh: tuple[int, int] | None
    hflip: bool
    vflip: bool
    controls: Mapping[str, str]


def parse(rest: str, options: SourceOptions) -> CsiWish:
    """``0?rotation=180`` → a wish. Raises ConfigError."""
    number, _, query_text = rest.partition("?")
    if number and not number.isdigit():
        raise ConfigError(f"csi:{rest}: write the camera's number, as in csi:0.")
    given = dict(parse_qsl(query_text, keep_blank_values=True))
    query = Query("csi", given, _KNOWN)
    size = options.size_wh or DEFAULT_SIZE_WH
    # 640 wide, in the shape of main; a multiple of 64 keeps libcamera's lines without padding
    lores: tuple[int, int] | None = None
    if given.get("lores") != "off":
        lores = query.size("lores", (min(640, size[0]), min(640, size[0]) * size[1] // size[0] & ~1))
    rotation = query.integer("rotation", 0, 0, 180)
    if rotation not in (0, 180):
        raise ConfigError(f"csi:?rotation={rotation}: the camera can turn its picture by 0 or 180 only.")
    upside_down = rotation == 180
    return CsiWish(
        int(number or 0),
        size,
        options.rate_hz or DEFAULT_RATE_HZ,
        lores,
        query.flag("hflip") != upside_down,
        query.flag("vflip") != upside_down,
        options.controls,
    )
