"""Reads what a clip's files say of it: for the index, for ``clips show`` and for ``clips verify``."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import av

from edgecam.core.units import number_within
from edgecam.host.beneath import regular_size
from edgecam.media.reading import open_video_beneath
from edgecam.record.clip_files import MARK
from edgecam.record.closing import SUFFIXES, read_closing
from edgecam.record.library.sidecar import ClipFacts, parse_object, read_sidecar
from edgecam.record.limits import DURATION_S, LATEST_S, LINE_BYTES, TEXT

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What decoding a clip to its end showed. ``problems`` is empty when all is well."""

    frames: int
    duration_s: float
    problems: tuple[str, ...]


def describe(folder: Path, name: str, files: Mapping[str, str]) -> dict[str, Any] | None:
    """The index's row for a clip, from its files; None if the video cannot be opened, or is not one of ours:
    what is in the index may be deleted to make room, and somebody's own films may not.

    Never raises for what is in the files: a value that is not what it should be is as if it were not there.
    """
    path = folder / name
    facts = ClipFacts()
    try:
        with open_video_beneath(folder, name) as clip:
            stream = clip.streams.video[0]
            head = _header(clip.metadata)
            if MARK not in head:
                log.debug("%s is no clip of edgecam's", path)
                return None
            facts.header(head)
            duration_s = number_within(_duration_s(clip, stream), 0, DURATION_S) or 0.0
            size_wh = (int(stream.codec_context.width), int(stream.codec_context.height))
            facts.frames = stream.frames or None
        stat = path.lstat()
        nbytes = sum(regular_size(folder, f) for kind, f in files.items() if kind != "sheet")
    except (av.FFmpegError, OSError, LookupError, ValueError, ArithmeticError, AttributeError) as error:
        # AttributeError: PyAV gives a stream of an unknown codec no codec_context
        log.debug("%s is not a clip: %s", path, error)
        return None
    if "sidecar" in files:
        try:
            for line in read_sidecar(folder / files["sidecar"]):
                facts.line(line)
        except OSError as error:
            log.debug("the sidecar of %s cannot be read: %s", path, error)
    elif path.suffix.lower() in SUFFIXES:
        try:
            facts.closing(parse_object(read_closing(folder, name)) or {})
        except OSError as error:
            log.debug("the end of %s cannot be read: %s", path, error)
    return {
        "name": name,
        "files": json.dumps(dict(files)),
        "camera": facts.camera,
        "started": _started(facts.started, stat.st_mtime - duration_s),
        "duration_s": duration_s,
        "frames": facts.frames,
        "missed": facts.missed,
        "bytes": nbytes,
        "width": size_wh[0],
        "height": size_wh[1],
        "causes": json.dumps(facts.causes),
        "labels": json.dumps(sorted(facts.labels)),
        "ended": facts.ended,
        "protected": int(not stat.st_mode & 0o222),
        "recovered": int("_recovered" in name),
        "events": json.dumps(facts.events),
        "boot": facts.boot,
        "boot_s": facts.boot_s,
    }


def _header(metadata: Mapping[str, str]) -> dict[str, Any]:
    for key, value in metadata.items():
        if key.lower() == "comment":
            return parse_object(value[:LINE_BYTES]) or {}
    return {}


def _started(text: object, otherwise: float) -> float:
    try:
        found = datetime.fromisoformat(str(text)[:TEXT].replace("Z", "+00:00"))
        at = found.astimezone(timezone.utc).timestamp()
    except (ValueError, OverflowError):
        at = otherwise
    return round(at, 3) if number_within(at, 0, LATEST_S) is not None else 0.0  # as our own are told


def _duration_s(clip: Any, stream: Any) -> float:
    if clip.duration:
        return float(clip.duration / av.time_base)
    last = 0.0  # a Matroska file without its end does not know: look at the packets' times
    for packet in clip.demux(stream):
        if packet.pts is not None:
            last = float((packet.pts + (packet.duration or 0)) * packet.time_base)
    return last


def verify(path: Path) -> Verdict:
    """Decode a clip to its end. Never raises for what is in the file."""
    problems: list[str] = []
    frames, last_s, step_s = 0, None, 0.0
    try:
        with open_video_beneath(path.parent, path.name) as clip:
            stream = clip.streams.video[0]
            stream.codec_context.options = {**stream.codec_context.options, "err_detect": "explode"}
            stream.thread_type = "NONE"
            for frame in clip.decode(stream):
                frames += 1
                at_s = frame.time
                if frame.is_corrupt:
                    problems.append(f"frame {frames} is damaged")
                if at_s is None:
                    problems.append(f"frame {frames} has no time")
                    continue
                if last_s is not None:
                    if at_s <= last_s:
                        problems.append(f"frame {frames} goes back in time, to {at_s:.3f} s")
                    step_s = at_s - last_s
                last_s = at_s
    except (av.FFmpegError, OSError, LookupError, ValueError, ArithmeticError, AttributeError) as error:
        problems.append(f"after {frames} frames: {error}")
    if not frames and not problems:
        problems.append("it holds no frame")
    return Verdict(frames, (last_s or 0.0) + step_s if frames else 0.0, tuple(problems[:20]))
