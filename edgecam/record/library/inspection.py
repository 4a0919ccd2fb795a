"""What a clip's files say of themselves: for the index, for ``clips show`` and for ``clips verify``."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import av

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What decoding a clip to its end showed. ``problems`` is empty when all is well."""

    frames: int
    duration_s: float
    problems: tuple[str, ...]


def read_sidecar(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a sidecar; a line cut short by a crash ends it. Raises OSError."""
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                data = json.loads(line)
            except ValueError:
                return
            if isinstance(data, dict):
                yield data


def describe(folder: Path, name: str, files: Mapping[str, str]) -> dict[str, Any] | None:
    """The index's row for a clip, from its files; None if the video cannot be opened."""
    path = folder / name
    try:
        with av.open(str(path)) as clip:
            stream = clip.streams.video[0]
            header = _header(clip.metadata)
            duration_s = _duration_s(clip, stream)
            size_wh = (stream.codec_context.width, stream.codec_context.height)
            frames = stream.frames or None
        stat = path.stat()
        nbytes = sum((folder / f).stat().st_size for kind, f in files.items() if kind != "sheet")
    except (av.FFmpegError, OSError, IndexError, ValueError) as error:
        log.debug("%s is not a clip: %s", path, error)
        return None
    end: dict[str, Any] = {}
    labels: set[str] = set()
    events: list[tuple[float, str]] = []
    if "sidecar" in files:
        for line in read_sidecar(folder / files["sidecar"]):
            labels.update(str(d.get("label")) for d in line.get("detections", ()))
            end = line.get("end", end)
            header = line.get("clip", header)
            if "event" in line:
                events.append((line["event"]["clip_s"], line["event"]["cause"]))
    return {
        "name": name,
        "files": json.dumps(dict(files)),
        "camera": str(header.get("camera", "")),
        "started": _started(header, stat.st_mtime - duration_s),
        "duration_s": duration_s,
        "frames": end.get("frames", frames),
        "missed": end.get("missed", 0),
        "bytes": nbytes,
        "width": size_wh[0],
        "height": size_wh[1],
        "causes": json.dumps(list(dict.fromkeys([*header.get("causes", []), *(c for _, c in events)]))),
        "labels": json.dumps(sorted(labels)),
        "ended": str(end.get("why", "")),
        "protected": int(not stat.st_mode & 0o222),
        "recovered": int("_recovered" in name),
        "events": json.dumps(events),
    }


def _header(metadata: Mapping[str, str]) -> dict[str, Any]:
    for key, value in metadata.items():
        if key.lower() == "comment":
            try:
                data = json.loads(value)
            except ValueError:
                return {}
            return data if isinstance(data, dict) else {}
    return {}


def _started(header: Mapping[str, Any], otherwise: float) -> float:
    try:
        text = str(header["started"]).replace("Z", "+00:00")
        return datetime.fromisoformat(text).astimezone(timezone.utc).timestamp()
    except (KeyError, ValueError):
        return otherwise


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
        with av.open(str(path)) as clip:
            stream = clip.streams.video[0]
            stream.codec_context.options = {"err_detect": "explode"}
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
    except (av.FFmpegError, OSError, IndexError, ValueError) as error:
        problems.append(f"after {frames} frames: {error}")
    if not frames and not problems:
        problems.append("it holds no frame")
    return Verdict(frames, (last_s or 0.0) + step_s if frames else 0.0, tuple(problems[:20]))
