"""Clean clip + sidecar -> annotated clip, later. The painter is given, so this room needs no other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import av
import numpy as np

from edgecam.core import clock
from edgecam.core.errors import RecordError
from edgecam.core.jsonformat import result_from_dict, stats_from_dict
from edgecam.core.types import Image, Result, Stats
from edgecam.core.units import number_within
from edgecam.media.reading import open_video
from edgecam.record.library.sidecar import read_sidecar
from edgecam.record.limits import DURATION_S
from edgecam.record.recorder import Recorder, RecordOptions

#: A line belongs to a frame if their times agree to this: Matroska's clock counts milliseconds.
SAME_S = 0.002


def sidecar_of(clip: Path) -> Path:
    """Where a clip's sidecar is: ``NAME.jsonl``, also for ``NAME.clean.mp4``."""
    return clip.with_name(clip.stem.removesuffix(".clean") + ".jsonl")


def render(
    clip: Path,
    out: Path,
    painter: Callable[[Result, Stats], Image],
    *,
    choose: Callable[[Result], Result] = lambda result: result,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> int:
    """Draw what the sidecar says into every frame of ``clip``, with its own timing; the number of frames.

    choose: may leave detections out. progress: called with frames done and frames in all (0 if not known).
    Raises RecordError if the clip or its sidecar cannot be read, or ``out`` cannot be written.
    """
    lines = _lines(clip)
    line, later = next(lines), next(lines, None)
    current = Stats()
    done = 0

    def paint(result: Result) -> Image:
        return painter(result, current)

    try:
        source = open_video(clip)
    except (av.FFmpegError, OSError, ValueError, AttributeError) as error:
        raise RecordError(f"'{clip}' is not a clip that can be read: {error}") from error
    recorder = Recorder(
        out, painter=paint, options=RecordOptions(live=False, sidecar=False, keep_free_percent=0)
    )
    with source:
        stream = source.streams.video[0]
        total = stream.frames or 0
        recorder.open()
        try:
            for frame in source.decode(stream):
                at_s = float(frame.time or 0.0)
                image = np.ascontiguousarray(frame.to_ndarray(format="bgr24"))
                while later is not None and later["clip_s"] <= at_s + SAME_S:
                    line, later = later, next(lines, None)
                result, current = _result(line, image, done, at_s)
                recorder.write(choose(result))
                done += 1
                progress(done, total)
        except av.FFmpegError as error:
            raise RecordError(
                f"'{clip}' is damaged after {done} frames: {error}; see clips verify"
            ) from error
        finally:
            recorder.close()
    fault = recorder.status().fault
    if fault:
        raise RecordError(f"'{out}' could not be finished: {fault}")
    return done


def _lines(clip: Path) -> Iterator[dict[str, Any]]:
    """One by one: a day of them has gigabytes. RecordError where there is none."""
    path, found = sidecar_of(clip), False
    try:
        for line in read_sidecar(path):
            if number_within(line.get("clip_s"), 0, DURATION_S) is not None and "detections" in line:
                found = True
                yield line
    except OSError as error:
        raise RecordError(
            f"'{clip}' has no sidecar '{path.name}' beside it ({error.strerror});"
            " record with --record-view clean or both"
        ) from error
    if not found:
        raise RecordError(f"the sidecar '{path}' holds no detections' lines; it cannot be rendered")


def _result(line: dict[str, Any], image: Image, index: int, at_s: float) -> tuple[Result, Stats]:
    """The line's result on the clip's picture, at the time it was recorded, on this boot's clock."""
    try:
        result, stats = result_from_dict(line, image), stats_from_dict(line)
        recorded = datetime.fromisoformat(str(line["time"]).replace("Z", "+00:00"))
    except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        raise RecordError(f"the sidecar's line of frame {index} cannot be understood: {error}") from error
    now_ns = clock.now_ns()
    age_ns = round((clock.wall_time(now_ns) - recorded).total_seconds() * 1e9)
    captured_ns = now_ns - age_ns
    frame = replace(result.frame, index=index, captured_ns=captured_ns, media_ns=round(at_s * 1e9))
    return replace(result, frame=frame, completed_ns=captured_ns + round(result.frame_age_ms * 1e6)), stats
