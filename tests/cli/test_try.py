"""`edgecam try`: one picture of what is seen, on disk and in the terminal."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgecam.capture.generated.demo import PHOTOGRAPHS
from edgecam.cli.main import main
from edgecam.cli.terminal_picture import choose_way, half_blocks, picture_text, sixel

HOPPER = PHOTOGRAPHS / "grace_hopper.jpg"


def test_a_photograph_is_described_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["try", str(HOPPER), "--output", str(tmp_path / "seen.png")]) == 0
    out = capsys.readouterr().out
    assert "1 person" in out and "middle, 9" in out and "\x1b" not in out, "a pipe shows no pictures"
    seen, plain = cv2.imread(str(tmp_path / "seen.png")), cv2.imread(str(HOPPER))
    assert seen.shape == plain.shape and (seen != plain).any(axis=2).sum() > 1000  # type: ignore[union-attr]


def test_the_best_of_a_film_is_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["try", "demo:?size=640x360&rate=30", "--output", str(tmp_path / "seen.jpg")]) == 0
    assert "person" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (["nothing.mp4"], 3, "nothing.mp4 does not exist"),
        ([str(HOPPER), "--output", "/proc/nowhere/x.jpg"], 2, "/proc/nowhere/x.jpg cannot be written"),
        ([str(HOPPER), "--output", "x.txt"], 2, "ends in .jpg"),
        ([str(HOPPER), "--detector", "nosuch"], 4, "nosuch"),
    ],
)
def test_what_does_not_work_is_one_sentence(
    words: list[str], status: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["try", *words]) == status
    assert says in capsys.readouterr().err


def picture() -> np.ndarray:
    image = np.zeros((40, 60, 3), np.uint8)
    image[:20, :30] = (0, 0, 255)
    image[20:, 30:] = (255, 128, 0)
    return image


def test_half_blocks_carry_two_pixels_a_character() -> None:
    text = half_blocks(picture(), true_colour=True)
    lines = text.splitlines()
    assert len(lines) == 20 and all(line.count("▀") == 60 for line in lines)
    assert lines[0].startswith("\x1b[38;2;255;0;0;48;2;255;0;0m▀") and lines[-1].count("2;0;128;255") == 60
    assert "38;5;196;48;5;196" in half_blocks(picture(), true_colour=False)


def test_boxes_are_seen_in_characters_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    large = cv2.resize(picture(), (1200, 800), interpolation=cv2.INTER_NEAREST)
    boxes = np.array([[100, 100, 900, 700]], np.float32)
    text = picture_text(large, large, boxes, "blocks", {"COLORTERM": "truecolor"})  # type: ignore[arg-type]
    assert text.count("2;255;230;0") > 60


def decoded(text: str) -> np.ndarray:
    """A sixel string as RGB percent, by the VT340's manual: colours, runs, $ and -."""
    width, height = map(int, re.match(r'\x1bPq"1;1;(\d+);(\d+)', text).groups())  # type: ignore[union-attr]
    image = np.full((height, width, 3), -1)
    palette: dict[int, tuple[int, ...]] = {}
    x = y = colour = 0
    for number, r, g, b, run, letter, move in re.findall(
        r"#(\d+)(?:;2;(\d+);(\d+);(\d+))?|(?:!(\d+))?([?-~])|([$-])",
        text.partition(f"{width};{height}")[2].partition("\x1b")[0],
    ):
        if number:
            colour = int(number)
            if r:
                palette[colour] = (int(r), int(g), int(b))
        elif letter:
            for bit in range(6):
                if (ord(letter) - 63) >> bit & 1:
                    image[y + bit, x : x + int(run or 1)] = palette[colour]
            x += int(run or 1)
        else:
            x, y = 0, y + 6 * (move == "-")
    return image


def test_sixels_come_back_as_the_picture() -> None:
    image = cv2.resize(cv2.imread(str(HOPPER)), (90, 101), interpolation=cv2.INTER_AREA)  # type: ignore[arg-type]
    found = decoded(sixel(image))  # type: ignore[arg-type]
    assert found.min() >= 0, "a pixel has no colour"
    blurred = [cv2.blur(each.astype(np.float32), (5, 5)) for each in (found * 2.55, image[:, :, ::-1])]
    assert np.abs(blurred[0] - blurred[1]).mean() < 8


@pytest.mark.skipif(shutil.which("script") is None, reason="needs util-linux's script for a terminal")
def test_a_terminal_that_does_not_answer_gets_blocks_and_is_left_as_it_was(tmp_path: Path) -> None:
    words = f"edgecam try {HOPPER} --output {tmp_path}/x.jpg; stty -a | grep -q ' icanon' && echo kept"
    code = words.replace("edgecam", f"{sys.executable} -m edgecam", 1)
    done = subprocess.run(
        ["script", "-qec", code, "/dev/null"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "person" in done.stdout and "kept" in done.stdout


def test_a_pipe_a_dumb_terminal_and_no_colour_get_none(tmp_path: Path) -> None:
    with (tmp_path / "x").open("w") as file:
        assert choose_way(file, {"TERM": "xterm"}) == "off"
