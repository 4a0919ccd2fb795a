"""Cameras and the board's figures: list, picture, snapshot, recording, live settings."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from edgecam.core import clock
from edgecam.core.state import SourceState, State
from edgecam.core.types import Latency, Stats
from edgecam.web.api.camera_types import (
    Age,
    BoardStats,
    CameraRow,
    Changed,
    Health,
    LabelRow,
    Labels,
    LiveChange,
    PictureQuery,
    Power,
    Rates,
    Recording,
)
from edgecam.web.api.operation import ApiError, Call, Done, Operation
from edgecam.web.live.picture import fit, jpeg, scaled


def operations() -> list[Operation]:
    """The rows of this part."""
    make, tag = Operation, "cameras"
    return [
        make("GET", "/api/cameras", "List the cameras", cameras, answer=list[CameraRow], tag=tag),
        make("GET", "/api/labels", "What can be looked for", label_list, answer=Labels, tag=tag),
        make("GET", "/api/stats", "The board's figures now", stats, answer=BoardStats, tag=tag),
        make(
            *("GET", "/api/{camera}/latest.jpg", "The newest picture", picture),
            query=PictureQuery,
            media="image/jpeg",
            fails=(503,),
            tag=tag,
        ),
        make(
            *("POST", "/api/{camera}/snapshot", "Save the newest picture", snapshot, "operator"),
            fails=(409,),
            tag=tag,
        ),
        make("POST", "/api/{camera}/record", "Record now", record, "operator", fails=(409,), tag=tag),
        make(
            *("DELETE", "/api/{camera}/record", "Stop recording", stop_recording, "operator"),
            fails=(409,),
            tag=tag,
        ),
        make(
            *("PUT", "/api/live", "Change what may change while running", change, "operator", Changed),
            body=LiveChange,
            fails=(409,),
            tag=tag,
        ),
    ]


def _age(value: Latency | None) -> Age | None:
    return None if value is None else Age(round(value.p50_ms, 1), round(value.p95_ms, 1))


def _rates(of: Stats) -> Rates:
    return Rates(
        round(of.capture_fps, 1),
        round(of.inference_fps, 1),
        round(of.display_fps, 1),
        _age(of.frame_age),
        _age(of.inference),
    )


def _camera(call: Call, source: SourceState, state: State) -> CameraRow | None:
    known = call.site.named(source.name)
    if known is None or not call.sees(known.id):
        return None
    return CameraRow(
        known.id,
        source.name,
        source.size_wh,
        source.rate_hz,
        source.is_live,
        source.description,
        source.notice,
        source.lost,
        source.paused,
        source.ended,
        any(r.recording and r.source == source.name for r in state.recorders),
        source.captured,
        source.inferred,
        source.stale,
        _rates(source.stats),
        known.short or known.id,
        known.keep_clear,
    )


def board_stats(call: Call) -> BoardStats:
    """Made from the one State that everything else is made from too."""
    state = call.site.control.state()
    stats, health, power = state.stats, state.health, state.power
    rows = [row for source in state.sources if (row := _camera(call, source, state)) is not None]
    seen = {row.name: row.id for row in rows}
    return BoardStats(
        time=clock.wall_time(state.at_ns).timestamp(),
        now_ns=clock.now_ns(),
        uptime_s=round(state.uptime_s, 1),
        version=state.version,
        model=stats.model,
        notice=state.common_notice,
        rates=_rates(stats),
        power=None
        if power is None
        else Power(round(power.power_w, 2), power.kind, power.source, power.error),
        mj_per_frame=None if stats.mj_per_frame is None else round(stats.mj_per_frame, 1),
        health=Health(
            health.temperature_c,
            health.frequency_mhz,
            health.fan_rpm,
            health.cpu_percent,
            list(health.throttled_now),
            list(health.throttled_since_boot),
        ),
        cameras=rows,
        recorders=[
            Recording(
                seen[r.source],
                r.recording,
                r.clips,
                r.fault,
                r.lost,
                r.days_left,
                r.free_bytes,
                r.used_bytes,
            )
            for r in state.recorders
            if r.source in seen
        ],
        settings={name: plain(value) for name, value in state.settings.items()},
        viewers=call.site.hub.viewers,
    )


def plain(value: object) -> Any:
    """A setting's value as JSON has it."""
    if isinstance(value, (set, frozenset)):
        return sorted(map(str, value))
    if isinstance(value, tuple) and not hasattr(value, "parse"):
        return list(value)
    if value is None or type(value) in (bool, int, float, str, list, dict):
        return value
    if isinstance(value, float):
        return float(value)
    return int(value) if isinstance(value, int) else str(value)


def stats(call: Call) -> BoardStats:
    """At most a quarter of a second old."""
    return board_stats(call)


def cameras(call: Call) -> list[CameraRow]:
    """Those that whoever asks may see."""
    return board_stats(call).cameras


def picture(call: Call) -> Response:
    """The newest frame as JPEG, with privacy masks where they are on."""
    camera = call.camera()
    result = call.site.latest(camera.id)
    if result is None:
        raise ApiError(503, f"camera '{camera.id}' has sent no picture yet", 2)
    query: PictureQuery = call.query
    image = call.site.annotate(result) if query.boxes else result.frame.image
    if query.h is not None:
        image = scaled(image, fit(result.frame.size_wh, (100_000, query.h)))
    taken_at = clock.isoformat_ms(clock.wall_time(result.frame.captured_ns))
    headers = {"x-frame-index": str(result.frame.index), "x-captured": taken_at, "cache-control": "no-store"}
    return Response(jpeg(image, query.quality), media_type="image/jpeg", headers=headers)


def snapshot(call: Call) -> Done:
    """Kept with the board's other snapshots."""
    saved = call.site.commands.snapshot(call.camera().name)
    return Done(f"saved {saved.name}")


def record(call: Call) -> Done:
    """Begins an event's clip or prolongs it; where nothing is set to be recorded, until it is stopped."""
    return Done(call.site.commands.record(call.camera().name, True))


def stop_recording(call: Call) -> Done:
    """Ends what was begun so, or an event's clip; what is recorded all the time by the settings goes on."""
    return Done(call.site.commands.record(call.camera().name, False))


def change(call: Call) -> Changed:
    """From the next frame on; refused ones say why, the others are applied all the same."""
    changes = call.site.control.change(**call.body.settings)
    return Changed({name: plain(value) for name, value in changes.applied.items()}, dict(changes.refused))


def label_list(call: Call) -> Labels:
    """What can be looked for, and what is looked for now."""
    from edgecam.overlay.palette import class_colours

    detector = call.site.control.state().detector
    if detector is None:
        return Labels([])
    colours = class_colours(detector.labels)
    rows = [
        LabelRow(name, f"#{r:02x}{g:02x}{b:02x}", name in detector.enabled)
        for name, (r, g, b, _) in zip(detector.labels, colours, strict=True)
    ]
    return Labels(rows)
