from __future__ import annotations

import pytest
from thermalmodel import Board, close_loop

from edgecam.core.types import BoardHealth, PowerReading
from edgecam.telemetry.governor import Governor, Plan

S = 1_000_000_000


@pytest.mark.parametrize("time_constant_s", [30.0, 90.0, 300.0])
@pytest.mark.parametrize("resistance_c_w", [7.5, 9.0, 12.0])
@pytest.mark.parametrize("ambient_c", [20.0, 35.0])
def test_settles_below_the_limit_without_oscillation(
    time_constant_s: float, resistance_c_w: float, ambient_c: float
) -> None:
    limit = 78.0
    board = Board(ambient_c=ambient_c, resistance_c_w=resistance_c_w, time_constant_s=time_constant_s)
    unlimited_c = ambient_c + resistance_c_w * (board.idle_w + 30 * board.full_j)
    seconds = max(2400.0, 12 * time_constant_s)
    trace = close_loop(board, Governor(max_temp=limit), seconds)
    assert max(trace.temperature_c) < limit
    end = [t for s, t in zip(trace.seconds, trace.temperature_c, strict=True) if s > seconds * 2 / 3]
    assert max(end) - min(end) < 1.0  # at rest, not swinging
    assert trace.changes_after(seconds * 2 / 3) <= 1
    if unlimited_c > limit:
        assert trace.plans[-1].reason.endswith("to stay below 78 °C")
        assert end[-1] > limit - 8.0  # and it does not give up more than it must
    elif unlimited_c < limit - 5:
        assert trace.plans[-1] == Plan()


def test_rate_first_then_the_fast_model_and_back_in_reverse() -> None:
    board = Board(ambient_c=25.0, resistance_c_w=9.0)
    governor = Governor(max_temp=78.0)
    trace = close_loop(board, governor, 1500)
    assert trace.plans[-1].detect_rate_hz is not None and not trace.plans[-1].use_fast
    # a summer's noon in a closed box: the full model at 2 Hz would be too much
    trace = close_loop(board, governor, 3000, trace, ambient_c=46.5)
    hot = trace.plans[-1]
    assert hot.use_fast and "with the fast model" in hot.reason
    assert max(trace.temperature_c) < 78.0
    first_fast = next(i for i, plan in enumerate(trace.plans) if plan.use_fast)
    lowest_full = min(p.detect_rate_hz or 30.0 for p in trace.plans[:first_fast])
    assert lowest_full <= 2.2  # the rate was given up first
    trace = close_loop(board, governor, 6000, trace, ambient_c=-5.0)  # a winter night
    assert trace.plans[-1] == Plan()  # everything is given back
    changes = [
        b.use_fast for a, b in zip(trace.plans, trace.plans[1:], strict=False) if a.use_fast != b.use_fast
    ]
    assert changes == [True, False]  # to the fast model once, back once: no flapping


def test_started_on_a_hot_board_it_comes_down() -> None:
    board = Board(temperature_c=84.0)
    trace = close_loop(board, Governor(max_temp=78.0), 1800)
    below = next(i for i, t in enumerate(trace.temperature_c) if t < 78.0)
    assert below < 240
    assert max(trace.temperature_c[below:]) < 78.0


def test_watt_limit_is_kept_and_not_far_below() -> None:
    board = Board(full_j=0.2)
    trace = close_loop(board, Governor(max_watts=6.0), 600)
    after = trace.power_w[60:]
    assert max(after) <= 6.0
    assert min(after) > 6.0 * 0.85
    assert trace.changes_after(200) == 0
    assert trace.plans[-1].reason.endswith("to stay below 6 W")


def test_the_stricter_of_two_limits_wins() -> None:
    plan = close_loop(Board(), Governor(max_watts=5.0, max_temp=78.0), 900).plans[-1]
    assert plan.reason.endswith("to stay below 5 W")


def test_firmware_that_slows_down_first_is_believed() -> None:
    board = Board(firmware_limit_c=60.0)
    trace = close_loop(board, Governor(max_temp=78.0), 1800)
    assert any("throttles itself" in p.reason for p in trace.plans)
    assert trace.temperature_c[-1] < 66.0


def test_throttling_without_a_thermometer_lowers_the_rate() -> None:
    governor = Governor(max_temp=78.0)
    health = BoardHealth(throttled_now=("throttled",))
    plans = [governor.decide(None, health, i * S) for i in range(60)]
    assert plans[-1].detect_rate_hz is not None and plans[-1].detect_rate_hz < 20


def test_without_limits_or_sensors_nothing_is_given_up() -> None:
    hot = BoardHealth(temperature_c=99.0)
    watts = PowerReading(99.0, "measured", "m", 0)
    for governor, reading, health in (
        (Governor(), watts, hot),
        (Governor(max_watts=5.0), None, hot),
        (Governor(max_temp=70.0), watts, BoardHealth()),
    ):
        assert all(governor.decide(reading, health, i * S) == Plan() for i in range(20))


def test_no_fast_variant_stops_at_the_lowest_rate() -> None:
    governor = Governor(max_temp=60.0, has_fast=False, min_rate_hz=2.0)
    trace = close_loop(Board(ambient_c=50.0), governor, 1200)
    assert trace.plans[-1].detect_rate_hz == pytest.approx(2.0, rel=0.08)
    assert not any(p.use_fast for p in trace.plans)


def test_floor_with_the_fast_model() -> None:
    trace = close_loop(Board(ambient_c=70.0), Governor(max_temp=60.0), 2400)
    last = trace.plans[-1]
    assert last.use_fast and last.detect_rate_hz == pytest.approx(2.0, rel=0.08)


def test_measured_full_rate_is_learnt_only_while_free() -> None:
    governor = Governor(max_temp=78.0)
    governor.note_full_rate(14.6)
    for i in range(200):
        plan = governor.decide(None, BoardHealth(temperature_c=85.0), i * S)
    assert plan.detect_rate_hz is not None and plan.detect_rate_hz < 14.6
    assert "of 15 Hz" in plan.reason
    governor.note_full_rate(3.0)  # that is our own doing, not what the board can
    assert "of 15 Hz" in governor.decide(None, BoardHealth(temperature_c=95.0), 201 * S).reason


def test_noting_the_rate_every_second_does_not_undo_a_slow_step_down() -> None:
    governor = Governor(max_temp=78.0)
    for i in range(120):
        governor.note_full_rate(30.0 + i % 2)
        plan = governor.decide(None, BoardHealth(temperature_c=77.0), i * S)  # 1 °C too much: 0.4 % a second
    assert plan.detect_rate_hz is not None and plan.detect_rate_hz < 25.0


def test_a_still_picture_is_not_a_slow_board() -> None:
    governor = Governor(max_temp=78.0)
    cool = BoardHealth(temperature_c=60.0)
    governor.note_full_rate(28.0)
    for i in range(30):  # half a minute behind the motion gate
        governor.note_full_rate(0.5)
        assert governor.decide(None, cool, i * S) == Plan()
    for i in range(30, 200):
        plan = governor.decide(None, BoardHealth(temperature_c=80.0), i * S)
        if plan.detect_rate_hz is not None:
            break
    assert plan.detect_rate_hz is not None and plan.detect_rate_hz > 20.0


def test_a_board_slower_than_the_lowest_rate_still_has_something_to_give_up() -> None:
    governor = Governor(max_temp=78.0, has_fast=False, min_rate_hz=2.0)
    governor.note_full_rate(1.4)
    for i in range(400):
        plan = governor.decide(None, BoardHealth(temperature_c=85.0), i * S)
    assert plan.detect_rate_hz == pytest.approx(0.7, rel=0.08)


def test_a_wild_sensor_does_not_stop_detection_at_once() -> None:
    governor = Governor(max_temp=78.0)
    governor.decide(None, BoardHealth(temperature_c=60.0), 0)
    plan = governor.decide(None, BoardHealth(temperature_c=149.0), S)
    assert plan.detect_rate_hz is None or plan.detect_rate_hz >= 25.0


def test_a_long_pause_counts_as_five_seconds() -> None:
    governor = Governor(max_watts=5.0)
    reading = PowerReading(10.0, "measured", "m", 0)
    governor.decide(reading, BoardHealth(), 0)
    plan = governor.decide(reading, BoardHealth(), 3600 * S)
    assert plan.detect_rate_hz is not None and plan.detect_rate_hz > 10.0


def test_the_same_plan_object_while_nothing_changes() -> None:
    governor = Governor(max_temp=78.0)
    health = BoardHealth(temperature_c=74.0)
    first = governor.decide(None, health, 0)
    assert all(governor.decide(None, health, i * S) is first for i in range(1, 30))


def test_a_slow_boards_own_rate_is_told_as_it_is() -> None:
    governor = Governor(max_temp=60.0)
    governor.note_full_rate(1.4)
    for i in range(100):
        plan = governor.decide(None, BoardHealth(temperature_c=85.0), i * S)
    assert plan.reason.startswith("detecting at 0.7 of 1.4 Hz")
