"""scripts/bundle and scripts/deb where a stranger starts them: in a checkout with nothing set up."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    "words", [["bundle", "--arch", "x86-64", "out"], ["deb", "trixie", "amd64", "out"]], ids=lambda w: w[0]
)
def test_it_begins_in_a_checkout_with_no_environment(words: list[str], tmp_path: Path) -> None:
    """The system's Python lacks what edgecam needs, and may lack pip: .venv is made, as by scripts/demo."""
    (tmp_path / "scripts").mkdir()
    for name in (words[0], "setup.sh", "wheels.sh"):
        shutil.copy(ROOT / "scripts" / name, tmp_path / "scripts")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "bin").mkdir()
    python = tmp_path / "bin/python3"  # has what a venv takes, and makes none
    python.write_text("#!/bin/sh\ncase $1 in -c | -V) exit 0 ;; esac\nexit 9\n")
    python.chmod(0o755)
    command = [str(tmp_path / "scripts" / words[0]), *words[1:]]
    env = {"PATH": f"{tmp_path}/bin:/usr/bin:/bin", "HOME": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=env)
    assert done.returncode != 0 and f"setting up {tmp_path}/.venv" in done.stderr
