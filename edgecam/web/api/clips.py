"""Clips: a list by time, their video by ranges, their boxes, and what the owner does with them."""

from __future__ import annotations

import os
from collections import Counter
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from starlette.responses import Response

from edgecam.core.errors import EdgecamError
from edgecam.host.beneath import open_beneath
from edgecam.record.library.catalogue import ClipInfo
from edgecam.web.api.clip_types import (
    NOW,
    BoxesQuery,
    ClipBoxes,
    ClipMoment,
    ClipRow,
    Clips,
    ClipsQuery,
    Hour,
    HoursQuery,
    Protection,
    VideoQuery,
)
from edgecam.web.api.operation import ApiError, Call, Done, Operation
from edgecam.web.boxes import read_boxes
from edgecam.web.files import FileAnswer, first_picture
from edgecam.web.paging import whole_page
from edgecam.web.shelf import Filter, Shelf, growing

#: Bytes of a contact sheet that are read; ours have a tenth of it.
SHEET_BYTES = 4 << 20


def operations() -> list[Operation]:
    """The rows of this part."""
    make, tag, one = Operation, "clips", "/api/clips/{clip}"
    video: dict[str, Any] = {"query": VideoQuery, "media": "video/mp4", "fails": (206, 304, 416), "tag": tag}
    return [
        make("GET", "/api/clips", "List clips", clips, answer=Clips, query=ClipsQuery, tag=tag),
        make(
            *("GET", "/api/clip-hours", "Clips by hour", hours),
            answer=list[Hour],
            query=HoursQuery,
            tag=tag,
        ),
        make("GET", one, "One clip", clip, answer=ClipRow, tag=tag),
        make("GET", one + "/video.mp4", "A clip's video, by ranges", show_video, **video),
        make(
            *("GET", one + "/sheet.jpg", "A clip's contact sheet", sheet),
            media="image/jpeg",
            fails=(206, 304, 416),
            tag=tag,
        ),
        make(
            *("GET", one + "/thumb.jpg", "A clip's first picture, small", thumb),
            media="image/jpeg",
            tag=tag,
        ),
        make("GET", one + "/boxes", "A clip's boxes", boxes, answer=ClipBoxes, query=BoxesQuery, tag=tag),
        make(
            *("PUT", one + "/protected", "Protect a clip", protect, "operator"),
            body=Protection,
            fails=(409,),
            tag=tag,
        ),
        make("DELETE", one, "Delete a clip", delete, "admin", fails=(409,), tag=tag),
    ]


def shelf(call: Call) -> Shelf:
    """Where this board's clips are; 404 in the safe mode."""
    if call.site.shelf is None:
        raise ApiError(404, "there are no clips in the safe mode")
    return call.site.shelf


def short_name(call: Call, camera_id: str | None) -> str | None:
    """A camera's id to the name that clips carry; 404 for one that may not be seen."""
    return None if camera_id is None else call.seen_camera(camera_id).short


def _id_of(call: Call, short_name: str) -> str:
    found = next((c for c in call.site.cameras if c.short == short_name), None)
    return short_name if found is None else found.id


def row(call: Call, found: ClipInfo) -> ClipRow:
    """A clip as the API tells it: no file names but the id."""
    return ClipRow(
        Path(found.name).stem.removesuffix(".clean"),
        _id_of(call, found.camera),
        found.started.timestamp(),
        round(found.duration_s, 3),
        found.frames,
        found.missed,
        found.nbytes,
        found.size_wh,
        list(found.causes)[:20],
        list(found.labels)[:40],
        [ClipMoment(round(at, 2), cause) for at, cause in found.events[:100]],
        [kind for kind in ("annotated", "clean") if kind in found.files],
        "sheet" in found.files,
        "sidecar" in found.files,
        found.protected,
        found.recovered,
        False,
    )


def _seen(call: Call, found: ClipInfo) -> bool:
    return call.sees(_id_of(call, found.camera))


def clips(call: Call) -> Clips:
    """Those of cameras that whoever asks may see."""
    query: ClipsQuery = call.query
    if call.site.shelf is None:
        return Clips([], None)
    if query.id is not None:
        one = _look_up(call, query.id)
        return Clips([] if one is None else [one], None)
    wanted = Filter(query.before, query.after, short_name(call, query.camera), query.label, query.protected)
    shelf = call.site.shelf
    found, before = whole_page(
        lambda limit: shelf.page(wanted, limit), query.limit, lambda c: c.started.timestamp()
    )
    rows = [row(call, c) for c in found if _seen(call, c)]
    running = [found for _, found in _running(call)] if query.before is None else []
    return Clips([*running, *rows], before)


def _running(call: Call) -> list[tuple[Path, ClipRow]]:
    """The clips that are being written, with where they will lie."""
    state, rows = call.site.control.state(), []
    for recorder in state.recorders:
        camera = call.site.named(recorder.source)
        if recorder.path is None or camera is None or not call.sees(camera.id):
            continue
        path = Path(recorder.path)
        folder, name = growing(path)
        try:
            found = (folder / name).stat()
        except OSError:
            continue
        source = state.source(recorder.source)
        size = (0, 0) if source is None else source.size_wh
        begun = _begun(path, found.st_mtime)
        row = ClipRow(
            *(f"{NOW}{camera.id}", camera.id, begun, 0.0, None, 0, found.st_size, size, [], []),
            *([], ["annotated"], False, False, False, False, True),
        )
        rows.append((path, row))
    return rows


def _begun(path: Path, otherwise: float) -> float:
    """When a clip named by its time was begun, seconds since 1970."""
    try:
        begun = datetime.strptime(path.name[:20], "%Y-%m-%d_%H-%M-%SZ")
    except ValueError:
        return otherwise
    return begun.replace(tzinfo=timezone.utc).timestamp()


def hours(call: Call) -> list[Hour]:
    """For the timeline: where there is something of the cameras that whoever asks may see."""
    query: HoursQuery = call.query
    if call.site.shelf is None:
        return []
    counts: Counter[int] = Counter()
    for name in call.seen(query.camera, lambda c: c.short):
        counts.update(dict(call.site.shelf.hours(Filter(query.before, query.after, name))))
    return [Hour(hour, count) for hour, count in sorted(counts.items())]


def find(call: Call, clip_id: str) -> ClipInfo:
    """The clip of that id, if whoever asks may see it."""
    found = shelf(call).find(clip_id)
    if found is None or not _seen(call, found):
        raise _no_clip(clip_id)
    return found


def _no_clip(clip_id: str) -> ApiError:
    return ApiError(404, f"there is no clip '{clip_id[:80]}'")


def _look_up(call: Call, clip_id: str) -> ClipRow | None:
    for path, running in _running(call):
        if clip_id in (running.id, path.stem.removesuffix(".clean")):
            return running
    found = shelf(call).find(clip_id)
    return None if found is None or not _seen(call, found) else row(call, found)


def clip(call: Call) -> ClipRow:
    """Its row, as in the list; also by the name that a clip being written will have."""
    found = _look_up(call, call.path["clip"])
    if found is None:
        raise _no_clip(call.path["clip"])
    return found


def show_video(call: Call) -> FileAnswer:
    """A clip that is being written can be watched and sought up to what is there already."""
    clip_id = call.path["clip"]
    if clip_id.startswith(NOW):
        path = next((path for path, found in _running(call) if found.id == clip_id), None)
        if path is None:
            raise ApiError(404, "this camera is not recording now")
        folder, name = growing(path)
        return FileAnswer(folder, name, call.headers, media_type="video/mp4", growing=True)
    return video_of(call, find(call, clip_id))


def video_of(call: Call, found: ClipInfo) -> FileAnswer:
    """The clip's file, in the view that was asked for."""
    query: VideoQuery = call.query
    kind = query.view or ("annotated" if "annotated" in found.files else "clean")
    if kind not in found.files:
        raise ApiError(404, f"this clip has no view '{kind}'")
    name = found.files[kind]
    media = "video/x-matroska" if name.endswith(".mkv") else "video/mp4"
    folder = shelf(call).folder
    return FileAnswer(folder, name, call.headers, media_type=media, download=name if query.download else None)


def sheet(call: Call) -> FileAnswer:
    """One small picture every few seconds, on one sheet."""
    found = find(call, call.path["clip"])
    if "sheet" not in found.files:
        raise ApiError(404, "this clip has no contact sheet")
    return FileAnswer(shelf(call).folder, found.files["sheet"], call.headers, media_type="image/jpeg")


def thumb(call: Call) -> Response:
    """The first picture of its contact sheet."""
    found = find(call, call.path["clip"])
    if "sheet" not in found.files:
        raise ApiError(404, "this clip has no contact sheet")
    try:
        with os.fdopen(open_beneath(shelf(call).folder, found.files["sheet"]), "rb") as file:
            data = file.read(SHEET_BYTES)
    except OSError as error:
        raise ApiError(404, "the contact sheet has gone") from error
    made = first_picture(data, found.size_wh)
    if made is None:
        raise ApiError(404, "the contact sheet cannot be read")
    return Response(made, media_type="image/jpeg", headers={"cache-control": "private, max-age=86400"})


def boxes(call: Call) -> ClipBoxes:
    """From the clip's sidecar, frame by frame."""
    found = find(call, call.path["clip"])
    if "sidecar" not in found.files:
        raise ApiError(404, "this clip has no sidecar")
    query: BoxesQuery = call.query
    try:
        return read_boxes(
            shelf(call).folder / found.files["sidecar"], query.since, query.until, found.size_wh
        )
    except OSError as error:
        raise ApiError(404, "the sidecar has gone") from error


def protect(call: Call) -> Done:
    """A protected clip is only deleted by hand."""
    found = find(call, call.path["clip"])
    try:
        shelf(call).protect(found, call.body.protected)
    except OSError as error:
        raise EdgecamError(f"it cannot be changed: {error.strerror}") from error
    return Done("protected" if call.body.protected else "no longer protected")


def delete(call: Call) -> Done:
    """All its files; a protected one has to be released first."""
    found = find(call, call.path["clip"])
    if found.protected:
        raise ApiError(409, "this clip is protected; release it first")
    try:
        freed = shelf(call).delete(found)
    except OSError as error:
        raise EdgecamError(f"it cannot be deleted: {error.strerror}") from error
    return Done(f"deleted, {freed / 1e6:.0f} MB are free again")
