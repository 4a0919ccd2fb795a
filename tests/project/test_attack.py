"""The short form of benchmarks/attack.py: what is mutated or hostile raises nothing foreign.

Times and a healthy camera's frames are judged there and not here, where other tests run beside.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parents[2]
TIMED = ("a read took", "the healthy camera lost")


@pytest.mark.parametrize(
    ("kind", "count"), [("videos", 60), ("pictures", 200), ("folders", 30), ("servers", 16)]
)
def test_attack(kind: str, count: int) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "attack.py"), "--child", kind, str(count), "3"],
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["cases"] == count and found["peak_mb"] < 400
    assert not [what for what in found["findings"] if not what.startswith(TIMED)]
