"""The board itself: the doctor's page, power and heat over hours, models, the log, storage."""

from __future__ import annotations

import threading
import time
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from starlette.responses import Response

from edgecam.web.api.operation import ApiError, Call, Operation


class DoctorLine(msgspec.Struct):
    """One line of the doctor's page. status: ok, warn or bad; fix: what to do."""

    section: str
    title: str
    status: str
    detail: str
    fix: str


class Doctor(msgspec.Struct):
    """The page, and when it was made (seconds since 1970)."""

    time: float
    lines: list[DoctorLine]


class HistoryQuery(msgspec.Struct, forbid_unknown_fields=True):
    """hours: how far back, at most twelve. rows: at most so many, evenly chosen."""

    hours: Annotated[float, Meta(gt=0, le=12)] = 3.0
    rows: Annotated[int, Meta(ge=10, le=1000)] = 360


class HistoryColumns(msgspec.Struct):
    """Parallel columns, oldest first; null where nothing was measured."""

    time: list[float | None]
    power_w: list[float | None]
    temperature_c: list[float | None]
    cpu_percent: list[float | None]
    inference_fps: list[float | None]
    frame_age_ms: list[float | None]
    free_bytes: list[float | None]


class LogsQuery(msgspec.Struct, forbid_unknown_fields=True):
    """How many of the newest lines."""

    lines: Annotated[int, Meta(ge=1, le=500)] = 100


class LogLine(msgspec.Struct):
    """One line of edgecam's log."""

    time: float
    level: str
    name: str
    text: str


_examining = threading.Lock()
_kept: list[tuple[float, Doctor]] = []
DOCTOR_KEPT_S = 30.0


def operations() -> list[Operation]:
    """The rows of this part."""
    make, tag = Operation, "system"
    return [
        make(
            "GET", "/api/doctor", "The doctor's page", doctor, "operator", Doctor, fails=(404, 503), tag=tag
        ),
        make(
            *("GET", "/api/history", "Power, heat and rates over hours", history),
            answer=HistoryColumns,
            query=HistoryQuery,
            tag=tag,
        ),
        make(
            *("GET", "/api/metrics", "For Prometheus", metrics),
            media="text/plain",
            fails=(403, 404),
            tag=tag,
        ),
        make(
            *("GET", "/api/logs", "The newest lines of the log", logs, "admin", list[LogLine]),
            query=LogsQuery,
            tag=tag,
        ),
    ]


def doctor(call: Call) -> Doctor:
    """Takes some seconds; one at a time, and a page half a minute old is as good."""
    if call.site.doctor is None:
        raise ApiError(404, "this program has no doctor")
    if not _examining.acquire(timeout=20):
        raise ApiError(503, "the doctor is busy", 10)
    try:
        if not _kept or time.monotonic() - _kept[0][0] > DOCTOR_KEPT_S:
            lines = [msgspec.convert(dict(line), DoctorLine) for line in call.site.doctor()]
            _kept[:] = [(time.monotonic(), Doctor(time.time(), lines))]
        return _kept[0][1]
    finally:
        _examining.release()


def history(call: Call) -> HistoryColumns:
    """One sample in ten seconds, for twelve hours, in memory."""
    query: HistoryQuery = call.query
    return HistoryColumns(**call.site.history.rows(query.hours * 3600, query.rows))


def metrics(call: Call) -> Response:
    """Base units, no label per track; needs the extra ``metrics``."""
    call.needs_all("the metrics are of")
    text = call.site.scrape.text()
    if text is None:
        raise ApiError(
            404, "this needs the package prometheus-client: install edgecam with its extra metrics"
        )
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")


def logs(call: Call) -> list[LogLine]:
    """Since the start, at most five hundred."""
    call.needs_all("the log tells of")
    records: list[Any] = call.site.log.newest(call.query.lines)
    return [LogLine(r.created, r.levelname.lower(), r.name, r.text) for r in records]
