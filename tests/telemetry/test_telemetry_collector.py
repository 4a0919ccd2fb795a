from __future__ import annotations

import logging
import math
import threading

import pytest
from fakemeters import IMAGE, MS, Clock, FakeHealth, FakeMeter, S, frame, result

from edgecam.core.errors import EdgecamError
from edgecam.core.types import BoardHealth, Detections, Frame, PowerReading, Result
from edgecam.telemetry import collector as collector_module
from edgecam.telemetry.collector import StatsCollector


def test_counts_rates_and_latencies_by_stage() -> None:
    clock = Clock()
    stats = StatsCollector("ssd", clock=clock)
    for i in range(60):  # 30 a second in, every second one inferred, every fourth one painted
        clock.ns = captured = round(i * S / 30)
        f = frame(i, captured)
        stats.captured(f.source)
        if i % 2 == 0:
            clock.ns = captured + 12 * MS
            r = result(f, 10.0, clock.ns)
            stats.inferred(r)
            if i % 4 == 0:
                stats.displayed(r, captured + 20 * MS)
        else:
            stats.dropped(1)
    clock.ns = round(59 * S / 30) + 13 * MS
    got = stats.snapshot()
    assert (got.frames_in, got.frames_inferred, got.frames_dropped) == (60, 30, 30)
    assert got.capture_fps == pytest.approx(30, rel=1e-3)
    assert got.inference_fps == pytest.approx(15, rel=1e-3)
    assert got.display_fps == pytest.approx(7.5, rel=1e-3)
    assert got.frame_age is not None and got.frame_age.p50_ms == pytest.approx(12.0)
    assert got.display_age is not None and got.display_age.p95_ms == pytest.approx(20.0)
    assert got.inference is not None and got.inference.p50_ms == pytest.approx(10.0)
    assert got.model == "ssd" and got.power is None and got.mj_per_frame is None
    totals = stats.totals()
    assert totals.frames_displayed == 15 and totals.energy is None and totals.power_kind is None
    assert totals.frame_age is not None and totals.frame_age.p95_ms == pytest.approx(12.0, rel=0.01)


def test_each_source_has_its_own_rates_and_their_sum_is_the_whole() -> None:
    clock = Clock()
    stats = StatsCollector("ssd", clock=clock)
    stats.tell_apart(("front", "back"))
    for i in range(60):  # front: 30 a second, 12 ms old; back: 10 a second, 40 ms old
        clock.ns = captured = round(i * S / 30)
        for name, every, age_ms in (("front", 1, 12), ("back", 3, 40)):
            if i % every == 0:
                f = Frame(IMAGE, i, captured, name)
                stats.captured(f.source)
                stats.inferred(result(f, 10.0, captured + age_ms * MS))
                stats.displayed(result(f, 10.0, captured + age_ms * MS), captured + (age_ms + 8) * MS)
    front, back, whole = stats.snapshot("front"), stats.snapshot("back"), stats.snapshot()
    for got, hz, count in ((front, 30, 60), (back, 10, 20), (whole, 40, 80)):
        assert got.capture_fps == pytest.approx(hz, rel=0.05)
        assert got.inference_fps == pytest.approx(hz, rel=0.05)
        assert (got.frames_in, got.frames_inferred) == (count, count)
    assert front.frame_age is not None and front.frame_age.p50_ms == pytest.approx(12)
    assert back.display_age is not None and back.display_age.p50_ms == pytest.approx(48)
    assert stats.snapshot("unknown").frames_in == 80


def test_a_result_without_inference_does_not_count_as_a_fast_one() -> None:
    """Detection at 5 of 30 Hz: the five are inferences, all thirty have an age."""
    clock = Clock()
    stats = StatsCollector("m", FakeMeter(clock, lambda t: 5.0), clock=clock)
    stats.sample()
    for i in range(61):
        clock.ns = round(i * S / 30)
        f = frame(i, clock.ns)
        stats.captured(f.source)
        detect_ms = 20.0 if i % 6 == 0 else 0.0
        r = Result(
            f, Detections.empty(), detect_ms=detect_ms, classify_ms=0.001, completed_ns=clock.ns + 20 * MS
        )
        stats.inferred(r)
    stats.sample()
    got, totals = stats.snapshot(), stats.totals()
    assert got.inference_fps == pytest.approx(5.0) and got.frames_inferred == 61 and totals.inferences == 11
    assert got.inference is not None and got.inference.p50_ms == pytest.approx(20.0, rel=0.01)
    assert got.frame_age is not None and got.frame_age.p50_ms == pytest.approx(20.0, rel=0.01)
    assert got.mj_per_inference == pytest.approx(10e3 / 11)  # 5 W for 2 s


def test_weak_supply_shows_at_once_and_is_logged_on_change_only(caplog: pytest.LogCaptureFixture) -> None:
    health = FakeHealth()
    stats = StatsCollector("m", None, health, clock=Clock())
    stats.sample()
    assert stats.snapshot().health.throttled_now == ()
    health.health = BoardHealth(temperature_c=70.0, throttled_now=("under-voltage",))
    with caplog.at_level(logging.INFO):
        for _ in range(6):
            stats.sample()
        assert stats.snapshot().health.throttled_now == ("under-voltage",)
        health.health = BoardHealth(temperature_c=60.0)
        stats.sample()
        stats.sample()
    assert stats.snapshot().health.throttled_now == ()
    assert [r.levelname for r in caplog.records] == ["WARNING", "INFO"]
    totals = stats.totals()
    assert totals.max_temperature_c == 70.0 and totals.throttled == ("under-voltage",)


def test_a_raising_meter_is_logged_once_and_does_not_stop_sampling(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()

    def watts(t: float) -> float:
        if 1 <= t < 4:
            raise OSError("EIO")
        return math.pi

    stats = StatsCollector("m", FakeMeter(clock, watts), clock=clock)
    with caplog.at_level(logging.INFO):
        for t in range(6):
            clock.ns = t * S
            stats.sample()
    assert [r.levelname for r in caplog.records] == ["WARNING", "INFO"]
    assert stats.snapshot().power is not None


def test_thread_starts_samples_and_stops() -> None:
    seen = threading.Event()

    threads: set[str] = set()

    class Meter:
        name = "m"

        def read(self) -> PowerReading | None:
            threads.add(threading.current_thread().name)
            seen.set()
            return None

    stats = StatsCollector("m", Meter(), period_s=0.01)
    stats.start()
    stats.start()  # twice is once
    assert seen.wait(10)
    assert sum(t.name == "telemetry" for t in threading.enumerate()) == 1
    stats.close()
    stats.close()
    assert threads == {"telemetry"}
    assert not any(t.name == "telemetry" for t in threading.enumerate())


def test_no_meters_no_thread() -> None:
    with StatsCollector("m"):
        assert not any(t.name == "telemetry" for t in threading.enumerate())


def test_a_hanging_sensor_is_an_error_with_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    release, entered = threading.Event(), threading.Event()

    class Hanging:
        name = "hanging"

        def read(self) -> PowerReading | None:
            entered.set()
            release.wait(30)
            return None

    monkeypatch.setattr(collector_module, "CLOSE_DEADLINE_S", 0.05)
    stats = StatsCollector("m", Hanging())
    stats.start()
    assert entered.wait(10)
    with pytest.raises(EdgecamError, match="edgecam power"):
        stats.close()
    release.set()
    for t in threading.enumerate():
        if t.name == "telemetry":
            t.join(10)
