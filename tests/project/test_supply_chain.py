"""What is installed is pinned and hashed, the wheel says what is in it, and it is the same bit by bit."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parents[2]
LOCKED = ROOT / "constraints" / "locked"
BOARDS = ("board-bookworm-aarch64", "board-trixie-aarch64", "board-jetpack6-aarch64")


def test_locks_are_as_pyproject_asks_and_hashed() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "lock"), "--check", *BOARDS], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout
    for file in LOCKED.glob("*.txt"):
        lines = file.read_text().splitlines()[1:]
        assert len(lines) > 8
        assert all(re.fullmatch(r"[\w.-]+==\S+ --hash=sha256:[0-9a-f]{64}", line) for line in lines), file


@pytest.mark.skipif(not (ROOT / "scripts" / "hatch_build.py").is_file(), reason="a checkout's own build")
def test_the_wheel_is_reproducible_and_has_its_sbom(tmp_path: Path) -> None:
    wheel = pytest.importorskip("hatchling.builders.wheel")
    digests = set()
    for n in range(2):
        built = next(
            wheel.WheelBuilder(str(ROOT)).build(directory=str(tmp_path / str(n)), versions=["standard"])
        )
        digests.add(hashlib.sha256(Path(built).read_bytes()).hexdigest())
    assert len(digests) == 1
    with zipfile.ZipFile(built) as archive:
        bill = json.loads(archive.read("edgecam/_sbom.cdx.json"))
    names = {part["name"] for part in bill["components"]}
    assert bill["bomFormat"] == "CycloneDX" and {"numpy", "av", "onnxruntime"} <= names
    assert all(part["hashes"] for part in bill["components"])
    assert any(part["type"] == "machine-learning-model" for part in bill["components"])
