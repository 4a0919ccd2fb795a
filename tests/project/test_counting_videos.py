"""Counts on recordings whose truth was counted by hand, frame by frame; see docs/events.md."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from edgecam.core.events import Event

pytestmark = [pytest.mark.shared, pytest.mark.slow, pytest.mark.timeout(900)]


def told(video: Path, tmp_path: Path, *arguments: str) -> list[Event]:
    events = tmp_path / "events.jsonl"
    command = [sys.executable, "-m", "edgecam", "--source", str(video), "--display", "none"]
    command += ["--classifier", "off"]
    subprocess.run(
        [*command, "--events", str(events), *arguments], check=True, timeout=800, capture_output=True
    )
    return [Event.from_json(line) for line in events.read_text().splitlines()]


def test_four_cars_two_each_way(shared: Path, tmp_path: Path) -> None:
    """White up (4.6 to 8.4 s), light blue down (14.5 to 18.4), red up (15.3 to 18.8), white
    down (25.6 to 27.8 s). Their lower edges pass the middle at 7.05, 15.8, 17.6 and 26.1 s. From above,
    cars have a third of the score they have from the side."""
    video = shared / "data" / "videos" / "car-detection.mp4"
    line = ["--line", "road=0,0.5 1,0.5", "--classes", "car", "--score", "0.3"]
    crossed = [e for e in told(video, tmp_path, *line) if e.kind == "line"]
    assert [e.direction for e in crossed] == ["out", "in", "out", "in"]
    begun = crossed[0].start_time
    assert [e.start_time - begun for e in crossed] == pytest.approx([0.0, 8.75, 10.55, 19.05], abs=0.5)


def test_six_people_one_after_the_other(shared: Path, tmp_path: Path) -> None:
    """Each comes in at the lower edge, stands at the table, and leaves to the right.

    By hand, seconds at which they are first in the zone before the table: 6.4, 23.0, 50.9, 75.0, 92.9,
    123.9; and at which they leave it through x = 0.75: 18.9, 44.1, 69.0, 86.0, 118.9, 135.0."""
    video = shared / "data" / "videos" / "one-by-one-person-detection.mp4"
    places = ["--line", "exit=0.75,1 0.75,0", "--zone", "table=0.4,0.6 0.75,0.6 0.75,1 0.4,1"]
    events = told(video, tmp_path, *places)
    crossed = [e for e in events if e.kind == "line" and e.label == "person"]
    assert [e.direction for e in crossed] == ["in"] * 6
    begun = crossed[0].start_time
    by_hand = [0.0, 25.2, 50.1, 67.1, 100.0, 116.1]
    assert [e.start_time - begun for e in crossed] == pytest.approx(by_hand, abs=0.5)
    stays = [e.dwell_s for e in events if e.kind == "zone" and e.type == "end" and e.label == "person"]
    assert stays == pytest.approx([12.5, 21.1, 18.1, 11.0, 26.0, 11.1], abs=0.7)
    occupied = [e for e in events if e.kind == "occupancy" and e.label == "person"]
    assert [e.type for e in occupied].count("new") == 6
    assert max(max((e.counts or {}).values()) for e in occupied) == 1
