"""The examples and the plug-in, each as a program in a process of its own, from an installed wheel."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest

import edgecam

ROOT = Path(__file__).resolve().parents[2]
DEMO = "demo:?frames=60"
Example = Callable[..., list[str]]


def run(program: list[str | Path], cwd: Path, code: int = 0) -> tuple[list[str], str]:
    """Lines of standard output, and standard error. Nothing of the checkout is on the path."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(part) for part in program], capture_output=True, text=True, timeout=110, cwd=cwd, env=env
    )
    assert done.returncode == code, done.stderr
    return done.stdout.splitlines(), done.stderr


@pytest.fixture
def example(installed: Path, tmp_path: Path) -> Callable[..., list[str]]:
    def run_it(name: str, *arguments: str | Path) -> list[str]:
        lines, said = run([installed / "python", ROOT / "examples" / f"{name}.py", *arguments], tmp_path)
        assert said == ""
        return lines

    return run_it


def test_detect(example: Example, tmp_path: Path) -> None:
    lines = example("detect", DEMO)
    assert any(re.fullmatch(r"person 0\.\d+ \([\d.]+, [\d.]+, [\d.]+, [\d.]+\)", line) for line in lines)


def test_watch(example: Example, tmp_path: Path) -> None:
    lines = example("watch", DEMO)
    assert [int(line.split()[0]) for line in lines] == list(range(60))
    assert any("'person')" in line for line in lines)
    (clip,) = (tmp_path / "clips").glob("*.mp4")
    assert clip.stat().st_size > 10_000


def test_annotate(example: Example, tmp_path: Path) -> None:
    picture, out = (
        ROOT / "edgecam" / "capture" / "generated" / "photographs" / "astronaut.jpg",
        tmp_path / "out.jpg",
    )
    example("annotate", str(picture), str(out))
    before, after = cv2.imread(str(picture)), cv2.imread(str(out))
    assert (cv2.absdiff(before, after) > 60).sum() > 1000  # type: ignore[arg-type]


def test_count(example: Example, tmp_path: Path) -> None:
    (line,) = example("count", DEMO)
    assert re.match(r"Counter\(\{'person': [12]\b", line) or "'person'" in line


def test_own_loop(example: Example, tmp_path: Path) -> None:
    lines = example("own_loop", "demo:?frames=10")
    assert any("person" in line for line in lines)


def test_every_example_is_run_here() -> None:
    programs = {path.stem for path in (ROOT / "examples").glob("*.py")}
    assert programs == {name.removeprefix("test_") for name in globals()} & programs


def test_it_is_the_wheel_that_runs(installed: Path, tmp_path: Path) -> None:
    (where,), _ = run([installed / "python", "-c", "import edgecam; print(edgecam.__file__)"], tmp_path)
    assert Path(where).is_relative_to(installed.parent)
    (told,), _ = run([installed / "edgecam", "--version"], tmp_path)
    assert told == f"edgecam {edgecam.__version__}"


def test_a_plug_in_of_three_files(installed: Path, tmp_path: Path) -> None:
    lines, _ = run([installed / "edgecam", "plugins", "--added"], tmp_path)
    assert Path(lines[-1].partition(": ")[2]).is_file(), "the page that tells how is installed"
    assert [line.split()[:4] for line in lines[1:-1]] == [
        ["sources", "mine", "edgecam-mine", "1.0"],
        ["sinks", "mine", "edgecam-mine", "1.0"],
    ]
    headless = ["--display", "none", "--classify", "off"]
    lines, said = run(
        [
            *[installed / "edgecam", "--source", "mine://?bars=4", "--sink", "mine:seen.csv"],  # type: ignore[list-item]
            *["--frames", "30", "--json", "-", *headless],
        ],
        tmp_path,
    )
    assert [json.loads(line)["index"] for line in lines] == list(range(30))
    assert "mine: 4 bars" in said
    rows = (tmp_path / "seen.csv").read_text().splitlines()
    assert rows[0] == "index,track,label,score,x1,y1,x2,y2"
    assert [int(row.split(",")[0]) for row in rows[1:]] == list(range(30))

    _, said = run([installed / "edgecam", "--source", "mine://?bars=four", *headless], tmp_path, code=2)
    assert said == "edgecam: mine://?bars=four: give a whole number\n"
    _, said = run([installed / "edgecam", "--source", "mines://", *headless], tmp_path, code=3)
    assert "did you mean 'mine'" in said
