"""A start says four short lines: source, model and rate, recording, where to look."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from edgecam.cli.start_lines import WIDTH, start_lines
from edgecam.config import Config
from edgecam.ui.display import DisplayChoice

WINDOW = DisplayChoice("xcb", "window", "xcb, window: an X server answers at DISPLAY=:0")
NOWHERE = DisplayChoice("", "none", "headless: no display found (DISPLAY is not set, there is no /dev/fb0)")


def test_four_lines_and_no_jargon() -> None:
    notes = [
        ("model", "pan-mobilenet-v1-320-int8, 320x320"),
        ("runs on", "int8, 1 thread on cpu: 12.5 ms (against fp32 32.2)"),
        ("source", "/dev/video0 (HD Webcam): 1280x720 at 30 fps, MJPG"),
    ]
    config = Config(source=("/dev/video0",), record="/clips", record_on=("person:0.6", "car"))
    assert start_lines(notes, config, 12.5, WINDOW) == [
        "source  /dev/video0 (HD Webcam): 1280x720 at 30 fps, MJPG",
        "model   pan-mobilenet-v1-320-int8, up to 80 pictures a second here",
        "record  when person:0.6, car, into /clips",
        "look    the window (H lists the keys)",
    ]
    assert start_lines(notes, Config(), None, NOWHERE)[-1] == "look    no window (no display found)"


def test_four_lines_hold_what_is_off_and_weak_and_a_page_beside_a_recording() -> None:
    notes = [
        ("source", "demo: 1280x720 at 30 fps"),
        ("model", "ssd-mobilenet-v1-300, 300x300"),
        ("finds", "people, vehicles, animals, bottle; 60 off: --classes all or chair"),
        ("weak", "boat, bird, bottle: most of them are missed"),
        ("web", "http://127.0.0.1:8080/ (here only; for other machines: edgecam web password)"),
    ]
    lines = start_lines(notes, Config(record="clips"), None, NOWHERE)
    assert lines[2:] == [
        "finds   people, vehicles, animals; 60 off: --classes all; weak: boat, bird, bottle",
        "look    http://127.0.0.1:8080/ · records all the time, into clips",
    ]
    alone = start_lines(notes, Config(), None, NOWHERE)
    assert "edgecam web password" in alone[-1] and all(len(line) <= 86 for line in alone)


def test_what_has_to_be_copied_is_not_cut_and_the_rest_is() -> None:
    command = "sudo /opt/edgecam/bin/python -m pip install 'edgecam[ui]'"
    missing = f"headless: PyQt6 is not installed; install it with: {command}"
    notes = [("model", "m, 1x1"), *(("source", f"rtsp://camera-{n}/stream: 640x480") for n in range(9))]
    lines = start_lines(notes, Config(), None, DisplayChoice("", "none", missing))
    assert all(len(line) <= WIDTH for line in lines[:-1])
    assert lines[0].startswith("source  9 cameras: rtsp") and missing[10:] in lines[-1]
    web = start_lines(
        [*notes, ("web", "https://board:8080")], Config(), None, DisplayChoice("", "none", missing)
    )
    assert web[-1] == "look    https://board:8080"


def test_the_program_says_no_more_at_its_start_unless_asked(tmp_path: Path) -> None:
    words = ["--source", "synthetic:?frames=2", "--display", "none", "--tune", "off", "--record", "o.mp4"]
    command = [sys.executable, "-m", "edgecam", *words]
    told = subprocess.run(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, check=True).stderr
    first_words = [line.split()[0] for line in told.splitlines()]
    assert first_words[: first_words.index("frames")] == ["source", "model", "finds", "record"]
    finds = told.splitlines()[2]
    assert " off: --classes all" in finds and "; weak: " in finds
    told = subprocess.run(
        [*command, "-v"], cwd=tmp_path, stderr=subprocess.PIPE, text=True, check=True
    ).stderr
    assert "runs on" in told
