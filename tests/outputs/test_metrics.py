"""/metrics: what promtool and Prometheus itself say of it."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

pytest.importorskip("prometheus_client", reason="needs the extra 'metrics'")

from edgecam.core.errors import ConfigError
from edgecam.core.events import Event
from edgecam.core.state import ModelState, RecorderState, SourceState, State
from edgecam.core.types import BoardHealth, Detections, Frame, PowerReading, Result, Stats
from edgecam.outputs import metrics_server
from edgecam.outputs.metrics import MetricsOutput, parse_address
from edgecam.outputs.metrics_server import CONNECTIONS

ALERTS = Path(__file__).parents[2] / "docs" / "edgecam-alerts.yml"


def state() -> State:
    health = BoardHealth(61.0, 1800.0, cpu_percent=42.0, throttled_now=("under-voltage",))
    stats = Stats(
        30.0, 15.0, power=PowerReading(5.4, "measured", "INA3221", 0), mj_per_frame=360.0, health=health
    )
    source = SourceState("front", captured=300, inferred=290, stale=9, stopped=1, stats=stats)
    recorder = RecorderState("front", True, lost=2, used_bytes=10, free_bytes=90)
    model = ModelState("detection", "ssd-x")
    return State(0, "1.2.3", 12.0, stats, (source,), recorders=(recorder,), models=(model,))


def result() -> Result:
    found = Detections(
        np.zeros((2, 4), np.float32), np.ones(2, np.float32), np.array([0, 1], np.int32), ("person", "car")
    )
    frame = Frame(np.zeros((4, 4, 3), np.uint8), 0, 0, "front")
    return Result(frame, found, detect_ms=11.0, completed_ns=40_000_000)


def page(made: MetricsOutput) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{made.port}/metrics", timeout=10) as answer:
        return str(answer.read().decode())


def test_a_scrape_tells_everything_in_base_units() -> None:
    made = MetricsOutput(("127.0.0.1", 0), state, lambda: {"mqtt": 3})
    made.open()
    try:
        for _ in range(3):
            made.observe(result())
        made.write(Event(id="1-a", type="new", kind="object", camera="front", label="person"))
        text = page(made)
    finally:
        made.close()
    for line in (
        'edgecam_build_info{detector="ssd-x",version="1.2.3"} 1.0',
        'edgecam_frames_captured_total{camera="front"} 300.0',
        'edgecam_frames_dropped_total{camera="front",reason="stale"} 9.0',
        'edgecam_rate_hertz{camera="front",stage="inference"} 15.0',
        'edgecam_frame_age_seconds_bucket{camera="front",le="0.05"} 3.0',
        'edgecam_inference_seconds_sum{camera="front"} 0.033',
        'edgecam_detections_total{camera="front",label="car"} 3.0',
        'edgecam_events_total{camera="front",kind="object",label="person",type="new"} 1.0',
        'edgecam_power_watts{kind="measured",source="INA3221"} 5.4',
        "edgecam_frame_energy_joules 0.36",
        "edgecam_temperature_celsius 61.0",
        'edgecam_throttled{reason="under-voltage"} 1.0',
        'edgecam_frames_unrecorded_total{camera="front"} 2.0',
        'edgecam_events_waiting{destination="mqtt"} 3.0',
    ):
        assert line in text, line
    assert "track" not in text


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool: apt-get install prometheus")
def test_promtool_finds_nothing_to_complain_about() -> None:
    made = MetricsOutput(("127.0.0.1", 0), state)
    made.open()
    try:
        made.observe(result())
        text = page(made)
    finally:
        made.close()
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0 and not done.stdout and not done.stderr, done.stdout + done.stderr
    rules = subprocess.run(
        ["promtool", "check", "rules", str(ALERTS)], capture_output=True, text=True, timeout=60
    )
    assert rules.returncode == 0, rules.stdout + rules.stderr


def test_a_board_without_sensors_tells_what_it_has() -> None:
    made = MetricsOutput(("127.0.0.1", 0), lambda: replace(state(), stats=Stats(), recorders=(), models=()))
    made.open()
    try:
        text = page(made)
    finally:
        made.close()
    assert "edgecam_temperature_celsius " not in text.replace(
        "# HELP edgecam_temperature_celsius ", ""
    ).replace("# TYPE edgecam_temperature_celsius ", "")
    assert 'edgecam_camera_up{camera="front"} 1.0' in text


def hang_up(sockets: list[socket.socket]) -> int:
    """How many of them the other end has closed by now; all are closed."""
    closed = 0
    for one in sockets:
        one.setblocking(False)
        try:
            closed += one.recv(1) == b""
        except ConnectionError:
            closed += 1
        except BlockingIOError:
            pass
        one.close()
    return closed


def until(true: Callable[[], bool]) -> None:
    end_s = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end_s
        time.sleep(0.05)


def test_silent_connections_are_few_and_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """300 of them had a thread each, for ever; the service may have 256 tasks."""
    monkeypatch.setattr(metrics_server, "CONNECTION_S", 1e6)
    made = MetricsOutput(("127.0.0.1", 0), state)
    made.open()
    try:
        before = threading.active_count()
        silent = [socket.create_connection(("127.0.0.1", made.port)) for _ in range(3 * CONNECTIONS)]
        until(lambda: threading.active_count() == before + CONNECTIONS)
        with pytest.raises(OSError, match=r"."):
            page(made)
        assert threading.active_count() == before + CONNECTIONS
        assert hang_up(silent) == 2 * CONNECTIONS
        until(lambda: threading.active_count() == before)
        assert "edgecam_up" in page(made)
        monkeypatch.setattr(metrics_server, "CONNECTION_S", 0.0)
        for number in range(CONNECTIONS):  # who sends a byte now and then has no more time than others
            with socket.create_connection(("127.0.0.1", made.port), timeout=60) as slow:
                with contextlib.suppress(ConnectionError):
                    slow.sendall(b"GET /metrics HTTP/1.1\r\nX: " + b"x" * number)
                    assert slow.recv(1) == b""
    finally:
        made.close()


def test_a_close_ends_what_is_open() -> None:
    made = MetricsOutput(("127.0.0.1", 0), state)
    made.open()
    before = threading.active_count()
    with socket.create_connection(("127.0.0.1", made.port), timeout=60) as silent:
        until(lambda: threading.active_count() == before + 1)
        made.close()
        assert silent.recv(1) == b""


def test_addresses_are_read_and_wrong_ones_refused() -> None:
    assert parse_address("9100") == ("127.0.0.1", 9100)
    assert parse_address("0.0.0.0:9100") == ("0.0.0.0", 9100)
    assert parse_address("[::1]:9100") == ("::1", 9100)
    for wrong in ("", "http", "0.0.0.0:", "1:99999", "1:-3"):
        with pytest.raises(ConfigError, match="give a port"):
            parse_address(wrong)
    first = MetricsOutput(("127.0.0.1", 0), state)
    first.open()
    try:
        with pytest.raises(ConfigError, match="cannot listen there"):
            MetricsOutput(("127.0.0.1", first.port), state).open()
    finally:
        first.close()
