"""What the command line says of words that cannot be meant, and of places that take none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgecam.cli.main import main

pytest.importorskip("starlette", reason="needs the extra 'web'")


@pytest.mark.parametrize("days", ["nan", "-1", "0", "1e9", "soon"])
def test_a_token_has_a_number_of_days(tmp_path: Path, capsys: pytest.CaptureFixture[str], days: str) -> None:
    store = tmp_path / "web.json"
    with pytest.raises(SystemExit) as ended:
        main(["web", "--store", str(store), "token", "tablet", f"--days={days}"])
    assert ended.value.code == 2 and not store.exists()
    assert "is no number of days above 0, up to 3650" in capsys.readouterr().err


def test_a_test_into_no_folder_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["self-test", "recording", "--dir", "/nothing/here"]) == 2
    assert "--dir /nothing/here: cannot write there" in capsys.readouterr().err


def test_help_where_only_ascii_can_be_written() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "edgecam", "web", "token", "--help"],
        capture_output=True, timeout=60, env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    assert done.returncode == 0 and b"usage" in done.stdout, done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_standard_output_is_said_in_a_sentence() -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "edgecam", "models"], stdout=full, stderr=subprocess.PIPE, timeout=60
        )
    assert done.returncode == 1 and b"no space is left" in done.stderr and b"unexpected" not in done.stderr


@pytest.mark.parametrize("name", ["annotate", "count", "own_loop"])
def test_an_example_says_how_it_is_used(name: str) -> None:
    file = Path(__file__).resolve().parents[2] / "examples" / f"{name}.py"
    done = subprocess.run([sys.executable, str(file)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 1 and done.stderr.startswith("Usage: python examples/"), done.stderr
