"""What a user may ask of a source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from edgecam.core.errors import ConfigError


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """Wishes. What was granted stands in the source's ``size_wh``, ``rate_hz`` and ``description``.

    size_wh: (width, height) asked for, pixels. Files and pictures keep their own.
    rate_hz: frames per second asked for. For a folder of pictures: how many are shown per second.
    paced: a source that waits (a file) plays at its own pace (window) or as fast as it is read (headless).
    loop: a file or folder starts again at its end; its timeline goes on.
    rtsp_transport: ``tcp`` or ``udp``.
    certificate: which certificate to trust for rtsps:// and https://: ``check`` (the system's authorities),
        ``any``, or a PEM file with the camera's own certificate or its authority's.
    read_timeout_s: a live source that delivers nothing new for this long is lost; a little under the three
        seconds within which that has to be known.
    controls: camera controls by the name that ``edgecam devices`` prints, as text.
    seed: of a generated source.
    reconnect: what a live source does when it is lost while running: ``"forever"``, ``"off"``, or the number
        of attempts in a row after which it gives up.
    wait: a live source that cannot be opened yet is waited for, as a lost one is.
    frozen_after_s: a camera that delivers the very same bytes for this long is lost (sensor noise never
        repeats); 0 turns this off, for grabbers of still screens.
    isolate: a network camera's clients and decoders run in a process of their own (network/isolated.py), so
        that a crash there loses the camera and not the program. ``edgecam`` and ``watch`` do so anyway.
    max_pixels: pictures with more are refused from their headers; None: what capture/limits.py says.
    rotate, mirror: pictures are mirrored, then turned clockwise by 90, 180 or 270 degrees.
    """

    size_wh: tuple[int, int] | None = None
    rate_hz: float | None = None
    paced: bool = False
    loop: bool = False
    rtsp_transport: str = "tcp"
    certificate: str = "check"
    read_timeout_s: float = 2.8
    controls: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0
    reconnect: str | int = "forever"
    wait: bool = False
    frozen_after_s: float = 10.0
    isolate: bool = False
    max_pixels: int | None = None
    rotate: int = 0
    mirror: bool = False

    def __post_init__(self) -> None:
        """Raises ConfigError for what no source can be."""
        if self.rotate not in (0, 90, 180, 270):
            raise ConfigError(f"rotate={self.rotate!r}: a picture is turned by 0, 90, 180 or 270 degrees")
        if self.size_wh is not None and not (len(self.size_wh) == 2 and min(self.size_wh) > 0):
            raise ConfigError(f"size_wh={self.size_wh!r}: give width and height in pixels")
        if self.rate_hz is not None and not self.rate_hz > 0:
            raise ConfigError(f"rate_hz={self.rate_hz!r}: give frames per second, more than 0")
