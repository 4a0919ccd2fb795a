"""What the overlay shows, and in which colours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from msgspec import Struct

from edgecam.core.types import Share
from edgecam.overlay.scene import Rgba


class Theme(Struct, frozen=True):
    """Colours of everything that is not a class."""

    panel: Rgba
    banner: Rgba
    text: Rgba
    caption: Rgba
    track: Rgba
    warning: Rgba
    alarm: Rgba
    accent: Rgba


DARK = Theme(
    panel=(14, 17, 23, 176),
    banner=(14, 17, 23, 224),
    text=(255, 255, 255, 255),
    caption=(255, 255, 255, 178),
    track=(255, 255, 255, 48),
    warning=(255, 200, 87, 255),
    alarm=(255, 122, 110, 255),
    accent=(86, 180, 233, 255),
)
LIGHT = Theme(
    panel=(250, 250, 252, 208),
    banner=(250, 250, 252, 236),
    text=(16, 18, 24, 255),
    caption=(16, 18, 24, 178),
    track=(16, 18, 24, 40),
    warning=(140, 84, 0, 255),
    alarm=(178, 24, 24, 255),
    accent=(0, 114, 178, 255),
)


#: How zones and lines are shown.
AreasShown = Literal["full", "outline", "off"]
Level = Literal["simple", "full", "boxes", "off"]
#: In the order in which the key I goes through them.
LEVELS: tuple[Level, ...] = ("simple", "full", "boxes", "off")


@dataclass(frozen=True, slots=True)
class Style:
    """What :func:`edgecam.overlay.compose.compose` shows.

    level: ``simple``: the camera's name, the time, one rate and the watts; ``full``: every rate, the frame
        age, power with its meter, heat, picture and model; ``boxes``: nothing but boxes and their labels;
        ``off``: the picture alone, but for a notice over one that is no longer current.
    stamp: date, time and the camera's name in the picture's lower left corner, at every level.
    areas: zones and lines: with their names and counts, their outlines alone, or not at all.
    tentative: what has not been seen enough to be sure is shown too, in hairlines.
    scale: factor on all sizes, which else follow the canvas.
    recording: shows a red dot, and recording_note beside it.
    credit: a line at the bottom right (whose photographs these are).
    names: by source, what it is called on the screen, where that is not its name.
    keep_clear: by source, the part of its pictures that no text may cover: (x, y, width, height) in shares.
    """

    labels: bool = True
    scores: bool = True
    ids: bool = True
    crop_classes: bool = True
    level: Level = "full"
    stamp: bool = False
    tentative: bool = False
    areas: AreasShown = "full"
    scale: float = 1.0
    theme: Literal["dark", "light"] = "dark"
    recording: bool = False
    recording_note: str = ""
    credit: str = ""
    names: tuple[tuple[str, str], ...] = ()
    keep_clear: tuple[tuple[str, Share], ...] = ()

    @property
    def hud(self) -> bool:
        """Whether rates and watts are shown."""
        return self.level in ("simple", "full")

    @property
    def colours(self) -> Theme:
        """The theme's colours."""
        return DARK if self.theme == "dark" else LIGHT
