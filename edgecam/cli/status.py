"""What a run says of itself in words, made from its State: the status line, and the summary at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from edgecam.core.state import RunTotals, State
from edgecam.core.types import Result
from edgecam.core.units import days_text, estimate_sign, power_text


def status_line(state: State, latest: Result | None) -> str:
    """Rates, age, power, heat, and what ``latest`` shows, in one line."""
    stats = state.stats
    cameras = f" of {len(state.sources)} cameras" if len(state.sources) > 1 else ""
    parts = [
        state.notice,
        f"capture {stats.capture_fps:.1f}/s{cameras}",
        f"inference {stats.inference_fps:.1f}/s",
    ]
    if state.skipped_still is not None and stats.frames_inferred:
        parts.append(f"still {state.skipped_still / stats.frames_inferred:.0%}")
    if stats.frame_age is not None:
        parts.append(f"age {stats.frame_age.p50_ms:.0f} ms")
    if stats.frames_dropped:
        parts.append(f"dropped {stats.frames_dropped}")
    if state.power is not None:
        parts.append(power_text(state.power))
    if state.health.temperature_c is not None:
        parts.append(f"{state.health.temperature_c:.0f} °C")
    parts += [
        f"space for {days_text(recorder.days_left)}"
        for recorder in state.recorders
        if not recorder.fault and recorder.days_left is not None
    ]
    if latest is not None:
        found = latest.detections
        counts = Counter(found.label(i) for i in range(len(found)))
        parts.append(", ".join(f"{n} {label}" for label, n in counts.items()))
    return " | ".join(part for part in parts if part)


def summary_lines(state: State) -> list[str]:
    """What the run did, from its last state."""
    assert state.totals is not None
    lines = [*_frames(state, state.totals), *_figures(state.totals)]
    for recorder in state.recorders:
        there = [path for path in recorder.finished if Path(path).exists()]
        lines += [("clip", path) for path in there]
        if gone := len(recorder.finished) - len(there):
            lines.append(("clip", f"{'1 was' if gone == 1 else f'{gone} were'} deleted again to make room"))
        if recorder.lost:
            frames = "1 frame" if recorder.lost == 1 else f"{recorder.lost} frames"
            lines.append(("clip", f"{frames} could not be recorded: {recorder.why_lost}"))
    return [f"{title:<10} {text}" for title, text in lines]


def nothing_recorded(state: State) -> bool:
    """Whether a recorder had frames to write and could keep none."""
    return any(recorder.lost and not recorder.finished for recorder in state.recorders)


def _frames(state: State, totals: RunTotals) -> Iterator[tuple[str, str]]:
    stale = sum(source.stale for source in state.sources)
    left = sum(source.stopped for source in state.sources)
    line = f"{totals.frames_in} frames in, {totals.frames_inferred} inferred, {stale} dropped as stale"
    yield "frames", line + (f", {left} left at the stop" if left else "")
    still, all_frames = state.skipped_still, totals.frames_inferred
    if still is not None:
        each_ms = totals.inference.p50_ms if totals.inference else 0.0
        saved = still * each_ms / 1000
        share = f" ({still / all_frames:.0%})" if all_frames else ""
        yield (
            "gate",
            f"nothing moved in {still} of {all_frames} frames{share}"
            + (f", which saved about {saved:.1f} s of inference" if saved else ""),
        )
    if state.max_age_ms is not None:
        yield "max age", f"{state.too_old} results were older than {state.max_age_ms:.0f} ms when ready"


def _figures(totals: RunTotals) -> Iterator[tuple[str, str]]:
    rates = [f"capture {totals.capture_fps:.1f}/s", f"inference {totals.inference_fps:.1f}/s"]
    if totals.frames_displayed:
        rates.append(f"display {totals.display_fps:.1f}/s")
    yield "rates", ", ".join(rates)
    latencies = [
        f"{name} p50 {value.p50_ms:.1f} ms, p95 {value.p95_ms:.1f} ms"
        for name, value in (
            ("inference", totals.inference),
            ("frame age", totals.frame_age),
            ("capture to display", totals.display_age),
        )
        if value is not None
    ]
    if latencies:
        yield "latency", "; ".join(latencies)
    if totals.energy is not None:
        about = estimate_sign(totals.power_kind)
        mean_w, each_mj = totals.energy.mean_power_w or 0.0, totals.energy.mj_per_frame or 0.0
        meter = totals.power_source
        if "estimate" not in meter:  # the estimate's name says so itself
            meter += f", {totals.power_kind}"
        yield "energy", f"{about}{mean_w:.1f} W on average, {about}{each_mj:.0f} mJ per frame ({meter})"
