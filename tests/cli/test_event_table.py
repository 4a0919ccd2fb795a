"""``edgecam events list`` fits the terminal."""

from __future__ import annotations

import pytest

from edgecam.cli.events import table
from edgecam.core.events import Event


def _event(number: int, camera: str, **more: object) -> Event:
    return Event(
        id=f"1795082331.2048{number:02}-aaaa{number:02}", type="end", kind="object", camera=camera,
        time=1795082340.0, start_time=1795082331.0 + number, end_time=1795082339.0 + number, label="person",
        **more,  # type: ignore[arg-type]
    )  # fmt: skip


@pytest.mark.parametrize("width", [60, 80, 120])
def test_lines_fit_and_say_day_time_what_and_id(width: int) -> None:
    events = [_event(n, "front", entered_zones=("door",), rule="somebody-stands-at-the-door") for n in (1, 2)]
    lines = list(table(events, width))
    assert all(len(line) <= width for line in lines), lines
    assert lines[0].startswith("2026-11-") and lines[1].endswith("  8.0 s  aaaa01")
    assert lines[-1] == "More of one: edgecam events show aaaa02"


def test_several_cameras_are_named_and_nothing_is_said_so() -> None:
    lines = list(table([_event(1, "front"), _event(2, "back")], 80))
    assert "front  aaaa01" in lines[1] and "back   aaaa02" in lines[2]
    assert list(table([], 80)) == ["no events"]
