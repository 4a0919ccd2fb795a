"""Events: what happened, newest first, with pictures and clips."""

from __future__ import annotations

import contextlib
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta
from starlette.responses import Response

from edgecam.core.errors import EdgecamError
from edgecam.core.events import Event
from edgecam.host.beneath import beneath, regular_size
from edgecam.record.library.events import EventFilter
from edgecam.record.library.journal import PICTURE, event_folder, load_picture
from edgecam.web.api import clips
from edgecam.web.api.clip_types import Hour, Limit, Protection, UnixTime
from edgecam.web.api.operation import ApiError, Call, Done, Operation
from edgecam.web.files import smaller
from edgecam.web.paging import whole_page
from edgecam.web.site import Site

Text = Annotated[str, Meta(max_length=80)]


class EventRow(msgspec.Struct):
    """An event as last told; see the events' format. Added: the camera's id, and the clip's protection.

    has_picture: the picture that ``snapshot`` names is there now.
    """

    id: str
    type: str
    kind: str
    camera: str
    camera_id: str
    start_time: float
    end_time: float | None
    time: float | None = None
    label: str | None = None
    track_id: int | None = None
    score: float | None = None
    top_score: float | None = None
    box: list[int] | None = None
    box_norm: list[float] | None = None
    zones: list[str] = []
    entered_zones: list[str] = []
    stationary: bool = False
    speed: float | None = None
    clip: str | None = None
    clip_s: float | None = None
    snapshot: str | None = None
    energy_j: float | None = None
    rule: str = ""
    rules_version: str = ""
    line: str | None = None
    direction: str | None = None
    counts: dict[str, int] | None = None
    dwell_s: float | None = None
    path: list[list[float]] = []
    state: str | None = None
    message: str | None = None
    protected: bool = False
    has_picture: bool = False
    v: int = 1


class Events(msgspec.Struct):
    """Newest first. ``next``: what to give as ``before`` for the following ones; null at the end."""

    events: list[EventRow]
    next: float | None


class EventsQuery(msgspec.Struct, forbid_unknown_fields=True):
    """before, after: seconds since 1970. camera: an id."""

    before: UnixTime | None = None
    after: UnixTime | None = None
    camera: Text | None = None
    label: Text | None = None
    kind: Literal["object", "zone", "line", "occupancy", "motion", "camera", "board", "clip"] | None = None
    zone: Text | None = None
    rule: Text | None = None
    limit: Limit = 50


class EventHoursQuery(msgspec.Struct, forbid_unknown_fields=True):
    """The span to count in, seconds since 1970."""

    before: UnixTime | None = None
    after: UnixTime | None = None
    camera: Text | None = None
    label: Text | None = None


class ShotQuery(msgspec.Struct, forbid_unknown_fields=True):
    """h: height in pixels, never enlarged."""

    h: Annotated[int, Meta(ge=16, le=4320)] | None = None


def operations() -> list[Operation]:
    """The rows of this part."""
    make, tag, one = Operation, "events", "/api/events/{event}"
    return [
        make("GET", "/api/events", "List events", events, answer=Events, query=EventsQuery, tag=tag),
        make(
            *("GET", "/api/event-hours", "Events by hour", hours),
            answer=list[Hour],
            query=EventHoursQuery,
            tag=tag,
        ),
        make("GET", one, "One event", event, answer=EventRow, tag=tag),
        make(
            *("GET", one + "/snapshot.jpg", "An event's picture", snapshot),
            query=ShotQuery,
            media="image/jpeg",
            tag=tag,
        ),
        make(
            *("PUT", one + "/protected", "Protect an event's clip", protect, "operator"),
            body=Protection,
            fails=(409,),
            tag=tag,
        ),
        make("DELETE", one, "Delete an event's clip and picture", delete, "admin", fails=(409,), tag=tag),
    ]


def event_row(site: Site, found: Event) -> EventRow:
    """An event as the API tells it."""
    camera = site.named(found.camera)
    data: dict[str, Any] = {**found.to_dict(), "camera_id": "" if camera is None else camera.id}
    data["path"] = [list(point) for point in found.path]
    data["has_picture"] = _has_picture(site.events.folder, found.snapshot)
    return msgspec.convert(data, EventRow, strict=False)


def _has_picture(folder: Path | None, name: str | None) -> bool:
    if folder is None or name is None or PICTURE.fullmatch(name) is None:
        return False
    try:
        return regular_size(event_folder(folder), name) > 0
    except OSError:
        return False


def _name(call: Call, camera_id: str | None) -> str | None:
    return None if camera_id is None else call.seen_camera(camera_id).name


def events(call: Call) -> Events:
    """Those of cameras that whoever asks may see, and the board's."""
    query: EventsQuery = call.query
    wanted = EventFilter(
        since=query.after,
        until=query.before,
        camera=_name(call, query.camera),
        label=query.label,
        zone=query.zone,
        rule=query.rule,
        kind=query.kind,
    )
    found, before = whole_page(
        lambda limit: call.site.events.page(wanted, limit), query.limit, lambda e: e.start_time
    )
    rows = [event_row(call.site, e) for e in found if call.sees_source(e.camera)]
    return Events(rows, before)


def hours(call: Call) -> list[Hour]:
    """For the timeline: where there is something of the cameras that whoever asks may see."""
    query: EventHoursQuery = call.query
    counts: Counter[int] = Counter()
    for name in call.seen(query.camera, lambda c: c.name):
        wanted = EventFilter(query.after, query.before, name, query.label)
        counts.update(dict(call.site.events.hours(wanted)))
    return [Hour(hour, count) for hour, count in sorted(counts.items())]


def find(call: Call) -> Event:
    """The event that the path names, if whoever asks may see it."""
    found = call.site.events.find(call.path["event"])
    if found is None or not call.sees_source(found.camera):
        raise ApiError(404, f"there is no event '{call.path['event'][:60]}'")
    return found


def event(call: Call) -> EventRow:
    """As last told, with its clip's protection."""
    found = find(call)
    row = event_row(call.site, found)
    if call.site.shelf is not None and found.clip is not None:
        clip = call.site.shelf.find(Path(found.clip).stem)
        row.protected = clip is not None and clip.protected
    return row


def kept_picture(call: Call, found: Event) -> bytes | None:
    """The JPEG that was kept of an event; None where there is none."""
    folder = call.site.events.folder
    if folder is None or found.snapshot is None or PICTURE.fullmatch(found.snapshot) is None:
        return None
    return load_picture(folder, found.snapshot)


def snapshot(call: Call) -> Response:
    """The best picture of it so far."""
    found = find(call)
    data = kept_picture(call, found)
    if data is None:
        raise ApiError(404, "this event has no picture, or it has gone")
    if call.query.h is not None:
        made = smaller(data, call.query.h)
        if made is None:
            raise ApiError(404, "the picture cannot be read")
        data = made
    age = 60 if found.end_time is None else 86400
    return Response(data, media_type="image/jpeg", headers={"cache-control": f"private, max-age={age}"})


def _with_clip(call: Call, found: Event) -> Call:
    if found.clip is None:
        raise ApiError(409, "this event has no clip")
    call.path["clip"] = Path(found.clip).stem.removesuffix(".clean")
    return call


def protect(call: Call) -> Done:
    """Its clip, with everything else in it."""
    return clips.protect(_with_clip(call, find(call)))


def delete(call: Call) -> Done:
    """What was told stays told: the line in the events' file remains, its clip and picture go."""
    found = find(call)
    words = "its clip was gone already"
    if found.clip is not None and call.site.shelf is not None:
        with contextlib.suppress(ApiError):
            call.path["clip"] = Path(found.clip).stem.removesuffix(".clean")
            if call.site.shelf.find(call.path["clip"]) is not None:
                words = clips.delete(call).message
    if (
        found.snapshot is not None
        and PICTURE.fullmatch(found.snapshot)
        and call.site.events.folder is not None
    ):
        try:
            beneath(event_folder(call.site.events.folder), found.snapshot).unlink(missing_ok=True)
        except OSError as error:
            raise EdgecamError(f"its picture cannot be deleted: {error.strerror}") from error
    return Done(words)
