"""The window on a real X server, with real key presses and signals."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.window
pytest.importorskip("PyQt6.QtWidgets", reason="needs the extra 'ui'", exc_type=ImportError)

CHILD = Path(__file__).with_name("window_child.py")
GREEN = (90, 200, 40)


@pytest.fixture
def start(screen: Any) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: str) -> subprocess.Popen[str]:
        child = subprocess.Popen(
            [sys.executable, str(CHILD), *arguments],
            env=screen.environ(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(child)
        return child

    yield run
    for child in started:
        if child.poll() is None:
            child.kill()
        child.communicate()


def until(child: subprocess.Popen[str], line: str) -> list[str]:
    """Reads the child's lines up to ``line``; its own end is the deadline."""
    assert child.stdout is not None and child.stderr is not None
    seen = []
    for text in child.stdout:
        seen.append(text.strip())
        if seen[-1] == line:
            return seen
    raise AssertionError(f"no line {line!r} in {seen}; {child.stderr.read()}")


def press(screen: Any, key: str) -> None:
    if shutil.which("xdotool") is None:
        pytest.skip("needs xdotool")
    subprocess.run(
        ["xdotool", "mousemove", "300", "240", "key", key], env=screen.environ(), check=True, timeout=10
    )


def wait_for(true: Callable[[], bool], limit_s: float = 10.0) -> bool:
    end = time.monotonic() + limit_s
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def share_of(picture: np.ndarray, bgr: tuple[int, int, int]) -> float:
    return float((np.abs(picture.astype(int) - bgr).max(axis=2) < 8).mean())


def test_it_opens_shows_the_picture_and_boxes_obeys_keys_and_quits(screen: Any, start: Any) -> None:
    child = start()
    seen = until(child, "shown")
    assert seen[0].startswith("xcb, window: an X server answers")
    assert wait_for(lambda: share_of(screen.picture(), GREEN) > 0.2)
    blue = (233, 180, 86)  # the colour of persons, as BGR
    assert share_of(screen.picture(), blue) > 0.002
    press(screen, "plus")
    until(child, "score 0.55")
    press(screen, "space")
    until(child, "paused True")
    press(screen, "f")
    assert wait_for(lambda: share_of(screen.picture()[600:], GREEN) > 0.8)
    press(screen, "Escape")  # leaves full screen, without a window manager too, and no more
    press(screen, "plus")
    until(child, "score 0.60")
    press(screen, "q")
    until(child, "returned 0")
    assert child.wait(10) == 0
    assert child.stderr is not None and child.stderr.read() == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_close_it_at_once(screen: Any, start: Any, number: Any) -> None:
    child = start()
    until(child, "shown")
    child.send_signal(number)
    until(child, "returned 0")
    assert child.wait(10) == 0


def test_full_screen_fills_the_screen_and_keeps_the_shape(screen: Any, start: Any) -> None:
    child = start("kiosk")
    until(child, "shown")

    def filled() -> bool:
        picture = screen.picture()  # 1000 x 700 with a picture of 4:3: bars of 33 px left and right
        bars = picture[:, :28].max() == 0 and picture[:, -28:].max() == 0
        return bool(bars and share_of(picture[600:], GREEN) > 0.8)

    assert wait_for(filled)
    press(screen, "q")  # a kiosk does not end by a child's hand
    press(screen, "minus")
    until(child, "score 0.45")
    press(screen, "ctrl+q")
    until(child, "returned 0")


def test_several_sources_are_tiled_and_only_the_lost_one_is_grey(screen: Any, start: Any) -> None:
    child = start("several", "kiosk")
    until(child, "shown")

    def tiled() -> bool:
        # 1000 x 700: cells of 498 x 348 hold 464 x 348 and, square, 348 x 348; the third is centred, and grey
        picture = screen.picture()
        first, second, third = picture[120:340, 20:480], picture[40:340, 580:900], picture[360:690, 300:700]
        grey = (third.max(axis=2) == third.min(axis=2)) & (third[..., 0] > 20) & (third[..., 0] < 150)
        bars = picture[:300, 502:570].max() == 0 and picture[400:, :200].max() == 0
        return bool(
            share_of(first, GREEN) > 0.6
            and share_of(second, (250, 200, 40)) > 0.6
            and grey.mean() > 0.6
            and bars
        )

    assert wait_for(tiled)
    press(screen, "ctrl+q")
    until(child, "returned 0")


def test_an_error_behind_the_window_comes_out_as_itself(screen: Any, start: Any) -> None:
    child = start("crash")
    _, errors = child.communicate(timeout=30)
    assert child.returncode == 1
    assert "LookupError: the program behind the window is broken" in errors
    assert "Fatal Python error" not in errors
