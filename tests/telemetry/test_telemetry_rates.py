from __future__ import annotations

import math
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecam.telemetry.rates import CAPACITY, Histogram, LatencyMeter, RateMeter, percentile

MS = 1_000_000
S = 1_000_000_000


def test_rate_of_a_steady_stream_is_exact() -> None:
    meter = RateMeter()
    for i in range(61):
        meter.add(i * 20 * MS)  # 50 a second
    assert meter.rate_hz(60 * 20 * MS) == pytest.approx(50.0)
    assert meter.rate_hz(60 * 20 * MS + 15 * MS) == pytest.approx(50.0)  # no jitter with the moment of asking
    assert meter.mean_hz() == pytest.approx(50.0)
    assert meter.count == 61


def test_rate_falls_at_once_when_the_next_event_is_overdue_and_reaches_zero() -> None:
    meter = RateMeter(window_ns=2 * S)
    for i in range(50):
        meter.add(i * 20 * MS)
    last = 49 * 20 * MS
    half = meter.rate_hz(last + 980 * MS)
    assert half == pytest.approx(49 / (2 * 0.98 - 0.02), rel=1e-6)  # 49 intervals over span + overdue time
    assert meter.rate_hz(last + 3 * S) == 0.0


def test_rate_needs_two_events() -> None:
    meter = RateMeter()
    assert meter.rate_hz(5) == 0.0 and meter.mean_hz() == 0.0
    meter.add(5)
    assert meter.rate_hz(6) == 0.0 and meter.mean_hz() == 0.0
    meter.add(5)  # two events at the same instant: no rate, no division by zero
    assert meter.rate_hz(6) == 0.0 and meter.mean_hz() == 0.0


def test_rate_of_a_slow_stream_is_not_none() -> None:
    """One detection in four seconds, as the governor may ask for: the window holds one of them at most."""
    meter = RateMeter(window_ns=2 * S)
    for i in range(5):
        meter.add(i * 4 * S)
    last = 16 * S
    assert meter.rate_hz(last + 1 * S) == meter.rate_hz(last + 3 * S) == pytest.approx(0.25)
    assert meter.rate_hz(last + 8 * S) == pytest.approx(0.125)  # overdue
    assert meter.rate_hz(last + 12 * S + 1) == 0.0


def test_rate_faster_than_the_buffer_shortens_the_window_not_the_truth() -> None:
    meter = RateMeter()
    for i in range(4 * CAPACITY):
        meter.add(i * MS)
    assert meter.rate_hz((4 * CAPACITY - 1) * MS) == pytest.approx(1000.0)
    assert meter.count == 4 * CAPACITY


def test_mean_rate_covers_the_whole_run() -> None:
    meter = RateMeter()
    for i in range(2000):
        meter.add(i * 10 * MS)
    for i in range(1000):
        meter.add(20 * S + i * 20 * MS)
    assert meter.mean_hz() == pytest.approx(2999 / (20 + 999 * 0.02))


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=50), st.floats(0, 1))
def test_percentile_agrees_with_numpy(values: list[float], q: float) -> None:
    assert percentile(sorted(values), q) == pytest.approx(float(np.quantile(values, q)), rel=1e-9, abs=1e-9)


@given(st.lists(st.floats(0.02, 5e5), min_size=1, max_size=200), st.sampled_from([0.0, 0.5, 0.95, 1.0]))
def test_histogram_percentile_is_within_one_percent(values: list[float], q: float) -> None:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    true = sorted(values)[max(1, math.ceil(q * len(values))) - 1]
    assert histogram.percentile_ms(q) == pytest.approx(true, rel=0.0101)


def test_histogram_takes_extremes_without_failing() -> None:
    histogram = Histogram()
    assert histogram.percentile_ms(0.5) == 0.0
    for value in (float("nan"), -3.0, 0.0, 1e12, float("inf")):
        histogram.add(value)
    assert histogram.count == 4  # NaN is not a latency
    assert histogram.percentile_ms(0.0) == pytest.approx(0.01, rel=0.0101)
    assert histogram.percentile_ms(1.0) > 1e6


def test_latency_window_and_run() -> None:
    meter = LatencyMeter(window_ns=S)
    assert meter.window(0) is None and meter.run() is None
    for i in range(100):
        meter.add(i * 10 * MS, 10.0)
    for i in range(20):
        meter.add(3 * S + i * 10 * MS, 1.0 + i)
    window = meter.window(3 * S + 200 * MS)
    assert window is not None
    assert window.p50_ms == pytest.approx(10.5) and window.p95_ms == pytest.approx(1 + 0.95 * 19)
    run = meter.run()
    assert run is not None and run.p50_ms == pytest.approx(10.0, rel=0.01)
    assert run.p95_ms == pytest.approx(
        14.0, rel=0.01
    )  # rank 114 of 120, by hand: 5+100 lie at or below 10, then 11…
    assert meter.window(10 * S) is None


def test_adding_from_many_threads_loses_nothing() -> None:
    rate, latency = RateMeter(), LatencyMeter()
    readings: list[float] = []

    def work() -> None:
        for i in range(2000):
            rate.add(i)
            latency.add(i, 1.0)
            if i % 200 == 0:
                readings.append(rate.rate_hz(i))
                latency.window(i)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(30)
    assert rate.count == 8000
    run = latency.run()
    assert run is not None and run.p50_ms == pytest.approx(1.0, rel=0.01)
    assert len(readings) == 40
