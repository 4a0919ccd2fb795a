"""Joules by trapezoids over the true times: per frame and per inference, in the run and in a window."""

from __future__ import annotations

import pytest
from fakemeters import MS, Clock, FakeMeter, S, frame, result

from edgecam.telemetry.collector import StatsCollector
from edgecam.telemetry.energy import EnergyIntegrator


@pytest.mark.parametrize("meter_hz", [0.3, 2.0, 7.0, 100.0])
def test_energy_per_frame_is_right_at_any_meter_rate(meter_hz: float) -> None:
    """A straight ramp from 4 W to 8 W over 60 s is 360 J by hand; trapezoids have it exactly at any rate."""
    clock = Clock()
    stats = StatsCollector("m", FakeMeter(clock, lambda t: 4.0 + 4.0 * t / 60.0), clock=clock)
    next_sample = 0.0
    ticks = 60 * 100
    for tick in range(ticks + 1):
        clock.ns = tick * 10 * MS
        if tick % 4 == 0:  # 25 frames a second
            f = frame(tick, clock.ns)
            stats.captured(f.source)
            if tick % 20 == 0:  # 5 results a second
                stats.inferred(result(f, 1.0, clock.ns))
        if clock.ns / 1e9 >= next_sample or tick == ticks:
            stats.sample()
            next_sample += 1.0 / meter_hz
    energy = stats.totals().energy
    assert energy is not None
    assert energy.energy_j == pytest.approx(360.0, rel=1e-9)
    assert energy.mean_power_w == pytest.approx(6.0)
    assert energy.mj_per_frame == pytest.approx(360e3 / (60 * 25), rel=0.002)  # 240 mJ
    assert energy.mj_per_inference == pytest.approx(360e3 / (60 * 5), rel=0.02)  # 1200 mJ
    # the window: about the last 10 s, near 7.7 W
    got = stats.snapshot()
    assert got.mj_per_frame == pytest.approx(7.66 * 1e3 / 25, rel=0.03)
    assert got.mj_per_inference == pytest.approx(7.66 * 1e3 / 5, rel=0.06)


def test_uneven_times_and_a_repeating_meter() -> None:
    energy = EnergyIntegrator()
    energy.add(0, 2.0, 0, 0)
    energy.add(1 * S, 4.0, 10, 5)  # 3 J
    energy.add(1 * S, 400.0, 10, 5)  # the same reading again: nothing
    energy.add(4 * S, 6.0, 40, 20)  # 15 J
    span = energy.total()
    assert span is not None and span.energy_j == pytest.approx(18.0)
    assert (span.seconds, span.frames, span.inferences) == (4.0, 40, 20)
    assert span.mj_per_frame == pytest.approx(450.0) and span.mj_per_inference == pytest.approx(900.0)


def test_a_gap_adds_neither_energy_nor_frames() -> None:
    energy = EnergyIntegrator()
    for t in range(3):
        energy.add(t * S, 5.0, t * 10, t * 10)
    energy.gap()
    assert energy.window() is None
    for t in range(100, 103):
        energy.add(t * S, 5.0, t * 10, t * 10)
    span = energy.total()
    assert span is not None
    assert (span.energy_j, span.seconds, span.frames) == (pytest.approx(20.0), 4.0, 40)  # type: ignore[comparison-overlap]


def test_window_of_a_very_slow_meter_holds_one_interval() -> None:
    energy = EnergyIntegrator(window_ns=10 * S)
    energy.add(0, 5.0, 0, 0)
    assert energy.window() is None
    energy.add(60 * S, 5.0, 600, 60)
    span = energy.window()
    assert span is not None and span.seconds == 60.0 and span.mj_per_frame == pytest.approx(500.0)


def test_no_frames_gives_no_figure_instead_of_infinity() -> None:
    energy = EnergyIntegrator()
    energy.add(0, 5.0, 0, 0)
    energy.add(S, 5.0, 0, 0)
    span = energy.total()
    assert span is not None and span.mj_per_frame is None and span.mj_per_inference is None


def test_a_vanishing_sensor_leaves_no_stale_figure() -> None:
    clock = Clock()
    stats = StatsCollector("m", FakeMeter(clock, lambda t: 5.0 if t < 3 else None), clock=clock)
    for t in range(3):
        clock.ns = t * S
        stats.captured(frame(t, clock.ns).source)
        stats.sample()
    reading = stats.snapshot().power
    assert reading is not None and reading.power_w == 5.0
    clock.ns = 3 * S
    stats.sample()
    got = stats.snapshot()
    assert got.power is None and got.mj_per_frame is None
    total = stats.totals().energy
    assert total is not None and total.energy_j == pytest.approx(10.0)  # what was measured stays


def test_kind_is_estimated_if_any_part_was() -> None:
    clock = Clock()
    meter = FakeMeter(clock, lambda t: 5.0)
    stats = StatsCollector("m", meter, clock=clock)
    stats.sample()
    clock.ns = S
    stats.sample()
    assert stats.totals().power_kind == "measured"
    meter.kind = "estimated"
    clock.ns = 2 * S
    stats.sample()
    assert stats.totals().power_kind == "estimated"
