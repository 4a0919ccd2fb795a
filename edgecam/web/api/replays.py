"""What other rules would have told of what was recorded: begun, watched, looked at, cancelled."""

from __future__ import annotations

import time
from typing import Annotated, Literal

import msgspec
from msgspec import Meta
from starlette.responses import Response

from edgecam.web.api.clip_types import UnixTime
from edgecam.web.api.clips import short_name
from edgecam.web.api.events import EventRow, ShotQuery, event_row, kept_picture
from edgecam.web.api.operation import ApiError, Call, Done, Operation
from edgecam.web.api.rule_settings import full, now, wanted
from edgecam.web.api.rule_types import NewRules
from edgecam.web.files import smaller
from edgecam.web.live.picture import fit, jpeg, scaled
from edgecam.web.replays import EVENTS, Replay, marked_picture
from edgecam.web.shelf import Filter

#: Clips that one replay may go through; some weeks of them.
CLIPS = 5000
DAY_S = 86400.0


class Trial(NewRules, forbid_unknown_fields=True):
    """What to try, and on which recordings. after, before: seconds since 1970; without, the last day."""

    after: UnixTime | None = None
    before: UnixTime | None = None
    camera: Annotated[str, Meta(max_length=80)] | None = None


class ReplayRow(msgspec.Struct):
    """How far it is, and what came out. share: done, 0 to 1. kept, gained, lost: how many events began.

    whole: False where time was over first; then ``clips`` and ``recorded_s`` say how much was gone through.
    The events are listed when it is done, at most three hundred each.
    """

    id: str
    state: Literal["running", "done", "cancelled", "failed"]
    share: float
    clips: int
    recorded_s: float
    took_s: float
    whole: bool
    kept: int
    gained: int
    lost: int
    gained_events: list[EventRow]
    lost_events: list[EventRow]
    problem: str


def operations() -> list[Operation]:
    """The rows of this part."""
    make, tag, one = Operation, "replays", "/api/replays/{replay}"
    return [
        make(
            *("POST", "/api/replays", "Try other rules on what was recorded", begin, "operator", ReplayRow),
            body=Trial,
            fails=(404, 409),
            tag=tag,
        ),
        make("GET", one, "How a replay goes on", show, "operator", ReplayRow, tag=tag),
        make("DELETE", one, "Cancel a replay", cancel, "operator", tag=tag),
        make(
            *(
                "GET",
                one + "/{event}/picture.jpg",
                "An event that a replay gained or lost",
                picture,
                "operator",
            ),
            query=ShotQuery,
            media="image/jpeg",
            tag=tag,
        ),
    ]


def begin(call: Call) -> ReplayRow:
    """At about half of a core, at most five minutes; one at a time. Nothing is told, and nothing changes."""
    body: Trial = call.body
    shelf = call.site.shelf
    if shelf is None:
        raise ApiError(409, "there are no recordings in the safe mode")
    rules, present = full(call, wanted(call, body)), full(call, now(call))
    until = time.time() if body.before is None else body.before
    since = until - DAY_S if body.after is None else body.after
    chosen = Filter(before=body.before, after=since, camera=short_name(call, body.camera))
    seen = None if call.identity is None else call.identity.cameras
    allowed = {c.short for c in call.site.cameras if seen is None or c.id in seen}
    found = [
        clip
        for clip in reversed(shelf.page(chosen, CLIPS))
        if "sidecar" in clip.files and (seen is None or clip.camera in allowed)
    ]
    if not found:
        raise ApiError(409, "nothing was recorded with its boxes beside it in this time")
    return _row(call, call.site.replays.begin(shelf.folder, found, rules, present))


def find(call: Call) -> Replay:
    """The replay that the path names, if whoever asks may see all its cameras."""
    found = call.site.replays.find(call.path["replay"])
    seen = None if call.identity is None else call.identity.cameras
    if found is not None and seen is not None:
        allowed = {c.short for c in call.site.cameras if c.id in seen}
        found = found if found.cameras <= allowed else None
    if found is None:
        raise ApiError(404, "there is no such replay any more")
    return found


def show(call: Call) -> ReplayRow:
    """Ask again every half second while it runs."""
    return _row(call, find(call))


def cancel(call: Call) -> Done:
    """It ends within a moment; one that is over stays as it is."""
    call.site.replays.cancel(find(call))
    return Done("cancelled")


def _row(call: Call, replay: Replay) -> ReplayRow:
    done = replay.state == "done"
    outcome, difference = replay.outcome, replay.outcome.difference
    return ReplayRow(
        replay.id,
        replay.state,
        round(replay.share, 3),
        outcome.clips if done else replay.clips,
        round(outcome.recorded_s, 1),
        round(outcome.took_s, 2),
        outcome.whole,
        difference.kept,
        len(difference.gained),
        len(difference.lost),
        [event_row(call.site, event) for event in difference.gained[:EVENTS]],
        [event_row(call.site, event) for event in difference.lost[:EVENTS]],
        replay.problem,
    )


def picture(call: Call) -> Response:
    """As it was kept, else out of its clip with the object marked."""
    replay = find(call)
    event = replay.event(call.path["event"])
    if event is None:
        raise ApiError(404, "this replay has no such event")
    height = call.query.h or 360
    data = kept_picture(call, event)
    if data is not None:
        data = smaller(data, height)
    if data is None:
        image = marked_picture(replay, event)
        if image is None:
            raise ApiError(404, "there is no picture of it")
        size = fit((image.shape[1], image.shape[0]), (100_000, height))
        data = jpeg(scaled(image, size))
    return Response(data, media_type="image/jpeg", headers={"cache-control": "private, max-age=3600"})
