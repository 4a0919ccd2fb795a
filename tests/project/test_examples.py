"""The examples, and the README's, each as a program in a process of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

ROOT = Path(__file__).resolve().parents[2]
DEMO = "demo:?frames=60"


def run(program: Path | str, *arguments: str, cwd: Path) -> list[str]:
    where = [str(program)] if isinstance(program, Path) else ["-c", program]
    done = subprocess.run(
        [sys.executable, *where, *arguments], capture_output=True, text=True, timeout=110, cwd=cwd
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.splitlines()


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT), prepend=":")


def test_detect(tmp_path: Path) -> None:
    lines = run(ROOT / "examples" / "detect.py", DEMO, cwd=tmp_path)
    assert any(re.fullmatch(r"person 0\.\d+ \([\d.]+, [\d.]+, [\d.]+, [\d.]+\)", line) for line in lines)


def test_watch(tmp_path: Path) -> None:
    lines = run(ROOT / "examples" / "watch.py", DEMO, cwd=tmp_path)
    assert [int(line.split()[0]) for line in lines] == list(range(60))
    assert any("'person')" in line for line in lines)
    (clip,) = (tmp_path / "clips").glob("*.mp4")
    assert clip.stat().st_size > 10_000


def test_annotate(tmp_path: Path) -> None:
    picture, out = (
        ROOT / "edgecam" / "capture" / "generated" / "photographs" / "astronaut.jpg",
        tmp_path / "out.jpg",
    )
    run(ROOT / "examples" / "annotate.py", str(picture), str(out), cwd=tmp_path)
    before, after = cv2.imread(str(picture)), cv2.imread(str(out))
    assert (cv2.absdiff(before, after) > 60).sum() > 1000


def test_count(tmp_path: Path) -> None:
    (line,) = run(ROOT / "examples" / "count.py", DEMO, cwd=tmp_path)
    assert re.match(r"Counter\(\{'person': [12]\b", line) or "'person'" in line


def test_own_loop(tmp_path: Path) -> None:
    lines = run(ROOT / "examples" / "own_loop.py", "demo:?frames=10", cwd=tmp_path)
    assert any("person" in line for line in lines)


def test_every_example_is_run_here() -> None:
    programs = {path.stem for path in (ROOT / "examples").glob("*.py")}
    assert programs == {name.removeprefix("test_") for name in globals()} & programs
