"""What the API says of clips."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from edgecam.web import limits

UnixTime = Annotated[float, Meta(ge=0, le=4e9)]
Limit = Annotated[int, Meta(ge=1, le=limits.PAGE_ROWS)]
#: A sidecar may be anybody's: what of its lines is no name, or no place in a picture, is passed over.
Label = Annotated[str, Meta(max_length=200)]
Pixels = Annotated[float, Meta(ge=-1e6, le=1e6)]
#: The id of the clip that a camera's recorder writes at the moment.
NOW = "now."


class ClipMoment(msgspec.Struct):
    """Something that began in a clip."""

    clip_s: float
    cause: str


class ClipRow(msgspec.Struct):
    """One clip. Times are seconds since 1970. ``growing``: it is being written."""

    id: str
    camera: str
    start_time: float
    duration_s: float
    frames: int | None
    missed: int
    bytes: int
    size_wh: tuple[int, int]
    causes: list[str]
    labels: list[str]
    moments: list[ClipMoment]
    views: list[str]
    has_sheet: bool
    has_boxes: bool
    protected: bool
    recovered: bool
    growing: bool


class Clips(msgspec.Struct):
    """Newest first. ``next``: what to give as ``before`` for the following ones; null at the end."""

    clips: list[ClipRow]
    next: float | None


class ClipsQuery(msgspec.Struct, forbid_unknown_fields=True):
    """before, after: seconds since 1970. camera: an id. label: a class that was seen.

    id: this one clip, also by the name that one being written will have; none if it has gone.
    """

    id: Annotated[str, Meta(max_length=80)] | None = None
    before: UnixTime | None = None
    after: UnixTime | None = None
    camera: Annotated[str, Meta(max_length=80)] | None = None
    label: Annotated[str, Meta(max_length=80)] | None = None
    protected: bool | None = None
    limit: Limit = 50


class HoursQuery(msgspec.Struct, forbid_unknown_fields=True):
    """The span to count in, seconds since 1970."""

    before: UnixTime | None = None
    after: UnixTime | None = None
    camera: Annotated[str, Meta(max_length=80)] | None = None


class Hour(msgspec.Struct):
    """``hour``: hours since 1970 (UTC)."""

    hour: int
    count: int


class VideoQuery(msgspec.Struct, forbid_unknown_fields=True):
    """view: with or without the overlay, where both are kept. download: save instead of show."""

    view: Literal["annotated", "clean"] | None = None
    download: bool = False


class BoxesQuery(msgspec.Struct, forbid_unknown_fields=True):
    """The part of the clip, seconds from its start."""

    since: Annotated[float, Meta(ge=0, le=1e6)] = 0.0
    until: Annotated[float, Meta(ge=0, le=1e6)] = 600.0


class BoxClass(msgspec.Struct):
    """A class and its probability."""

    label: Label
    score: float


class Box(msgspec.Struct, omit_defaults=True):
    """One thing, as in the results' JSON. xyxy: pixels."""

    label: Label
    score: float
    xyxy: tuple[Pixels, Pixels, Pixels, Pixels]
    class_id: Annotated[int, Meta(ge=-1, le=100_000)] = -1
    track_id: Annotated[int, Meta(ge=-(2**53), le=2**53)] | None = None
    state: Annotated[str, Meta(max_length=20)] = ""
    classes: Annotated[list[BoxClass], Meta(max_length=20)] = []
    alternatives: Annotated[list[BoxClass], Meta(max_length=20)] = []


class BoxRow(msgspec.Struct):
    """What was seen in one frame, ``clip_s`` seconds from the start."""

    clip_s: float
    detections: list[Box]


class ClipBoxes(msgspec.Struct):
    """frame_wh: the pixels that the boxes count."""

    frame_wh: tuple[int, int]
    rows: list[BoxRow]


class Protection(msgspec.Struct, forbid_unknown_fields=True):
    """Whether it is kept, whatever its age."""

    protected: bool


class NewShare(msgspec.Struct, forbid_unknown_fields=True):
    """For how many hours the link works."""

    hours: Annotated[float, Meta(gt=0, le=24 * 31)] = 24.0


class MadeShare(msgspec.Struct):
    """The link's path on this board; whoever has it may see this one clip until then."""

    path: str
    expires: float
