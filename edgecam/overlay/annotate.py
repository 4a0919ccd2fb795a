"""Boxes and labels drawn into a picture, in one call."""

from __future__ import annotations

from edgecam.core.types import Detections, Frame, Image, Result, Stats
from edgecam.overlay.compose import compose
from edgecam.overlay.scene_cv import paint_cv
from edgecam.overlay.style import Style

#: Boxes and labels only: a picture by itself has no rates or watts to show.
PLAIN = Style(level="boxes")


def annotate(
    seen: Result | Frame,
    detections: Detections | None = None,
    *,
    style: Style = PLAIN,
    stats: Stats | None = None,
) -> Image:
    """The picture with what was found drawn in: a new (H, W, 3) uint8 BGR array; the frame stays as it is.

    seen: a result, which carries its frame and its detections; or a frame, with ``detections`` beside it.
    style: what is shown (:class:`edgecam.overlay.style.Style`). stats: rates and watts for its HUD.
    Raises TypeError for a frame without detections. Any thread; about 1 ms at 720p.
    """
    if isinstance(seen, Frame):
        if detections is None:
            raise TypeError("annotate(frame, detections): a frame by itself has no detections to draw")
        seen = Result(seen, detections)
    elif detections is not None:
        raise TypeError("annotate(result) takes no detections: the result carries its own")
    scene = compose(seen, stats or Stats(), style, seen.frame.size_wh)
    return paint_cv(scene, seen.frame.image)
