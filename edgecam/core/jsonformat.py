"""Results as JSON objects and back: the format that ``--json`` prints and that a clip's sidecar keeps.

The format is DESIGN.md's, version 1: fields may be added, never renamed. Numbers are rounded to what they are
worth (pixels to 0.1, milliseconds to 0.1, scores to 0.001), so that a line stays short on a memory card.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np

from edgecam.core import clock
from edgecam.core.types import (
    NO_DETECTIONS,
    STATE_NAMES,
    BoardHealth,
    Classification,
    Detections,
    Frame,
    Image,
    PowerReading,
    Result,
    Stats,
)

VERSION = 1
#: Classes of a model, as its card may have (inference/models/card.py).
MOST_CLASSES = 100_000


def _classes(classes: Sequence[Classification]) -> list[dict[str, Any]]:
    return [{"label": c.label, "score": round(float(c.score), 3)} for c in classes]


def _detections(found: Detections, crops: Sequence[Sequence[Classification]]) -> list[dict[str, Any]]:
    boxes = np.round(found.xyxy.astype(np.float64), 1).tolist()
    rows: list[dict[str, Any]] = []
    for i in range(len(found)):
        row = {
            "label": found.label(i),
            "class_id": int(found.class_id[i]),
            "score": round(float(found.score[i]), 3),
            "xyxy": boxes[i],
            "track_id": None if found.track_id is None else int(found.track_id[i]),
            "state": found.state_name(i),
            "classes": _classes(crops[i]) if i < len(crops) else [],
        }
        if found.alternatives is not None and found.alternatives[i]:
            row["alternatives"] = _classes(found.alternatives[i])
        rows.append(row)
    return rows


def wall_time(result: Result) -> datetime:
    """UTC wall time of a result's frame: as it was settled, else by the clock now."""
    if result.wall_ms:
        return clock.from_ms(result.wall_ms)
    return clock.wall_time(result.frame.captured_ns)


def result_to_dict(result: Result, stats: Stats | None = None) -> dict[str, Any]:
    """The JSON object of one result. ``stats`` gives the power fields; without it they are null."""
    frame = result.frame
    width, height = frame.size_wh
    power = stats.power if stats is not None else None
    more: dict[str, Any] = {}
    if frame.media_ns is not None:
        more["media_ns"] = frame.media_ns
    if result.moved:
        more["moved"] = result.moved
    return {
        "v": VERSION,
        "source": frame.source,
        "file": frame.file,
        "index": frame.index,
        "captured_ns": frame.captured_ns,
        "time": clock.isoformat_ms(wall_time(result)),
        "width": width,
        "height": height,
        "inference_ms": round(result.inference_ms, 1),
        "frame_age_ms": round(result.frame_age_ms, 1) if result.completed_ns else None,
        "dropped": result.dropped,
        "power_w": None if power is None else round(power.power_w, 2),
        "power_kind": None if power is None else power.kind,
        "detections": [
            *_detections(result.detections, result.crop_classes),
            *(_detections(result.tentative, ()) if len(result.tentative) else ()),
        ],
        "classes": _classes(result.classes),
        **more,
    }


def board_to_dict(stats: Stats) -> dict[str, Any]:
    """What the black box keeps of the board beside the power fields: heat, frequency, throttling, rates."""
    health = stats.health
    return {
        "power_source": None if stats.power is None else stats.power.source,
        "mj_per_frame": None if stats.mj_per_frame is None else round(stats.mj_per_frame, 1),
        "temperature_c": health.temperature_c,
        "frequency_mhz": health.frequency_mhz,
        "fan_rpm": health.fan_rpm,
        "cpu_percent": health.cpu_percent,
        "throttled": list(health.throttled_now),
        "capture_fps": round(stats.capture_fps, 2),
        "inference_fps": round(stats.inference_fps, 2),
        "model": stats.model,
    }


def result_from_dict(data: Mapping[str, Any], image: Image) -> Result:
    """The result that a line describes, on ``image`` (H, W, 3) uint8 BGR.

    Raises KeyError, TypeError or ValueError if the line is not one of ours.
    """
    if data["v"] != VERSION:
        raise ValueError(f"line version is {data['v']}, this program reads version {VERSION}")
    rows: list[Mapping[str, Any]] = data["detections"]
    found = [d for d in rows if d.get("state") != "tentative"]
    rest = [d for d in rows if d.get("state") == "tentative"]
    captured_ns = int(data["captured_ns"])
    media_ns = data.get("media_ns")
    return Result(
        frame=Frame(
            image,
            int(data["index"]),
            captured_ns,
            str(data["source"]),
            None if media_ns is None else int(media_ns),
            file=data.get("file"),
        ),
        detections=_detections_from(found),
        tentative=_detections_from(rest) if rest else NO_DETECTIONS,
        classes=_classes_from(data["classes"]),
        crop_classes=tuple(_classes_from(d.get("classes", ())) for d in found),
        detect_ms=float(data["inference_ms"]),
        completed_ns=captured_ns + int(float(data["frame_age_ms"] or 0.0) * 1e6),
        dropped=int(data["dropped"]),
        wall_ms=clock.to_ms(str(data["time"])),
        moved=str(data.get("moved") or ""),
    )


def _detections_from(rows: Sequence[Mapping[str, Any]]) -> Detections:
    ids = [int(d["class_id"]) for d in rows]
    if not all(0 <= n < MOST_CLASSES for n in ids):
        raise ValueError("a class_id that no model has")
    labels = [""] * (max(ids, default=-1) + 1)
    for class_id, d in zip(ids, rows, strict=True):
        labels[class_id] = str(d["label"])
    tracked = bool(rows) and all(d.get("track_id") is not None for d in rows)
    judged = bool(rows) and all(d.get("state") in STATE_NAMES for d in rows)  # lines of old clips have none
    others = [_classes_from(d.get("alternatives", ())) for d in rows]
    return Detections(
        np.array([d["xyxy"] for d in rows], np.float32).reshape(-1, 4),
        np.array([d["score"] for d in rows], np.float32),
        np.array(ids, np.int32),
        tuple(labels),
        track_id=np.array([d["track_id"] for d in rows], np.int32) if tracked else None,
        state=np.array([STATE_NAMES.index(d["state"]) for d in rows], np.uint8) if judged else None,
        alternatives=tuple(others) if any(others) else None,
    )


def _classes_from(items: Sequence[Mapping[str, Any]]) -> tuple[Classification, ...]:
    return tuple(Classification(str(c["label"]), -1, float(c["score"])) for c in items)


def stats_from_dict(data: Mapping[str, Any]) -> Stats:
    """The statistics that a sidecar's line keeps (power, heat, rates, model), for rendering later."""
    board: Mapping[str, Any] = data.get("board") or {}
    power_w = data.get("power_w")
    power = None
    if power_w is not None:
        power = PowerReading(
            float(power_w),
            "measured" if data.get("power_kind") == "measured" else "estimated",
            str(board.get("power_source") or ""),
            int(data["captured_ns"]),
        )
    return Stats(
        capture_fps=float(board.get("capture_fps") or 0.0),
        inference_fps=float(board.get("inference_fps") or 0.0),
        frames_dropped=int(data.get("dropped") or 0),
        power=power,
        mj_per_frame=board.get("mj_per_frame"),
        health=BoardHealth(
            temperature_c=board.get("temperature_c"),
            frequency_mhz=board.get("frequency_mhz"),
            fan_rpm=board.get("fan_rpm"),
            cpu_percent=board.get("cpu_percent"),
            throttled_now=tuple(board.get("throttled") or ()),
        ),
        model=str(board.get("model") or ""),
    )
