"""The boxes of a part of a clip, from its sidecar, which may be anybody's."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from edgecam.record.library.sidecar import sidecar_lines
from edgecam.web.api.clip_types import Box, BoxRow, ClipBoxes
from edgecam.web.limits import BOX_BYTES, BOX_ROWS

_Side = Annotated[int, Meta(ge=1, le=100_000)]


class _Line(msgspec.Struct):
    clip_s: Annotated[float, Meta(ge=0, le=1e6)]
    detections: Annotated[list[Box], Meta(max_length=2000)]
    width: _Side | None = None
    height: _Side | None = None


_decoder = msgspec.json.Decoder(_Line)


def read_boxes(sidecar: Path, since_s: float, until_s: float, frame_wh: tuple[int, int]) -> ClipBoxes:
    """The boxes, frame by frame; a line that is not one of ours is skipped.

    frame_wh: the clip's size, where the lines do not name the size that their boxes count in. Raises OSError.
    """
    rows: list[BoxRow] = []
    spent = 0
    for text in sidecar_lines(sidecar):
        try:
            line = _decoder.decode(text)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            continue
        if line.clip_s < since_s:
            continue
        spent += len(text)
        if line.clip_s > until_s or len(rows) >= BOX_ROWS or spent > BOX_BYTES:
            break
        rows.append(BoxRow(line.clip_s, line.detections))
        if line.width and line.height:
            frame_wh = line.width, line.height
    return ClipBoxes(frame_wh, rows)
