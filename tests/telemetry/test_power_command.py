from __future__ import annotations

import logging
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecam.core.errors import ConfigError
from edgecam.host.commands import run_command
from edgecam.telemetry.meters.command import CommandMeter, parse_watts


@pytest.mark.parametrize(
    ("text", "watts"),
    [
        ("5.43\n", 5.43),
        ("5.43 W", 5.43),
        ("power: 5430 mW", 5.43),
        ("5.1V 0.9A 4.59W\n", 4.59),
        ("0.0054 kW", 5.4),
        ("watts=6.25", 6.25),
        ("5400000 µW", 5.4),
        ("6 Watts", 6.0),
        ("", None),
        ("n/a", None),
        ("nan", None),
        ("-4 W", None),
        ("5.1 0.9", None),  # two bare numbers: which one?
        ("1e99 W", None),
        ("0x3f", None),
    ],
)
def test_what_a_command_printed(text: str, watts: float | None) -> None:
    got = parse_watts(text)
    assert got == (None if watts is None else pytest.approx(watts))


@given(st.text(max_size=200))
def test_any_text_is_watts_or_none(text: str) -> None:
    got = parse_watts(text)
    assert got is None or 0.0 <= got <= 10_000.0


def test_command_meter_runs_for_real_and_logs_changes_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    figure = tmp_path / "watts with space.txt"
    figure.write_text("4.2 W")
    meter = CommandMeter(f"cat '{figure}'")
    reading = meter.read()
    assert reading is not None and reading.power_w == 4.2 and reading.source == "command cat"
    with caplog.at_level(logging.INFO):
        figure.unlink()
        assert meter.read() is None and meter.read() is None
        figure.write_text("out of order")
        assert meter.read() is None
        figure.write_text("4.3")
        assert meter.read() is not None
    assert [r.levelname for r in caplog.records] == ["WARNING", "INFO"]


def test_missing_command_is_no_reading() -> None:
    assert CommandMeter("/no/such/plug --watts").read() is None


@pytest.mark.parametrize("command", ["", "   ", "plug 'open"])
def test_unreadable_command_line(command: str) -> None:
    with pytest.raises(ConfigError, match="power command"):
        CommandMeter(command)


def test_command_deadline_holds_even_if_a_grandchild_keeps_the_pipe() -> None:
    script = "import subprocess, sys; subprocess.Popen(['sleep', '60']); sys.stdout.flush()"
    begin = time.monotonic()
    assert run_command([sys.executable, "-c", script], 0.5) is None
    assert time.monotonic() - begin < 30  # a hang would be 60 s; not a timing claim


def test_command_with_binary_output() -> None:
    assert run_command(["printf", r"\377\376 5"], 5.0) is not None
