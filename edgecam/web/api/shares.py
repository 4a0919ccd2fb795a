"""Links to single clips, for people without a password here; they end by themselves."""

from __future__ import annotations

import time
from typing import Any

from edgecam.record.library.catalogue import ClipInfo
from edgecam.web.api.clip_types import ClipRow, MadeShare, NewShare, VideoQuery
from edgecam.web.api.clips import find, row, video_of
from edgecam.web.api.operation import ApiError, Call, Operation
from edgecam.web.files import FileAnswer


def operations() -> list[Operation]:
    """The rows of this part."""
    tag = "clips"
    video: dict[str, Any] = {"query": VideoQuery, "media": "video/mp4", "fails": (206, 304, 416), "tag": tag}
    make = Operation
    return [
        make(
            *("POST", "/api/clips/{clip}/share", "Share a clip by a link that ends", share, "admin"),
            MadeShare,
            body=NewShare,
            fails=(409,),
            tag=tag,
        ),
        make("GET", "/api/shared/{secret}", "What a link shows", shared, None, ClipRow, tag=tag),
        Operation(
            "GET", "/api/shared/{secret}/video.mp4", "A shared clip's video", shared_video, None, **video
        ),
    ]


def share(call: Call) -> MadeShare:
    """Works for whoever has the link, without logging in, until it ends."""
    found = find(call, call.path["clip"])
    seconds = call.body.hours * 3600
    secret = call.site.store.new_share(row(call, found).id, seconds)
    return MadeShare(f"/#/shared/{secret}", time.time() + seconds)


def _shared(call: Call) -> ClipInfo:
    what = call.site.store.share(call.path["secret"])
    found = None if what is None or call.site.shelf is None else call.site.shelf.find(what)
    if found is None:
        raise ApiError(404, "this link has ended")
    return found


def shared(call: Call) -> ClipRow:
    """Nothing of the board but this."""
    return row(call, _shared(call))


def shared_video(call: Call) -> FileAnswer:
    """By ranges, like any other."""
    return video_of(call, _shared(call))
