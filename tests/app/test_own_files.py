"""What a run reads is never written over by it, and two outputs are never one file."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edgecam.cli.main import main


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to be in, with a photograph in ``p`` and settings."""
    (tmp_path / "p").mkdir()
    cv2.imwrite(str(tmp_path / "p" / "a.jpg"), np.zeros((48, 64, 3), np.uint8))
    (tmp_path / "p" / "old.jsonl").write_text("")
    (tmp_path / "cfg.toml").write_text('source = ["p"]\n')
    (tmp_path / "link.jpg").symlink_to("p/a.jpg")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--source", "p/a.jpg", "--json", "p/a.jpg"), "--json 'p/a.jpg' is what --source reads"),
        (("--source", "p/a.jpg", "--json", "link.jpg"), "--json 'link.jpg' is what --source reads"),
        (("--source", "p", "--json", "p/a.jpg"), "--json 'p/a.jpg' is what --source reads"),
        (("--source", "p/*.jpg", "--events", "p/a.jpg"), "--events 'p/a.jpg' is what --source reads"),
        (("--source", "clip.mp4", "--record", "./clip.mp4"), "--record 'clip.mp4' is what --source reads"),
        (("--config", "cfg.toml", "--json", "cfg.toml"), "--json 'cfg.toml' is the settings file"),
        (("--source", "p", "--json", "x", "--events", "./x"), "--json and --events both name 'x'"),
    ],
)
def test_an_output_that_is_an_input_or_another_output_is_refused(
    place: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], told: str
) -> None:
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    assert main([*words, "--detector", "off", "--display", "none"]) == 2
    assert told in capsys.readouterr().err
    assert {path: path.read_bytes() for path in place.rglob("*") if path.is_file()} == before


def test_a_new_file_beside_the_pictures_is_no_harm(place: Path) -> None:
    words = ["--source", "p", "--detector", "off", "--display", "none", "--json", "p/old.jsonl"]
    assert main(words) == 0
    assert (place / "p" / "old.jsonl").read_text()


def test_a_device_may_be_named_twice(place: Path) -> None:
    words = ["--source", "p", "--detector", "off", "--display", "none", "--json", "/dev/null"]
    assert main([*words, "--events", "/dev/null"]) == 0


def test_try_leaves_the_picture_it_looks_at(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (place / "p" / "a.jpg").read_bytes()
    assert main(["try", "p/a.jpg", "--output", "p/a.jpg"]) == 2
    assert "is the picture to look at" in capsys.readouterr().err
    assert (place / "p" / "a.jpg").read_bytes() == before
